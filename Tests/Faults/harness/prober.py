"""Asks an instance all the time whether it is ready, and holds it to its word."""

import asyncio
import time
from dataclasses import dataclass

from support import http
from support.wire import Unreachable, WireSocket

PAUSE = 0.05
SLOWEST = 2.0


@dataclass
class Answer:
    asked_at: float
    answered_at: float
    status: int  # 0: nobody answered


class Prober:
    """Keeps the answers to one question."""

    def __init__(self, url: str):
        self.url = url
        self.answers: list[Answer] = []
        self._task: asyncio.Task | None = None

    def start(self) -> "Prober":
        self._task = asyncio.create_task(self._run())
        return self

    async def stop(self):
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self):
        while True:
            asked_at = time.monotonic()
            status = await http.status_of(self.url, SLOWEST)
            self.answers.append(Answer(asked_at, time.monotonic(), status))
            await asyncio.sleep(PAUSE)

    def between(self, start: float, end: float) -> list[Answer]:
        """Questions asked and answered in that time."""
        return [one for one in self.answers if one.asked_at >= start and one.answered_at <= end]


class Doorkeeper:
    """Connects whenever an instance says that it is ready: who is ready must let clients in."""

    def __init__(self, url: str):
        self.url = url
        self.lies: list[str] = []
        self.tried = 0
        self._task: asyncio.Task | None = None

    def start(self) -> "Doorkeeper":
        self._task = asyncio.create_task(self._run())
        return self

    async def stop(self):
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _ready(self) -> bool:
        return await http.status_of(self.url + "/api/ready", SLOWEST) == 200

    async def _run(self):
        while True:
            if await self._ready():
                self.tried += 1
                socket = WireSocket(self.url)
                try:
                    await socket.connect(SLOWEST)
                except (Unreachable, OSError) as refusal:
                    # It may have become unready between the two; is it still sure of itself?
                    if await self._ready():
                        self.lies.append(f"ready, and yet {refusal}")
                finally:
                    await socket.close()
            await asyncio.sleep(4 * PAUSE)
