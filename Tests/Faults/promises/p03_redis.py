"""P3: Redis killed, restarted, restarted empty, hanging, or absent when instances start."""

import asyncio
import time

from support.scenes import box
from support.waiting import eventually

from harness.meeting import Meeting
from harness.result import Result
from harness.size import Size
from harness.stage import Stage, say

REPEATS = 5
BOUND = 10.0
NOTICED = 10  # seconds until every instance says that it is degraded


async def run(size: Size, repeat: int) -> list[Result]:
    crowd = f"{size.users} members in {size.rooms} rooms on {size.instances} instances"
    results = []

    def row(fault: str) -> Result:
        results.append(
            Result(
                "P3",
                f"Redis {fault}: until one truth everywhere after its return; {crowd}",
                "test_P3_redis_lost_in_every_way",
                BOUND,
            )
        )
        return results[-1]

    async with Stage(instances=size.instances) as stage:
        meeting = await Meeting.open(stage, size)
        for fault in (killed, restarted, emptied, hanging):
            result = row(fault.__doc__)
            for number in range(repeat):
                with result.attempt():
                    await lose_once(stage, meeting, fault, result, size.pause)
                say(f"P3 {fault.__name__} {number + 1}/{repeat}: {result.text(result.worst)}")
    result = row("absent when instances start")
    for number in range(min(repeat, 3)):
        with result.attempt():
            await absent_once(result, size.instances)
        say(f"P3 absent {number + 1}: {result.text(result.worst)}")
    return results


async def killed(stage: Stage):
    """killed, and back with its data"""
    stage.cluster.redis.kill()
    await eventually(stage.is_degraded, NOTICED, what="degraded everywhere")
    return stage.cluster.redis.start


async def restarted(stage: Stage):
    """ended in order and started at once"""
    stage.cluster.redis.terminate()
    await stage.cluster.redis.ended(10)
    return stage.cluster.redis.start


async def emptied(stage: Stage):
    """killed, and back empty"""
    stage.cluster.redis.kill()
    await eventually(stage.is_degraded, NOTICED, what="degraded everywhere")

    async def start_empty():
        await stage.cluster.redis.start(empty=True)

    return start_empty


async def hanging(stage: Stage):
    """hanging (SIGSTOP), and awake again"""
    stage.cluster.redis.freeze()
    await eventually(stage.is_degraded, NOTICED, what="degraded everywhere")

    async def wake():
        stage.cluster.redis.thaw()

    return wake


async def lose_once(stage: Stage, meeting: Meeting, fault, result: Result, pause: float):
    meeting.start_traffic(pause)
    try:
        await asyncio.sleep(0.5)
        heal = await fault(stage)
        await meeting.edits_go_on()
        await heal()
        back_at = time.monotonic()
        await eventually(stage.is_well, 30, what="healthy everywhere")
        await asyncio.sleep(0.5)
    finally:
        await meeting.stop_traffic()
    # What was asked for before the traffic ended counts; the waiting for answers does not.
    result.measured(await meeting.converged(back_at))
    assert meeting.acknowledged > 10, "nothing was acknowledged: nothing is proved"
    meeting.assert_undisturbed()


async def absent_once(result: Result, instances: int):
    async with Stage(instances=instances, start=False) as stage:
        await stage.cluster.start(redis=False)
        stage.cluster.note_pids()
        await eventually(stage.is_degraded, NOTICED, what="degraded everywhere")
        first, last = stage.instances[0], stage.instances[-1]
        host = await stage.people.host(first.url, "absent", "Host", "secret")
        node = await host.add("absent", "made without Redis")
        await stage.cluster.redis.start()
        back_at = time.monotonic()
        await eventually(stage.is_well, 30, what="healthy everywhere")
        guest = await stage.people.room_client(last.url)

        async def is_there():
            names = [item["id"] for item in await guest.rooms()]
            return "absent" in names

        await eventually(is_there, 20, what="the room is listed on another instance")
        await guest.join("absent", "Guest", "secret")
        assert node["uuid"] in (await guest.scene("absent")).objects
        result.measured(time.monotonic() - back_at)
        later = await guest.add("absent", "made with Redis")
        await host.wait(
            "receive-editor-object-update",
            timeout=5,
            where=lambda data: data["objectUuid"] == later["uuid"],
        )
        assert host.connected
        stage.cluster.assert_all_alive()
