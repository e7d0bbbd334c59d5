"""python-socketio's own client, on the transports that it offers."""

import asyncio
import time

import aiohttp
import socketio

from .wire import Event

TRANSPORTS = {
    "websocket": ["websocket"],
    "polling": ["polling"],
    "upgrade": ["polling", "websocket"],
}


class Hearing:
    """Keeps what a client receives, to be waited for."""

    def __init__(self):
        self.events: list[Event] = []
        self._changed = asyncio.Condition()

    async def heard(self, event: Event):
        self.events.append(event)
        async with self._changed:
            self._changed.notify_all()

    async def request(self, name: str, *args, replies: tuple, timeout: float = 10) -> Event:
        after = len(self.events)
        await self.emit(name, *args)
        return await self.wait(*replies, after=after, timeout=timeout)

    async def wait(self, *names, where=None, after: int = 0, timeout: float = 10) -> Event:
        def found():
            for event in self.events[after:]:
                if event.name in names and (where is None or where(event.arg)):
                    return event
            return None

        try:
            async with asyncio.timeout(timeout), self._changed:
                await self._changed.wait_for(found)
        except TimeoutError:
            names_heard = [event.name for event in self.events[-8:]]
            raise AssertionError(f"not within {timeout} s: {names}; last: {names_heard}") from None
        return found()


class StockClient(Hearing):
    """An AsyncClient that keeps what it receives. `transport`: a key of TRANSPORTS."""

    def __init__(self, transport: str = "websocket", reconnection: bool = False):
        super().__init__()
        self.transport = transport
        self.http = aiohttp.ClientSession(
            cookie_jar=aiohttp.CookieJar(unsafe=True), connector=aiohttp.TCPConnector(limit=0)
        )
        self.io = socketio.AsyncClient(
            reconnection=reconnection,
            reconnection_delay=0.1,
            reconnection_delay_max=0.5,
            http_session=self.http,
            websocket_extra_options={"max_msg_size": 0},
        )
        self.disconnects: list[tuple[float, str]] = []
        self.io.on("*", self._received)
        self.io.on("disconnect", self._disconnected)

    async def connect(self, url: str, room: str | None = None, auth=None) -> "StockClient":
        address = f"{url}?roomId={room}" if room else url
        await self.io.connect(
            address, transports=TRANSPORTS[self.transport], auth=auth, wait_timeout=8
        )
        return self

    async def _received(self, name, *args):
        await self.heard(Event(time.monotonic(), name, list(args)))

    async def _disconnected(self, reason):
        self.disconnects.append((time.monotonic(), reason))

    @property
    def current_transport(self) -> str:
        return self.io.transport()

    @property
    def sid(self) -> str:
        return self.io.get_sid()

    async def emit(self, name: str, *args):
        await self.io.emit(name, tuple(args) if len(args) != 1 else args[0])

    async def call(self, name: str, *args, timeout: float = 10):
        """The answer of the ack callback."""
        return await self.io.call(name, tuple(args) if len(args) != 1 else args[0], timeout=timeout)

    async def close(self):
        try:
            await asyncio.wait_for(self.io.disconnect(), 5)
        finally:
            await self.http.close()
