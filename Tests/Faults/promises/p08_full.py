"""P8: Redis refuses writes (out of memory, nothing may be evicted)."""

import asyncio
import time

from support import http
from support.redis_watch import client as redis_client
from support.waiting import eventually

from harness.meeting import Meeting
from harness.result import Result
from harness.size import Size
from harness.stage import Stage, say

REPEATS = 5
DEGRADED = 10.0
BACK = 10.0


async def run(size: Size, repeat: int) -> list[Result]:
    told = Result(
        "P8",
        "Redis at its maxmemory refuses writes: until every instance says so, with a code",
        "test_P8_a_full_store_is_told_and_nothing_evicted",
        DEGRADED,
    )
    back = Result(
        "P8",
        "room again: until one truth everywhere with every acknowledged edit; nothing evicted",
        "test_P8_a_full_store_is_told_and_nothing_evicted",
        BACK,
    )
    async with Stage(instances=size.instances) as stage:
        meeting = await Meeting.open(stage, size)
        for number in range(repeat):
            with told.attempt(), back.attempt():
                await fill_once(stage, meeting, told, back, size.pause)
            say(f"P8 {number + 1}/{repeat}: {told.text(told.worst)}, {back.text(back.worst)}")
    return [told, back]


async def fill_once(stage: Stage, meeting: Meeting, told: Result, back: Result, pause: float):
    redis = stage.cluster.redis
    meeting.start_traffic(pause)
    try:
        await asyncio.sleep(0.5)
        keys = keys_of_rooms(redis.port)
        full_at = time.monotonic()
        redis.command("CONFIG", "SET", "maxmemory", "1")
        await eventually(stage.is_degraded, 30, what="degraded everywhere")
        told.measured(time.monotonic() - full_at)
        for one in stage.instances:
            reasons = (await one.health())["reasons"]
            assert reasons and all(reason["code"] for reason in reasons), reasons
            assert await http.status_of(one.url + "/api/health") == 200
        await asyncio.sleep(1)
        free_at = time.monotonic()
        redis.command("CONFIG", "SET", "maxmemory", "0")
        await eventually(stage.is_well, 30, what="healthy everywhere")
    finally:
        redis.command("CONFIG", "SET", "maxmemory", "0")
        await meeting.stop_traffic()
    back.measured(await meeting.converged(free_at))
    info = redis_client(redis.port).info("stats")
    assert info["evicted_keys"] == 0, f"{info['evicted_keys']} keys were evicted"
    assert keys and keys <= keys_of_rooms(redis.port), "a room is missing in Redis"
    stage.cluster.assert_all_alive()
    for client in meeting.clients:
        assert client.connected, client.close_reason
    for traffic in meeting.traffics:
        assert traffic.lost == 0
        unnamed = [one for one in traffic.refusals if not (one.get("error") or {}).get("code")]
        assert not unnamed, f"refused without a code: {unnamed[:2]}"
    assert meeting.acknowledged > 10, "nothing was acknowledged: nothing is proved"


def keys_of_rooms(port: int) -> set[bytes]:
    """The key that every stored room has. Its log has none while its checkpoint says everything."""
    return set(redis_client(port).scan_iter("tandem:{*}:head"))
