"""A TCP line that a test makes slow, deaf or dead while it is in use.

As a program: python -m support.line LISTEN_PORT TARGET_PORT CONTROL_PORT
"""

import asyncio
import sys
from pathlib import Path

from .ports import free_port
from .proxy import Proxy
from .waiting import eventually


class Line(Proxy):
    """Beside what a proxy does: delays what passes, or lets requests pass and no replies."""

    def __init__(self, folder: Path, target_port: int, name: str = "line"):
        super().__init__(folder, target_port, name)
        self.control = free_port()

    async def start(self):
        command = [sys.executable, "-m", "support.line"]
        command += [self.port, self.target_port, self.control]
        self.spawn(command, cwd=Path(__file__).resolve().parents[1])
        await eventually(self._listens, 10, what="the line listens")

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
            self.pump(reader, far_writer, False), self.pump(far_reader, writer, True)
        )
        self.open -= {writer, far_writer}
        self.torn.discard(writer)

    async def pump(self, source, sink, carries_replies: bool):
        queue: asyncio.Queue = asyncio.Queue()
        deliverer = asyncio.create_task(self.deliver(queue, sink))
        try:
            while data := await source.read(65_536):
                if carries_replies and self.loses_replies:
                    self.torn.add(sink)
                else:
                    queue.put_nowait((asyncio.get_running_loop().time() + self.seconds, data))
        except OSError:
            pass
        queue.put_nowait((0, b""))
        await deliverer

    async def deliver(self, queue, sink):
        try:
            while True:
                due, data = await queue.get()
                if not data:
                    break
                wait = due - asyncio.get_running_loop().time()
                if wait > 0:
                    await asyncio.sleep(wait)
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
        elif word == "lose-replies":
            self.loses_replies = True
        elif word == "cut":
            self.is_cut = True
            for one in list(self.open):
                one.close()
        elif word == "heal":
            self.loses_replies = self.is_cut = False
            self.seconds = 0.0
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
