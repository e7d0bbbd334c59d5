"""Programs of the official Node adapter's cluster: the bytes of an emitter, and an ear on the
channels. Written from the documented format, apart from the server's own code."""

import asyncio
import json
import struct

from .waiting import eventually


def pack(value) -> bytes:
    """MessagePack with the shortest head for everything, as the Node library writes it."""
    if value is None:
        return b"\xc0"
    if isinstance(value, bool):
        return b"\xc3" if value else b"\xc2"
    if isinstance(value, int):
        return _pack_int(value)
    if isinstance(value, float):
        return _pack_int(int(value)) if value.is_integer() else b"\xcb" + struct.pack(">d", value)
    if isinstance(value, str):
        text = value.encode()
        return _head(len(text), (31, 0xA0), 0xD9, 0xDA, 0xDB) + text
    if isinstance(value, bytes):
        return _head(len(value), None, 0xC4, 0xC5, 0xC6) + value
    if isinstance(value, (list, tuple)):
        return _head(len(value), (15, 0x90), None, 0xDC, 0xDD) + b"".join(map(pack, value))
    items = b"".join(pack(key) + pack(item) for key, item in value.items())
    return _head(len(value), (15, 0x80), None, 0xDE, 0xDF) + items


def _pack_int(value: int) -> bytes:
    if -32 <= value < 128:
        return struct.pack("b", value) if value < 0 else bytes([value])
    kinds = (
        [(0xCC, ">B", 8), (0xCD, ">H", 16), (0xCE, ">I", 32), (0xCF, ">Q", 64)]
        if value >= 0
        else [(0xD0, ">b", 7), (0xD1, ">h", 15), (0xD2, ">i", 31), (0xD3, ">q", 63)]
    )
    code, form, _ = next(kind for kind in kinds if -(2 ** kind[2]) <= value < 2 ** kind[2])
    return bytes([code]) + struct.pack(form, value)


def _head(count: int, fix: tuple | None, *codes) -> bytes:
    if fix and count <= fix[0]:
        return bytes([fix[1] | count])
    for code, form, bits in zip(codes, (">B", ">H", ">I"), (8, 16, 32)):
        if code is not None and count < 2**bits:
            return bytes([code]) + struct.pack(form, count)
    raise ValueError("too long")


def broadcast(uid: str, event: list, rooms=(), excluded=(), flags=None, namespace="/") -> bytes:
    """In an emitter's order of members: rooms, flags, except."""
    packet = {"type": 2, "data": event, "nsp": namespace}
    options = {"rooms": list(rooms), "flags": flags or {}, "except": list(excluded)}
    return pack([uid, packet, options])


class Outsider:
    """Two connections to Redis: one that publishes, one that hears patterns."""

    def __init__(self, redis):
        self.redis = redis
        self.heard: list[tuple[str, bytes]] = []
        self._speaking = None
        self._hearing = None
        self._task = None

    async def open(self, *patterns: str) -> "Outsider":
        self._speaking = await asyncio.open_connection("127.0.0.1", self.redis.port)
        if patterns:
            self._hearing = await asyncio.open_connection(
                "127.0.0.1", self.redis.port, limit=1 << 24
            )
            await self._send(self._hearing, b"PSUBSCRIBE", *(one.encode() for one in patterns))
            for _ in patterns:
                await self._read(self._hearing[0])
            self._task = asyncio.create_task(self._hear())
        return self

    async def publish(self, channel: str, message: bytes | str) -> int:
        """How many heard it, as Redis counts."""
        data = message.encode() if isinstance(message, str) else message
        await self._send(self._speaking, b"PUBLISH", channel.encode(), data)
        return await self._read(self._speaking[0])

    async def emit(self, *event, rooms=(), excluded=(), flags=None):
        """As `@socket.io/redis-emitter`; one room has a channel of its own."""
        channel = f"socket.io#/#{rooms[0]}#" if len(rooms) == 1 else "socket.io#/#"
        message = broadcast("emitter", list(event), rooms, excluded, flags)
        assert await self.publish(channel, message) > 0, "nobody listens"

    async def request(self, **members):
        """As the adapter of a Node server."""
        text = json.dumps({"uid": "nodeid"} | members, separators=(",", ":"))
        assert await self.publish("socket.io-request#/#", text) > 0, "nobody listens"

    async def ask(self, *parts: str):
        """The reply to any command."""
        await self._send(self._speaking, *(part.encode() for part in parts))
        return await self._read(self._speaking[0])

    async def hears(self, count: int, channel: str = ""):
        """The messages on channels with that beginning, once there are so many."""

        def found():
            return [one for one in self.heard if one[0].startswith(channel)]

        await eventually(lambda: len(found()) >= count, 10, what=f"{count} messages on {channel}*")
        return found()

    async def _hear(self):
        while True:
            kind, _, channel, message = await self._read(self._hearing[0])
            assert kind == b"pmessage"
            self.heard.append((channel.decode(), message))

    async def _send(self, connection, *parts: bytes):
        wire = b"*%d\r\n" % len(parts)
        wire += b"".join(b"$%d\r\n%s\r\n" % (len(part), part) for part in parts)
        connection[1].write(wire)
        await connection[1].drain()

    async def _read(self, reader):
        line = (await reader.readuntil(b"\r\n"))[:-2]
        kind, rest = line[:1], line[1:]
        if kind == b":":
            return int(rest)
        if kind == b"$":
            return (await reader.readexactly(int(rest) + 2))[:-2]
        if kind == b"*":
            return [await self._read(reader) for _ in range(int(rest))]
        raise AssertionError(f"Redis says {line!r}")

    async def close(self):
        if self._task:
            self._task.cancel()
        for connection in (self._speaking, self._hearing):
            if connection:
                connection[1].close()
