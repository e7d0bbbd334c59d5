"""A TCP relay in a process of its own that delays, or passes one direction only, by command.

As a program: python -m harness.tcp_proxy LISTEN_PORT TARGET_PORT; commands come on stdin:
`delay SECONDS`, `requests off`, `replies off`, `heal`.
"""

import asyncio
import subprocess
import sys
import time
from pathlib import Path

from support.ports import free_port
from support.waiting import eventually


class FaultyProxy:
    """Between one instance and Redis, where the network itself cannot be made to fail."""

    def __init__(self, folder: Path, target_port: int):
        self.port = free_port()
        self.target_port = target_port
        self.log = folder / "faulty-proxy.log"
        self.child: subprocess.Popen | None = None

    async def start(self):
        here = Path(__file__).resolve().parents[1]
        with open(self.log, "ab") as log:
            self.child = subprocess.Popen(
                [sys.executable, "-m", "harness.tcp_proxy", str(self.port), str(self.target_port)],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                cwd=here,
                env={"PYTHONPATH": f"{here}:{here.parent / 'Integration'}"},
            )

        async def listens():
            assert self.child.poll() is None, self.log.read_text()
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", self.port)
            except OSError:
                return False
            writer.close()
            return True

        await eventually(listens, 10, what="the proxy listens")

    def tell(self, command: str):
        self.child.stdin.write(command.encode() + b"\n")
        self.child.stdin.flush()

    def stop(self):
        if self.child and self.child.poll() is None:
            self.child.stdin.close()  # its end
            self.child.wait(5)


class Relay:
    def __init__(self, target_port: int):
        self.target_port = target_port
        self.delay = 0.0
        self.passes = {"requests": True, "replies": True}

    def obey(self, line: str):
        word, *more = line.split()
        if word == "delay":
            self.delay = float(more[0])
        elif word == "heal":
            self.delay, self.passes = 0.0, dict.fromkeys(self.passes, True)
        else:
            self.passes[word] = more[0] == "on"

    async def serve(self, reader, writer):
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.target_port)
        except OSError:
            writer.close()
            return
        await asyncio.gather(
            self.pump(reader, far_writer, "requests"), self.pump(far_reader, writer, "replies")
        )

    async def pump(self, source, sink, direction: str):
        """What is held back is passed on after the healing, as a network's retransmission does."""
        waiting: asyncio.Queue = asyncio.Queue()

        async def pass_on():
            while (item := await waiting.get()) is not None:
                due, data = item
                await asyncio.sleep(max(0, due - time.monotonic()))
                while not self.passes[direction]:
                    await asyncio.sleep(0.02)
                sink.write(data)
                await sink.drain()

        task = asyncio.create_task(pass_on())
        try:
            while data := await source.read(65_536):
                waiting.put_nowait((time.monotonic() + self.delay, data))
            waiting.put_nowait(None)
            await task
        except OSError:
            pass
        finally:
            task.cancel()
            sink.close()


async def main(listen_port: int, target_port: int):
    relay = Relay(target_port)
    await asyncio.start_server(relay.serve, "127.0.0.1", listen_port)
    commands = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(commands), sys.stdin
    )
    while line := (await commands.readline()).decode():
        relay.obey(line)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), int(sys.argv[2])))
