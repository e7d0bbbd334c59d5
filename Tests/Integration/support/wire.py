"""A socket that speaks Engine.IO 4 and Socket.IO 5 over WebSocket, packet by packet."""

import asyncio
import contextlib
import json
import socket
import time
from dataclasses import dataclass, field
from urllib.parse import urlencode, urlsplit

import aiohttp


class ConnectRefused(Exception):
    """CONNECT_ERROR of the namespace."""

    def __init__(self, message: str, data=None):
        super().__init__(message)
        self.message = message
        self.data = data


class Unreachable(Exception):
    """No Engine.IO session: refused, an HTTP status in place of 101, or silence."""

    def __init__(self, reason: str, status: int | None = None):
        super().__init__(reason)
        self.status = status


@dataclass
class Event:
    at: float  # time.monotonic()
    name: str
    args: list

    @property
    def arg(self):
        return self.args[0] if self.args else None

    def __repr__(self):
        return f"{self.name}{json.dumps(self.args)[:160]}"


@dataclass
class Waiter:
    condition: object
    future: asyncio.Future = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )


def new_browser(**connecting) -> aiohttp.ClientSession:
    """The network side of one browser profile: its cookies, kept over connections, also those set
    by a WebSocket handshake and marked HttpOnly. Cookies know no ports, as in browsers.
    `connecting`: options of aiohttp's TCPConnector."""
    return aiohttp.ClientSession(
        cookie_jar=aiohttp.CookieJar(unsafe=True),
        connector=aiohttp.TCPConnector(limit=0, **connecting),
    )


