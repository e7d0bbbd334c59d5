"""P4: Sentinel makes a replica the primary."""

import asyncio
import time

import redis
from support.redis_watch import client as redis_client
from support.sentinel import NAME, SentinelSet, connected
from support.waiting import eventually

from harness.meeting import Meeting
from harness.result import Result
from harness.size import Size
from harness.stage import Stage, say

REPEATS = 3
BOUND = 15.0
FAULTS = ("killed with its last second not replicated", "frozen", "replaced by command")


async def run(size: Size, repeat: int) -> list[Result]:
    results = []
    # At small size the hardest of the three; each needs six processes of its own.
    for fault in FAULTS if size.is_full or repeat > 1 else FAULTS[:1]:
        result = Result(
            "P4",
            f"the primary of three Redis with three Sentinels is {fault}: until {size.instances} "
            "instances work on the new one; no version lower, nothing acknowledged missing",
            "test_P4_instances_follow_a_failover",
            BOUND,
        )
        results.append(result)
        for number in range(repeat):
            with result.attempt():
                await fail_over_once(size, fault, result)
            say(f"P4 {fault} {number + 1}/{repeat}: {result.text(result.worst)}")
    return results


async def fail_over_once(size: Size, fault: str, result: Result):
    async with Stage(instances=size.instances, redis=False, start=False) as stage:
        sentinels = SentinelSet(stage.folder)
        stage.more.append(sentinels)
        await sentinels.start()
        cluster = stage.cluster
        cluster.env = {"CLUSTER_NODES": cluster.nodes(), "REDIS_SENTINELS": sentinels.variable}
        await cluster.start()
        await eventually(cluster.agree, 20, what="every instance knows every other")
        meeting = await Meeting.open(stage, size)
        meeting.start_traffic(size.pause)
        old = sentinels.primary()
        try:
            await asyncio.sleep(0.5)
            if fault == FAULTS[0]:
                sentinels.cut_off_replicas()
                await asyncio.sleep(1)
                old.kill()
            elif fault == FAULTS[1]:
                old.freeze()
            else:
                sentinels.sentinels[0].ask("FAILOVER", NAME)
            failed_at = time.monotonic()

            def moved():
                new = sentinels.primary()
                return new is not old and serves_all(new, stage)

            await eventually(moved, 40, what="all on the new primary")
            await eventually(stage.is_well, 30, what="healthy everywhere")
            result.measured(time.monotonic() - failed_at)
            await meeting.edits_go_on()
        finally:
            await meeting.stop_traffic()
        await meeting.converged(time.monotonic(), 15)
        meeting.assert_undisturbed()
        assert meeting.acknowledged > 10, "nothing was acknowledged: nothing is proved"
        for room in meeting.rooms:
            for client in room.clients.values():
                heard = [
                    event.arg["version"] for event in client.named("receive-editor-object-update")
                ]
                assert heard == sorted(set(heard)), f"{room.id}: versions fell or came twice"


def serves_all(server, stage: Stage) -> bool:
    """Whether all instances have both their connections there."""
    names = {f"tandem-{one.name}{kind}" for one in stage.instances for kind in ("", "-sub")}
    try:
        if redis_client(server.port).execute_command("ROLE")[0] != b"master":
            return False
        return names <= connected(server)
    except (OSError, redis.RedisError):
        return False
