"""P7: the wall clock of an instance, or of Redis, jumps by an hour while it runs."""

import asyncio
import re
import time
from datetime import datetime

from support import http
from support.redis_watch import client as redis_client
from support.waiting import eventually

from harness.faketime import FakeClock
from harness.meeting import Meeting
from harness.result import Result
from harness.size import Size
from harness.stage import Stage, say

REPEATS = 3
HOUR = 3600
WATCHED = 7.0  # seconds of traffic after a jump: longer than a lease of 5 s
BOUND = 5.0


async def run(size: Size, repeat: int) -> list[Result]:
    results = []
    env = {"LOG_LEVEL": "debug", "LOG_FORMAT": "text"}
    async with Stage(instances=size.instances, start=False, env=env) as stage:
        clocks = {
            "an instance": FakeClock(stage.instances[0], stage.folder),
            "Redis": FakeClock(stage.cluster.redis, stage.folder),
        }
        await stage.cluster.start()
        meeting = await Meeting.open(stage, size)
        # Back again is a jump too: at small size each clock makes both, and begins with another.
        for place, (whose, clock) in enumerate(clocks.items()):
            for seconds in (HOUR, -HOUR) if size.is_full else [(HOUR, -HOUR)[place]]:
                result = Result(
                    "P7",
                    f"the clock of {whose} jumps by {seconds // HOUR:+d} h and back under traffic: "
                    "longest wait for an answer; nobody dropped, nothing deleted, no version lower",
                    "test_P7_a_jump_of_the_clock_drops_nobody",
                    BOUND,
                    means="libfaketime",
                )
                results.append(result)
                for number in range(repeat):
                    with result.attempt():
                        await jump_once(stage, meeting, clock, whose, seconds, result, size)
                    say(f"P7 {whose} {seconds:+d} s {number + 1}/{repeat}: "
                        f"{result.text(result.worst)}")  # fmt: skip
    return results


async def jump_once(stage, meeting, clock, whose, seconds, result, size):
    meeting.start_traffic(size.pause)
    try:
        await asyncio.sleep(1)
        before = max(version for room in meeting.rooms for version in room.record.versions)
        clock.jump(seconds)
        try:
            ahead = await clock_of(stage, whose) - time.time()
            assert abs(ahead - seconds) < 60, f"the clock of {whose} is {ahead:.0f} s ahead"
            newcomer = await stage.people.room_client(stage.instances[0].url)
            await asyncio.sleep(WATCHED)
            for one in stage.instances:
                assert await http.status_of(one.url + "/api/ready") == 200, f"{one.name} not ready"
            listed = {item["id"] for item in await newcomer.rooms()}
            await newcomer.close()
        finally:
            clock.jump(0)
        await asyncio.sleep(2)
    finally:
        await meeting.stop_traffic()
    result.measured(meeting.longest_answer())
    meeting.assert_undisturbed()
    gone = [room.id for room in meeting.rooms if room.id not in listed]
    assert not gone, f"rooms are gone from the list: {gone[:3]}"
    await meeting.converged(time.monotonic(), 10)
    for room in meeting.rooms:
        versions = room.record.versions
        assert max(versions) > before or len(meeting.rooms) > 1
        for client in room.clients.values():
            told = [event.name for event in client.events]
            assert "user-left" not in told and "room-deleted" not in told, f"{room.id} was told so"
            heard = [
                event.arg["version"] for event in client.named("receive-editor-object-update")
            ]
            assert heard == sorted(set(heard)), f"{room.id}: versions fell or came twice"


async def clock_of(stage: Stage, whose: str) -> float:
    """What the process itself takes for the time, in seconds since 1970."""
    if whose == "Redis":
        return redis_client(stage.cluster.redis.port).time()[0]
    return await instance_clock(stage, stage.instances[0])


async def instance_clock(stage: Stage, instance) -> float:
    """The time that the process stamps a line of its log with, which a broken packet makes it
    write."""
    lines = instance.log_text().count("no packet")
    client = await stage.people.room_client(instance.url)
    await client.send_text("4x")

    def stamp():
        found = [line for line in instance.log_text().splitlines() if "no packet" in line][lines:]
        return found and re.match(r"[0-9T:+-]+", found[-1]).group()

    text = await eventually(stamp, 5, what="a line in the log")
    await client.close()
    stage.people.clients.remove(client)
    return datetime.fromisoformat(text).timestamp()
