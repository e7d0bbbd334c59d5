"""The servers that are compared, each alone on one core; the tool, and Redis, have the other."""

import asyncio
import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

from support.ports import free_port
from support.processes import Cluster, Process

BENCHMARKS = Path(__file__).resolve().parents[1]
SERVER_CORE, TOOL_CORE = "0", "1"
READY_SECONDS = 60

# A yardstick is asked in its own words, which any Socket.IO server could be.
GENERIC = [
    "--join", '["join","{room}"]', "--joined", "joined",
    "--leave", '["leave","{room}"]', "--left", "left",
    "--emit", '["message","{room}","{payload}"]', "--receive", "message",
]  # fmt: skip

# One loop, as one core has; every limit that is there against too much is out of the way.
LIFTED = {
    "EVENT_LOOPS": "1",
    "LOG_LEVEL": "error",
    "MAX_CONNECTIONS": "1000000",
    "MAX_CONNECTIONS_PER_ADDRESS": "1000000",
    "MAX_CONNECTS_PER_SECOND": "100000",
    "MAX_EVENTS_PER_SECOND": "100000",
    "MAX_EVENTS_PER_SECOND_PER_ADDRESS": "10000000",
    "MAX_ROOMS": "10000000",
    "MAX_ROOMS_PER_MINUTE": "100000",
    "MAX_ROOM_MEMBERS": "20000",
    "PING_INTERVAL": "25000",
    "PING_TIMEOUT": "20000",
    "DRAIN_DELAY": "0",
    "DRAIN_WINDOW": "0",
}


def on_core(core: str) -> tuple:
    """The words before a command that keep it on a core, where there is more than one."""
    if shutil.which("taskset") and len(os.sched_getaffinity(0)) > 1:
        return ("taskset", "-c", core)
    return ()


def compile_floor(folder: Path) -> Path:
    """The yardstick, built from its one file."""
    program = folder / "floor"
    compiler = os.environ.get("CC", "cc")
    source = BENCHMARKS / "Floor" / "floor.c"
    command = [compiler, "-O2", "-Wall", "-Wextra", "-std=gnu17", "-o", program, source, "-lcrypto"]
    subprocess.run(command, check=True)
    return program


class Server:
    """Something that serves while it is entered."""

    name = ""
    generic: list[str] = GENERIC

    def __enter__(self) -> "Server":
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_):
        self.stop()

    @property
    def processes(self) -> list[Process]:
        """Those whose CPU counts."""
        raise NotImplementedError

    @property
    def urls(self) -> list[str]:
        raise NotImplementedError

    @property
    def redis_pid(self) -> int | None:
        return None


class Plain(Server):
    """One program that is given its port."""

    def __init__(self, folder: Path, command: list):
        self.port = free_port()
        self.process = Process(f"{self.name}-{self.port}", folder)
        self.process.wrapper = on_core(SERVER_CORE)
        self.command = command

    def start(self):
        self.process.spawn([*self.command, self.port])
        end = time.monotonic() + READY_SECONDS
        while not self._answers():
            assert self.process.running, f"{self.name} ended:\n{self.process.log_text()}"
            assert time.monotonic() < end, f"{self.name} does not answer"
            time.sleep(0.02)

    def _answers(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=5).close()
            return True
        except OSError:
            return False

    def stop(self):
        self.process.stop()

    @property
    def processes(self) -> list[Process]:
        return [self.process]

    @property
    def urls(self) -> list[str]:
        return [f"http://127.0.0.1:{self.port}"]


class Floor(Plain):
    name = "floor"

    def __init__(self, folder: Path):
        program = folder / "floor"
        super().__init__(folder, [program if program.exists() else compile_floor(folder)])


class Peer(Plain):
    """python-socketio on uvicorn, under the Python that `BENCH_PEER_PYTHON` names."""

    name = "python-socketio"

    def __init__(self, folder: Path):
        python = os.environ.get("BENCH_PEER_PYTHON", sys.executable)
        super().__init__(folder, [python, BENCHMARKS / "peers" / "python_socketio_server.py"])


class Embedded(Server):
    """One instance in memory."""

    name = "embedded"
    generic: list[str] = []
    instances, redis = 1, False

    def __init__(self, folder: Path, **env):
        self.folder = folder / f"{self.name}-{free_port()}"
        self.cluster = Cluster(
            self.folder, instances=self.instances, redis=self.redis, env=LIFTED | env
        )
        for one in self.cluster.instances:
            one.wrapper = on_core(SERVER_CORE)
        if self.cluster.redis:
            self.cluster.redis.wrapper = on_core(TOOL_CORE)

    def start(self):
        asyncio.run(self.cluster.start())

    def stop(self):
        self.cluster.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def processes(self) -> list[Process]:
        return self.cluster.instances

    @property
    def urls(self) -> list[str]:
        return [one.url for one in self.cluster.instances]

    @property
    def redis_pid(self) -> int | None:
        return self.cluster.redis.pid if self.cluster.redis else None


class Durable(Embedded):
    """One instance with Redis, which writes each commit to disk before it answers."""

    name = "durable"
    redis = True


class Pair(Embedded):
    """Two instances with the same Redis, both on the one core."""

    name = "pair"
    instances, redis = 2, True
