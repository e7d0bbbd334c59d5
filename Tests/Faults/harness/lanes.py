"""Several experiments at a time, each in a process of its own: most of an experiment is waiting."""

import dataclasses
import json
import os
import subprocess
import sys
import tempfile
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from support.ports import port_range

from .catalogue import PROMISES, failed
from .result import Result

HERE = Path(__file__).resolve().parents[1]
# Seconds at small size, measured: the longest begin first. Others count as short.
LONG = {"P2": 30, "P3": 30, "P5": 30, "P12": 25, "P13": 25, "P10": 22, "P7": 22, "P4": 20, "P6": 15}


def save(results: list[Result], file: Path):
    file.write_text(json.dumps([dataclasses.asdict(one) for one in results]))


def load(file: Path) -> list[Result]:
    return [Result(**one) for one in json.loads(file.read_text())]


class Lanes:
    """`results(promise)` waits for that promise's rows. An experiment that takes longer than
    `limit` seconds is ended, and broken. Progress is shown to a terminal, or where asked for."""

    def __init__(
        self, wanted: list[str], arguments: list[str], jobs: int, limit: float, progress=False
    ):
        self._arguments, self._limit = arguments, limit
        self._shows_progress = progress or sys.stderr.isatty()
        self._pool = ThreadPoolExecutor(max_workers=jobs)
        order = sorted(wanted, key=lambda name: -LONG.get(name, 0)) if jobs > 1 else wanted
        self._rows: dict[str, Future] = {
            name: self._pool.submit(self._run, name) for name in order
        }

    def results(self, promise: str) -> list[Result]:
        return self._rows[promise].result()

    def stop(self):
        self._pool.shutdown(cancel_futures=True)

    def _run(self, promise: str) -> list[Result]:
        # A slice of the ports for each: what one has not bound yet is not the other's.
        low, high = port_range()
        width = (high - low + 1) // len(PROMISES)
        first = low + width * list(PROMISES).index(promise)
        env = os.environ | {"TANDEM_TEST_PORTS": f"{first}-{first + width - 1}"}
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "results.json"
            command = [sys.executable, HERE / "chaos.py", promise, *self._arguments]
            try:
                done = subprocess.run(
                    [*command, "--save", file],
                    env=env,
                    stdout=subprocess.PIPE,
                    stderr=None if self._shows_progress else subprocess.PIPE,
                    text=True,
                    timeout=self._limit,
                )
            except subprocess.TimeoutExpired as slow:
                return [failed(promise, f"not done after {self._limit} s", str(slow.stderr))]
            if not file.exists():
                return [failed(promise, f"exit code {done.returncode}", done.stderr or "")]
            return load(file)
