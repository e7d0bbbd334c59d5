"""P9: many authors on many instances at full speed, one instance killed in the middle."""

import asyncio
import time

from support.rooms import RoomClient
from support.scenes import box, object_data
from support.waiting import eventually
from support.wire import Unreachable

from harness import chain
from harness.result import Result
from harness.size import Size
from harness.stage import Stage, new_room, say

REPEATS = 5
BOUND = 0.0
UNDER_WAY = 4  # edits of one author that wait for their answer
SECONDS = 2.0  # before and after the kill, at least
EACH = 15  # edits of each author that are answered before it and after it, at least
PATIENCE = 60  # seconds until they are


class Author:
    """Edits one object of its own without a pause."""

    def __init__(self, client: RoomClient, room: str, name: str):
        self.client, self.room, self.name = client, room, name
        self.acknowledged: dict[int, int] = {}  # step → version
        self.steps = 0
        self.is_done = False
        self._mark = 0
        self._node = box(f"of {name}")

    def begin(self):
        self._mark = len(self.acknowledged)

    @property
    def has_enough(self) -> bool:
        return len(self.acknowledged) - self._mark >= EACH

    async def work(self):
        await asyncio.gather(*(self._work() for _ in range(UNDER_WAY)))

    async def _work(self):
        while self.client.connected and not self.is_done:
            self.steps += 1
            step = self.steps
            node = self._node | {"userData": {"step": step, "author": self.name}}
            payload = {
                "roomId": self.room,
                "objectData": object_data(node),
                "objectUuid": node["uuid"],
                "changeType": "object-added",
            }
            try:
                answer = (await (await self.client.start_ack(
                    "sync-editor-object-update", payload)))[0]  # fmt: skip
            except (ConnectionError, OSError, Unreachable):
                return
            if answer.get("ok"):
                self.acknowledged[step] = answer["version"]


async def run(size: Size, repeat: int) -> list[Result]:
    instances = 3
    authors, watchers = (30, 30) if size.is_full else (6, 6)
    result = Result(
        "P9",
        f"{authors} authors and {watchers} watchers of one room on {instances} instances at full "
        "speed, one instance killed: edits missing, twice, or in another order for anybody",
        "test_P9_every_member_sees_the_same_order",
        BOUND,
        unit="edits",
    )
    edits = 0
    async with Stage(instances=instances) as stage:
        for number in range(repeat):
            with result.attempt():
                edits += await write_once(stage, authors, watchers, result)
            say(f"P9 {number + 1}/{repeat}: {edits} edits")
            if number + 1 < repeat:
                await stage.bring_all_back()
    result.means = f"{edits} edits compared"
    return [result]


async def write_once(stage: Stage, authors: int, watchers: int, result: Result) -> int:
    room = new_room("order")
    places = stage.instances
    host = await stage.people.host(places[0].url, room, "Host")
    clients = {host: places[0]}

    async def guest(number: int) -> RoomClient:
        place = places[number % len(places)]
        client = await stage.people.room_client(place.url)
        await client.join(room, f"m{number}")
        clients[client] = place
        return client

    members = await asyncio.gather(*(guest(n) for n in range(authors + watchers)))
    writers = [
        Author(client, room, f"a{number}") for number, client in enumerate(members[:authors])
    ]
    tasks = [asyncio.create_task(writer.work()) for writer in writers]
    await wrote_enough(writers)
    victim = places[1]
    victim.kill()
    await wrote_enough([writer for writer in writers if clients[writer.client] is not victim])
    # What is under way is answered first: nothing may follow the last edit.
    for writer in writers:
        writer.is_done = True
    _, unanswered = await asyncio.wait(tasks, timeout=20)
    for task in unanswered:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    alive = [client for client, place in clients.items() if place is not victim]
    assert all(client.connected for client in alive)
    # The last edit of each living author has reached everybody, and after it nothing comes.
    marker = await host.add(room, "the end")
    listeners = [client for client in alive if client is not host]
    await eventually(
        lambda: all(
            any(one.object == marker["uuid"] for one in chain.seen(client.events[-50:]))
            for client in listeners
        ),
        20,
        what="the last edit is everywhere",
    )
    return compare(writers, members, alive, host, result)


async def wrote_enough(writers: list[Author]):
    """Waits for a time, and until there is something to compare however slow the machine is."""
    for writer in writers:
        writer.begin()
    await asyncio.sleep(SECONDS)
    await eventually(
        lambda: all(writer.has_enough for writer in writers), PATIENCE, what="edits of each author"
    )


def compare(writers, members, alive, host, result) -> int:
    """Watchers have seen everything; an author all but its own edits."""
    watchers = [client for client in members[len(writers) :] if client in alive]
    reference = chain.seen(watchers[0].events)
    wrong = []
    for client in watchers:
        mine = chain.seen(client.events)
        wrong += chain.order_problems(mine)
        if found := chain.difference(mine, reference):
            wrong.append(f"watchers differ {found}")
    for writer in writers:
        if writer.client in alive:
            mine = chain.seen(writer.client.events)
            others = [one for one in reference if one.author != writer.name]
            if found := chain.difference(mine, others):
                wrong.append(f"{writer.name} and a watcher differ {found}")
        shown = {one.step: one.version for one in reference if one.author == writer.name}
        for step, version in writer.acknowledged.items():
            if shown.get(step) != version:
                wrong.append(f"{writer.name}'s edit {step} was acknowledged as {version}, "
                             f"shown as {shown.get(step)}")  # fmt: skip
        twice = [one.step for one in reference if one.author == writer.name]
        if len(twice) != len(set(twice)):
            wrong.append(f"an edit of {writer.name} came twice")
    acknowledged = sum(len(writer.acknowledged) for writer in writers)
    assert acknowledged > 20 * len(writers), f"only {acknowledged} edits: nothing is proved"
    result.measured(len(wrong))
    for one in wrong[:3]:
        result.broken(one)
    return len(reference)
