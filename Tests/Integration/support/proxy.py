"""A TCP relay in a process of its own, to cut one instance off from Redis and not the others.

As a program: python -m support.proxy LISTEN_PORT TARGET_PORT
"""

import asyncio
import sys
from pathlib import Path

from .ports import free_port
from .processes import Process
from .waiting import eventually


class Proxy(Process):
    """Killed, it refuses; frozen, it swallows; started again, it heals."""

    def __init__(self, folder: Path, target_port: int, name: str = "proxy"):
        super().__init__(name, folder)
        self.port = free_port()
        self.target_port = target_port

    async def start(self):
        command = [sys.executable, "-m", "support.proxy", self.port, self.target_port]
        self.spawn(command, cwd=Path(__file__).resolve().parents[1])
        await eventually(self._listens, 10, what="the proxy listens")

    async def _listens(self) -> bool:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", self.port)
        except OSError:
            return False
        writer.close()
        return True


async def relay(listen_port: int, target_port: int):
    async def serve(reader, writer):
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", target_port)
        except OSError:
            writer.close()
            return
        await asyncio.gather(pump(reader, far_writer), pump(far_reader, writer))

    async def pump(source, sink):
        try:
            while data := await source.read(65_536):
                sink.write(data)
                await sink.drain()
        except OSError:
            pass
        finally:
            sink.close()

    server = await asyncio.start_server(serve, "127.0.0.1", listen_port)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(relay(int(sys.argv[1]), int(sys.argv[2])))