class WireSocket:
    """One connection. Everything received is kept in `events`, in order."""

    def __init__(
        self,
        url: str,
        *,
        browser: aiohttp.ClientSession | None = None,
        query: dict | None = None,
        headers: dict | None = None,
        auth=None,
        answers_pings: bool = True,
        patience: float | None = None,
    ):
        self.url = url
        self.browser = browser or new_browser()
        self._owns_browser = browser is None
        self.query = query or {}
        self.headers = headers or {}
        self.auth = auth
        self.answers_pings = answers_pings
        self.patience = patience  # seconds without a ping, in place of the server's word

        self.open_packet: dict = {}
        self.sid: str | None = None
        # For coming back, as stock clients keep them: the secret and the last place told.
        self.pid: str | None = None
        self.offset: str | None = None
        self.recovered = False
        self.events: list[Event] = []
        self.close_reason: str | None = None
        self.close_code: int | None = None
        self.closed_at: float | None = None
        self.handshake_headers = None
        self.pings = 0
        self.on_event = None  # called with each Event
        self.on_close = None  # called with the reason, once
        self._socket: aiohttp.ClientWebSocketResponse | None = None
        self._reader: asyncio.Task | None = None
        self._waiters: list[Waiter] = []
        self._acks: dict[int, asyncio.Future] = {}
        self._next_ack = 0
        self._half_event: tuple | None = None

    # --- the connection -------------------------------------------------------------------------

    async def connect(self, timeout: float = 8.0) -> "WireSocket":
        try:
            async with asyncio.timeout(timeout):
                await self._handshake()
        except TimeoutError:
            await self.abandon()
            raise Unreachable("timeout") from None
        except BaseException:
            await self.abandon()
            raise
        return self

    async def _handshake(self):
        query = {"EIO": "4", "transport": "websocket"} | self.query
        parts = urlsplit(self.url)
        address = f"ws://{parts.netloc}/socket.io/?{urlencode(query)}"
        try:
            self._socket = await self.browser.ws_connect(
                address,
                headers=self.headers,
                max_msg_size=0,
                autoping=True,
                timeout=aiohttp.ClientWSTimeout(ws_close=1.0),
            )
        except aiohttp.WSServerHandshakeError as refusal:
            raise Unreachable(f"HTTP {refusal.status}", refusal.status) from None
        except (aiohttp.ClientError, OSError) as trouble:
            raise Unreachable(str(trouble)) from None
        self.handshake_headers = self._socket._response.headers
        opening = await self._receive_text()
        if not opening.startswith("0"):
            raise Unreachable(f"no open packet: {opening[:80]}")
        self.open_packet = json.loads(opening[1:])
        await self._socket.send_str("40" + (json.dumps(self.auth) if self.auth is not None else ""))
        while True:
            packet = await self._receive_text()
            if packet == "2":
                await self._socket.send_str("3")
            elif packet.startswith("40"):
                answer = json.loads(packet[2:])
                self.sid, self.pid = answer["sid"], answer.get("pid")
                asked = (self.auth or {}).get("pid") if isinstance(self.auth, dict) else None
                self.recovered = self.pid is not None and self.pid == asked
                break
            elif packet.startswith("44"):
                error = json.loads(packet[2:])
                raise ConnectRefused(error.get("message", ""), error.get("data"))
            else:
                raise Unreachable(f"unexpected before CONNECT: {packet[:80]}")
        self._reader = asyncio.create_task(self._read())

    async def _receive_text(self) -> str:
        message = await self._socket.receive()
        if message.type is not aiohttp.WSMsgType.TEXT:
            raise Unreachable(f"closed in the handshake: {message.type.name} {message.data}")
        return message.data

    @property
    def connected(self) -> bool:
        return self.sid is not None and self.close_reason is None

    async def abandon(self):
        """Ends the connection as a closed tab does, and the browser if it was made for it."""
        if self._reader:
            self._reader.cancel()
            # Not `await self._reader`: who is cancelled here himself must hear of it.
            await asyncio.wait([self._reader])
        if self._socket is not None and not self._socket.closed:
            with contextlib.suppress(Exception):
                await asyncio.wait_for(self._socket.close(), 1)
        self._closed("io client disconnect")
        if self._owns_browser:
            await self.browser.close()

    close = abandon

    async def drop(self):
        """Cuts the TCP connection without a WebSocket close, as a lost network does."""
        transport = self._socket._response.connection.transport if self._socket else None
        if transport is not None:
            transport.abort()
        await asyncio.sleep(0)

    def stop_reading(self):
        """From now on what the server sends stays in the network, as with a process that is frozen:
        pings are not seen and their absence is not noticed."""
        self._reader.cancel()
        transport = self._socket._response.connection.transport
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
        transport.pause_reading()

    def read_again(self):
        self._socket._response.connection.transport.resume_reading()
        self._reader = asyncio.create_task(self._read())

    def _closed(self, reason: str):
        if self.close_reason is not None:
            return
        self.close_reason = reason
        self.closed_at = time.monotonic()
        self.close_code = self._socket.close_code if self._socket is not None else None
        for future in self._acks.values():
            if not future.done():
                future.set_exception(ConnectionError(f"{reason} before the ack"))
                future.exception()
        self._acks.clear()
        self._wake()
        if self.on_close:
            self.on_close(reason)

    # --- receiving -----------------------------------------------------------------------------

    async def _read(self):
        reason = "transport close"
        told = (self.open_packet["pingInterval"] + self.open_packet["pingTimeout"]) / 1000
        patience = self.patience or told
        last_ping = time.monotonic()
        while self.close_reason is None:
            try:
                async with asyncio.timeout(max(0.01, last_ping + patience - time.monotonic())):
                    message = await self._socket.receive()
            except TimeoutError:
                reason = "ping timeout"
                break
            if message.type is aiohttp.WSMsgType.TEXT:
                packet = message.data
                if packet == "2":
                    last_ping = time.monotonic()
                    self.pings += 1
                    if self.answers_pings:
                        with contextlib.suppress(Exception):
                            await self._socket.send_str("3")
                elif packet.startswith("4"):
                    if packet.startswith("41"):
                        reason = "io server disconnect"
                        break
                    self._packet(packet[1:])
                elif packet == "1":
                    break
            elif message.type is aiohttp.WSMsgType.BINARY:
                self._attachment(message.data)
            elif message.type is aiohttp.WSMsgType.ERROR:
                reason = "transport error"
                break
            else:
                break
        self._closed(reason)
        if reason != "transport close":
            with contextlib.suppress(Exception):
                await asyncio.wait_for(self._socket.close(), 1)

    def _packet(self, packet: str):
        kind, rest = packet[0], packet[1:]
        attachments = 0
        if kind in "56":
            count, rest = rest.split("-", 1)
            attachments = int(count)
        digits = len(rest) - len(rest.lstrip("0123456789"))
        number, body = rest[:digits], rest[digits:]
        value = json.loads(body) if body else []
        if attachments:
            self._half_event = (kind, number, value, attachments, [])
        else:
            self._complete(kind, number, value)

    def _attachment(self, data: bytes):
        kind, number, value, count, parts = self._half_event
        parts.append(data)
        if len(parts) == count:
            self._half_event = None
            self._complete(kind, number, _with_attachments(value, parts))

    def _complete(self, kind: str, number: str, value: list):
        if kind in "25":
            event = Event(time.monotonic(), value[0], value[1:])
            if self.pid and not number and isinstance(value[-1], str):
                self.offset = value[-1]
            self.events.append(event)
            if self.on_event:
                self.on_event(event)
            self._wake()
        elif kind in "36":
            future = self._acks.pop(int(number), None)
            if future and not future.done():
                future.set_result(value)

    # --- sending --------------------------------------------------------------------------------

    async def send_text(self, text: str):
        """A text frame as it is."""
        await self._socket.send_str(text)

    async def send_bytes(self, data: bytes):
        await self._socket.send_bytes(data)

    async def emit(self, name: str, *args):
        await self.send_text("42" + to_json([name, *args]))

    async def emit_with_ack(self, name: str, *args, timeout: float = 10.0):
        """The first argument of the ack callback."""
        answer = await asyncio.wait_for(await self.start_ack(name, *args), timeout)
        return answer[0] if answer else None

    async def start_ack(self, name: str, *args) -> asyncio.Future:
        number = self._next_ack
        self._next_ack += 1
        future = asyncio.get_running_loop().create_future()
        self._acks[number] = future
        await self.send_text(f"42{number}" + to_json([name, *args]))
        return future

    # --- looking at what came ---------------------------------------------------------------------

    def mark(self) -> int:
        """A place in `events`, to be given as `after`."""
        return len(self.events)

    def named(self, *names: str, after: int = 0) -> list[Event]:
        return [event for event in self.events[after:] if event.name in names]

    def last(self, name: str):
        """The first argument of the newest event of this name, None before the first."""
        found = self.named(name)
        return found[-1].arg if found else None

    async def wait(self, *names: str, where=None, after: int = 0, timeout: float = 10.0) -> Event:
        """The first event of these names, already received or to come, that `where` accepts."""

        def found():
            for event in self.events[after:]:
                if event.name in names and (where is None or where(event.arg)):
                    return event
            if self.close_reason is not None:
                raise ConnectionError(f"closed ({self.close_reason}) while waiting for {names}")
            return None

        return await self._until(found, timeout, names)

    async def request(
        self, name: str, *args, replies: tuple, timeout: float = 10.0, where=None
    ) -> Event:
        """Sends, and gives the first of the replies that comes after."""
        after = self.mark()
        await self.emit(name, *args)
        return await self.wait(*replies, after=after, timeout=timeout, where=where)

    async def wait_closed(self, timeout: float = 10.0) -> str:
        return await self._until(lambda: self.close_reason, timeout, "the close")

    async def silence(self, *names: str, after: int, seconds: float = 0.5):
        """Asserts that none of these events comes for a while."""
        await asyncio.sleep(seconds)
        heard = self.named(*names, after=after)
        assert not heard, f"unexpected {heard[:3]}"

    async def _until(self, condition, timeout: float, what):
        answer = condition()
        if answer:
            return answer
        waiter = Waiter(condition)
        self._waiters.append(waiter)
        try:
            return await asyncio.wait_for(waiter.future, timeout)
        except TimeoutError:
            tail = [repr(event)[:120] for event in self.events[-6:]]
            raise AssertionError(f"not within {timeout} s: {what}; last events: {tail}") from None
        finally:
            self._waiters.remove(waiter)

    def _wake(self):
        for waiter in self._waiters:
            if waiter.future.done():
                continue
            try:
                answer = waiter.condition()
            except Exception as problem:
                waiter.future.set_exception(problem)
                continue
            if answer:
                waiter.future.set_result(answer)


def to_json(value) -> str:
    """As a browser writes it: compact, characters beyond ASCII as they are."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def _with_attachments(value, parts: list[bytes]):
    if isinstance(value, dict):
        if value.get("_placeholder"):
            return parts[value["num"]]
        return {key: _with_attachments(inner, parts) for key, inner in value.items()}
    if isinstance(value, list):
        return [_with_attachments(inner, parts) for inner in value]
    return value
