"""A TCP line in a process of its own, between one instance and Redis or between clients and an
instance, that a test makes slow, deaf or dead while it is in use.

As a program: python -m support.line LISTEN_PORT TARGET_PORT CONTROL_PORT
"""

import asyncio
import sys
from pathlib import Path

from .ports import free_port
from .processes import Process
from .waiting import eventually


class Line(Process):
    """Killed, it refuses; frozen, it swallows; started again, it heals. What else befalls it is a
    word to it."""

    def __init__(self, folder: Path, target_port: int, name: str = "line"):
        super().__init__(name, folder)
        self.port, self.control = free_port(), free_port()
        self.target_port = target_port

    async def start(self):
        command = [sys.executable, "-m", "support.line"]
        command += [self.port, self.target_port, self.control]
        self.spawn(command, cwd=Path(__file__).resolve().parents[1])
        await eventually(self._listens, 10, what="the line listens")

    async def _listens(self) -> bool:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", self.port)
        except OSError:
            return False
        writer.close()
        return True

    async def _say(self, text: str):
        reader, writer = await asyncio.open_connection("127.0.0.1", self.control)
        writer.write(text.encode() + b"\n")
        assert await reader.readline() == b"done\n"
        writer.close()

    async def delay(self, seconds: float):
        """Each way, from now on."""
        await self._say(f"delay {seconds}")

    async def lose_replies(self):
        """Requests arrive; what is answered does not."""
        await self._say("lose-replies")

    async def hold(self, requests: bool = True, replies: bool = True):
        """What is sent that way waits until the line is well, as where packets vanish and are sent
        again."""
        ways = [way for way, is_held in (("requests", requests), ("replies", replies)) if is_held]
        await self._say(f"hold {' '.join(ways)}")

    async def cut(self):
        """Every connection ends, and new ones end at once."""
        await self._say("cut")

    async def heal(self):
        await self._say("heal")


class Relay:
    """The state of the line, and its connections."""

    def __init__(self, target_port: int):
        self.target_port = target_port
        self.seconds = 0.0
        self.loses_replies = False
        self.held: set[str] = set()
        self.is_cut = False
        # Connections of which something was lost: they end when the line is well again.
        self.torn: set[asyncio.StreamWriter] = set()
        self.open: set[asyncio.StreamWriter] = set()

    async def serve(self, reader, writer):
        if self.is_cut:
            return writer.close()
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.target_port)
        except OSError:
            return writer.close()
        self.open |= {writer, far_writer}
        await asyncio.gather(
            self.pump(reader, far_writer, "requests"), self.pump(far_reader, writer, "replies")
        )
        self.open -= {writer, far_writer}
        self.torn.discard(writer)

    async def pump(self, source, sink, way: str):
        queue: asyncio.Queue = asyncio.Queue()
        deliverer = asyncio.create_task(self.deliver(queue, sink, way))
        try:
            while data := await source.read(65_536):
                if way == "replies" and self.loses_replies:
                    self.torn.add(sink)
                else:
                    queue.put_nowait((asyncio.get_running_loop().time() + self.seconds, data))
        except OSError:
            pass
        queue.put_nowait((0, b""))
        await deliverer

    async def deliver(self, queue, sink, way: str):
        try:
            while True:
                due, data = await queue.get()
                if not data:
                    break
                wait = due - asyncio.get_running_loop().time()
                if wait > 0:
                    await asyncio.sleep(wait)
                while way in self.held:
                    await asyncio.sleep(0.02)
                sink.write(data)
                await sink.drain()
        except OSError:
            pass
        finally:
            sink.close()

    async def obey(self, reader, writer):
        word, _, rest = (await reader.readline()).decode().strip().partition(" ")
        if word == "delay":
            self.seconds = float(rest)
        elif word == "hold":
            self.held = set(rest.split())
        elif word == "lose-replies":
            self.loses_replies = True
        elif word == "cut":
            self.is_cut = True
            for one in list(self.open):
                one.close()
        elif word == "heal":
            self.loses_replies = self.is_cut = False
            self.seconds = 0.0
            self.held.clear()
            for one in list(self.torn):
                one.close()
        writer.write(b"done\n")
        await writer.drain()
        writer.close()


async def run(listen_port: int, target_port: int, control_port: int):
    relay = Relay(target_port)
    await asyncio.start_server(relay.obey, "127.0.0.1", control_port)
    server = await asyncio.start_server(relay.serve, "127.0.0.1", listen_port)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(run(*map(int, sys.argv[1:])))
