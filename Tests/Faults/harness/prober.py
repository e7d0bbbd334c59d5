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


class Asker:
    """Asks again and again until stopped."""

    pause = PAUSE

    def __init__(self, url: str):
        self.url = url
        self._task: asyncio.Task | None = None
        self._is_stopped = False

    def start(self):
        self._task = asyncio.create_task(self._run())
        return self

    async def stop(self):
        """Ends with the question under way: a cancellation may get lost in it."""
        self._is_stopped = True
        await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self):
        while not self._is_stopped:
            await self._ask()
            await asyncio.sleep(self.pause)


class Prober(Asker):
    """Keeps the answers to one question."""

    def __init__(self, url: str):
        super().__init__(url)
        self.answers: list[Answer] = []

    async def _ask(self):
        asked_at = time.monotonic()
        status = await http.status_of(self.url, SLOWEST)
        self.answers.append(Answer(asked_at, time.monotonic(), status))

    def between(self, start: float, end: float) -> list[Answer]:
        """Questions asked and answered in that time."""
        return [one for one in self.answers if one.asked_at >= start and one.answered_at <= end]


class Doorkeeper(Asker):
    """Connects whenever an instance says that it is ready: who is ready must let clients in."""

    pause = 4 * PAUSE

    def __init__(self, url: str):
        super().__init__(url)
        self.lies: list[str] = []
        self.tried = 0

    async def _ready(self) -> bool:
        return await http.status_of(self.url + "/api/ready", SLOWEST) == 200

    async def _ask(self):
        if not await self._ready():
            return
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
