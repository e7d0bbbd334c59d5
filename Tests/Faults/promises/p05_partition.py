"""P5: one instance alone loses Redis: packets vanish in both directions, or in one."""

import asyncio
import time

from support import http
from support.line import Line
from support.waiting import eventually

from harness.meeting import Meeting
from harness.netns import Link
from harness.result import Result
from harness.size import Size
from harness.stage import Stage, say

REPEATS = 5
NOT_READY = 5.0
ONE_TRUTH = 10.0
HELD = 2.0  # seconds between "not ready" and the healing
REQUESTS = "its requests to Redis vanish"
FAULTS = {
    "nothing passes between it and Redis": {},
    REQUESTS: {"replies": False},
    "replies of Redis to it vanish": {"requests": False},
}


class Namespace:
    """The instance lives in a network of its own."""

    means = "network namespace, nft drop"

    def __init__(self, stage: Stage):
        self.stage = stage
        self.link = Link(stage.folder)

    async def prepare(self):
        redis, lone = self.stage.cluster.redis, self.stage.instances[-1]
        self.link.start()
        self.stage.more.append(self.link)
        redis.options = ("--bind", "127.0.0.1", self.link.outside, "--protected-mode", "no")
        for one in self.stage.instances:
            one.host = self.link.outside
        lone.host = self.link.inside
        lone.wrapper = self.link.entry
        lone.extra_env["REDIS_URL"] = f"redis://{self.link.outside}:{redis.port}"
        await redis.start()

    async def cut(self, requests: bool = True, replies: bool = True):
        self.link.drop(self.stage.cluster.redis.port, requests=requests, replies=replies)

    async def heal(self):
        self.link.heal()


class UserSpace:
    """The instance speaks to Redis through a relay: where there is no network of one's own."""

    def __init__(self, stage: Stage, why: str):
        self.stage = stage
        self.means = f"user-space relay, for want of a network namespace: {why}"

    async def prepare(self):
        redis, lone = self.stage.cluster.redis, self.stage.instances[-1]
        await redis.start()
        self.line = Line(self.stage.folder, redis.port)
        self.stage.more.append(self.line)
        await self.line.start()
        lone.extra_env["REDIS_URL"] = f"redis://127.0.0.1:{self.line.port}"

    async def cut(self, requests: bool = True, replies: bool = True):
        await self.line.hold(requests, replies)

    async def heal(self):
        await self.line.heal()


async def run(size: Size, repeat: int) -> list[Result]:
    results = []
    async with Stage(instances=size.instances, start=False) as stage:
        why = Link.problem()
        network = UserSpace(stage, why) if why else Namespace(stage)
        await network.prepare()
        for one in stage.instances:
            one.launch()
        for one in stage.instances:
            await one.ready()
        await eventually(stage.cluster.agree, 20, what="every instance knows every other")
        stage.cluster.note_pids()
        for fault, directions in FAULTS.items():
            if fault == REQUESTS and not size.is_full:
                continue  # at small size the two that differ most
            cut = Result(
                "P5",
                f"one instance alone: {fault}; until it is not ready",
                "test_P5_an_instance_cut_off_alone_is_not_ready",
                NOT_READY,
                means=network.means,
            )
            healed = Result(
                "P5",
                f"one instance alone: {fault}; healed: until one truth everywhere",
                "test_P5_after_healing_there_is_one_truth",
                ONE_TRUTH,
                means=network.means,
            )
            results += [cut, healed]
            for number in range(repeat):
                with cut.attempt(), healed.attempt():
                    await cut_once(stage, size, network, directions, cut, healed)
                say(f"P5 {fault} {number + 1}/{repeat}: {cut.text(cut.worst)}, "
                    f"{healed.text(healed.worst)}")  # fmt: skip
    return results


async def cut_once(stage: Stage, size: Size, network, directions: dict, cut: Result, healed):
    lone = stage.instances[-1]
    # Members of an instance that was declared dead are asked to reconnect, so each time a new one.
    meeting = await Meeting.open(stage, size)
    meeting.start_traffic(size.pause)
    try:
        await asyncio.sleep(0.5)
        cut_at = time.monotonic()
        await network.cut(**directions)

        async def not_ready():
            return await http.status_of(lone.url + "/api/ready") == 503

        await eventually(not_ready, 20, what="the instance cut off is not ready")
        cut.measured(time.monotonic() - cut_at)
        others = [one for one in stage.instances if one is not lone]
        for one in others:
            assert await http.status_of(one.url + "/api/ready") == 200, f"{one.name} is not ready"
        await meeting.edits_go_on(HELD)
        healed_at = time.monotonic()
        await network.heal()
        await eventually(stage.is_well, 40, what="healthy everywhere")
        well_after = time.monotonic() - healed_at
    finally:
        await network.heal()
        await meeting.stop_traffic()
    for room in meeting.rooms:
        for name, client in list(room.clients.items()):
            if room.places[name] is lone and not client.connected:
                assert client.close_reason == "transport close", client.close_reason
                again = await stage.people.room_client(lone.url, browser=client.browser)
                await again.join(room.id, name, room.password)
                room.clients[name] = again
    healed.measured(await meeting.converged(healed_at))
    say(f"P5 healthy after {well_after:.2f} s, one truth after {healed.samples[-1]:.2f} s, "
        f"longest answer {meeting.longest_answer():.2f} s")  # fmt: skip
    assert meeting.acknowledged > 10, "nothing was acknowledged: nothing is proved"
    meeting.assert_undisturbed(lone)
    await asyncio.gather(*(client.close() for client in meeting.clients))
