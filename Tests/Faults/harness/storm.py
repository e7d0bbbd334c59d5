"""Clients that return all at once: `kill -9` of the instance of all, who come to another in 2 s."""

import asyncio
import gc
import random
import re
import time

import aiohttp
from support.redis_watch import Monitor
from support.rooms import RoomClient
from support.scenes import box, creation_editor
from support.wire import ConnectRefused, Unreachable

from .result import Result
from .stage import Stage, new_room

WITHIN = 2.0  # seconds
AT_ONCE = 50  # while they come for the first time
RETRY = 0.1
OF_ITS_ROOM = 60  # seconds for an answer before the kill, when nothing is measured
# All come from one address here.
ENVIRONMENT = {
    "MAX_CONNECTS_PER_SECOND": "5000",
    "MAX_CONNECTIONS_PER_ADDRESS": "20000",
    "LOG_LEVEL": "warning",
}


class Storm:
    def __init__(self, stage: Stage, clients: int, rooms: int, browser: aiohttp.ClientSession):
        self.home, self.refuge = stage.instances
        self.redis = stage.cluster.redis
        self.browser = browser
        self.rooms = [new_room("storm") for _ in range(rooms)]
        self.count = clients
        self.authors: list[RoomClient] = []
        self.members: list[RoomClient] = []

    def room_of(self, number: int) -> str:
        return self.rooms[number % len(self.rooms)]

    async def _opened(self, url: str, auth=None) -> RoomClient:
        while True:
            client = RoomClient(url, query={"recovery": "1"}, auth=auth, browser=self.browser)
            try:
                return await client.connect(30)
            except (Unreachable, ConnectRefused):
                await asyncio.sleep(RETRY)

    async def gather(self):
        """Authors on the instance that stays, everybody else on the one that will die."""
        for room in self.rooms:
            author = await self._opened(self.refuge.url)
            await author.create(room, "Author", editor=creation_editor(box("A")))
            self.authors.append(author)
        for start in range(0, self.count, AT_ONCE):
            numbers = range(start, min(start + AT_ONCE, self.count))
            some = await asyncio.gather(*(self._opened(self.home.url) for _ in numbers))
            await asyncio.gather(
                *(
                    one.join(self.room_of(number), f"M{number}", timeout=OF_ITS_ROOM)
                    for number, one in zip(numbers, some)
                )
            )
            self.members += some
        await self.edit("before")
        for number, member in enumerate(self.members):
            await member.wait("receive-editor-object-update", timeout=OF_ITS_ROOM)
            assert member.offset, f"M{number} has no place to resume from"

    async def edit(self, name: str) -> dict[str, str]:
        """One edit in each room: the object's id by the room."""
        return {
            room: (await author.add(room, name))["uuid"]
            for room, author in zip(self.rooms, self.authors)
        }

    async def back(self, number: int, missed: dict[str, str]) -> tuple[float, str | None]:
        """Seconds that this member waited, and what is wrong."""
        await asyncio.sleep(random.random() * WITHIN)
        earlier = self.members[number]
        asked_at = time.monotonic()
        auth = {"pid": earlier.pid, "offset": earlier.offset}
        client = await self._opened(self.refuge.url, auth)
        if not client.recovered or client.sid != earlier.sid:
            return time.monotonic() - asked_at, f"M{number} came back as new"
        await client.wait("users-list", timeout=20)
        waited = time.monotonic() - asked_at
        shown = [one.arg["objectUuid"] for one in client.named("receive-editor-object-update")]
        wanted = [missed[self.room_of(number)]]
        return waited, None if shown == wanted else f"M{number} was shown {shown}, not {wanted}"

    async def break_out(self, waited: Result, asked: Result, wrong: Result):
        self.home.kill()
        await asyncio.gather(*(one.wait_closed(30) for one in self.members))
        missed = await self.edit("missed")
        monitor = Monitor(self.redis.port)
        try:
            found = await asyncio.gather(*(self.back(n, missed) for n in range(self.count)))
        finally:
            monitor.close()
        problems = [problem for _, problem in found if problem]
        waited.measured(*(seconds for seconds, _ in found))
        asked.measured(self._commands(monitor) / self.count)
        wrong.measured(len(problems))
        for problem in problems[:3]:
            wrong.broken(problem)

    def _commands(self, monitor: Monitor) -> int:
        """Commands that Redis was sent about these rooms, without those of its own scripts."""
        lines = monitor.heard.decode(errors="replace").splitlines()
        found = sum(" lua]" not in one and bool(re.search(r"storm-\d", one)) for one in lines)
        assert found, "nothing was heard of Redis"
        return found


async def storm_once(clients: int, rooms: int, waited: Result, asked: Result, wrong: Result):
    async with Stage(instances=2, env=ENVIRONMENT) as stage:
        browser = aiohttp.ClientSession(
            cookie_jar=aiohttp.DummyCookieJar(), connector=aiohttp.TCPConnector(limit=0)
        )
        try:
            storm = Storm(stage, clients, rooms, browser)
            await storm.gather()
            gc.collect()
            gc.freeze()  # what is there by now is not looked through while times are taken
            await storm.break_out(waited, asked, wrong)
        finally:
            gc.unfreeze()
            await browser.close()
