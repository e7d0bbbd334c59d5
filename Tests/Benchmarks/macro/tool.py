"""The load tool, `tandem bench`, on its own core."""

import json
import resource
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from support.processes import tandem_binary

from .servers import TOOL_CORE, Server, on_core

# Everybody who joins a room is told to all that are in it: a room of 5,000 takes a while to fill.
GRACE_SECONDS = 900


class Failed(Exception):
    """The tool could not do it, or found a delivery wrong."""


def resident_bytes(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * resource.getpagesize()


@dataclass
class Sample:
    """What one run of the tool said."""

    said: dict
    redis_pid: int | None = None

    def __getitem__(self, name: str):
        return self.said[name]

    def _cpu_seconds(self, of_redis: bool) -> float:
        servers = self.said["servers"]
        return sum(
            one["cpu_seconds"] for one in servers if (one["pid"] == self.redis_pid) == of_redis
        )

    @property
    def cpu_seconds(self) -> float:
        """Of the servers in the measured window, without Redis."""
        return self._cpu_seconds(False)

    @property
    def redis_cpu_seconds(self) -> float:
        return self._cpu_seconds(True)

    def per_cpu_second(self, counted: str) -> float:
        if not self.said[counted] or not self.cpu_seconds:
            raise Failed(f"no {counted} within {self.said['seconds']} s")
        return self.said[counted] / self.cpu_seconds

    @property
    def limited_by_tool(self) -> bool:
        return bool(self.said["tool"]["is_bottleneck"])


def run(scenario: str, server: Server, **options) -> Sample:
    """One run; an option `in_flight=4` is given as `--in-flight 4`."""
    with tempfile.NamedTemporaryFile(suffix=".json") as file:
        command = [*on_core(TOOL_CORE), tandem_binary(), "bench", scenario, "--json", file.name]
        for url in server.urls:
            command += ["--url", url]
        for process in server.processes:
            command += ["--pid", process.pid]
        for name, value in options.items():
            if value is not None:
                command += [f"--{name.replace('_', '-')}", value]
        command += server.generic
        if server.redis_pid:
            command += ["--pid", server.redis_pid]
        seconds = float(options.get("duration", 0)) + float(options.get("warmup", 0))
        done = subprocess.run(
            [str(part) for part in command],
            capture_output=True,
            text=True,
            timeout=seconds + GRACE_SECONDS,
        )
        if done.returncode != 0:
            words = (done.stderr.strip() or done.stdout.strip())[-600:]
            raise Failed(f"{scenario} on {server.name}: exit code {done.returncode}: {words}")
        return Sample(json.loads(Path(file.name).read_text()), server.redis_pid)
