"""Redis with replicas and Sentinels: another server takes over, and the rooms go with it (P4)."""

import asyncio
import time

import pytest
import redis

from support.outage import HEALTHY_AGAIN, Work, ready_everywhere
from support.redis_watch import client as redis_client
from support.sentinel import NAME, SentinelSet, connected, store_info
from support.waiting import eventually

ON_THE_NEW_PRIMARY = 15


@pytest.fixture
def sentinels(tmp_path):
    folder = tmp_path / "sentinel"
    folder.mkdir()
    made = SentinelSet(folder)
    yield made
    made.stop()


async def started(clusters, sentinels):
    await sentinels.start()
    cluster = await clusters(instances=2, redis=False, start=False)
    cluster.env = {"CLUSTER_NODES": cluster.nodes(), "REDIS_SENTINELS": sentinels.variable}
    await cluster.start()
    await eventually(cluster.agree, 20, what="every instance knows every other")
    return cluster


def is_served_by(server, cluster) -> bool:
    """Whether all instances have both their connections there: for commands and for messages."""
    names = {f"tandem-{one.name}{kind}" for one in cluster.instances for kind in ("", "-sub")}
    try:
        return names <= connected(server)
    except (OSError, redis.RedisError):
        return False


def head(server, room) -> int:
    return int(redis_client(server.port).hget(f"tandem:{{{room}}}:head", "v"))


@pytest.mark.bound(120)
@pytest.mark.parametrize("fault", ["killed", "frozen", "replaced by command"])
async def test_P4_after_a_failover_all_are_on_the_new_primary_and_nothing_acknowledged_is_missing(
    clusters, sentinels, people, room, fault
):
    cluster = await started(clusters, sentinels)
    old = sentinels.primary()
    work = await Work.start(cluster, people, room)
    assert is_served_by(old, cluster)
    if fault == "killed":
        # What Redis had not replicated is lost with it; the instances still have it.
        sentinels.cut_off_replicas()
        await asyncio.sleep(1)
        heads = [head(one, room) for one in sentinels.servers]
        assert heads[0] > max(heads[1:])
        old.kill()
    elif fault == "frozen":
        old.freeze()
    else:
        sentinels.sentinels[0].ask("FAILOVER", NAME)
    failed_at = time.monotonic()

    def moved():
        new = sentinels.primary()
        return new is not old and is_served_by(new, cluster) and new

    new = await eventually(moved, ON_THE_NEW_PRIMARY, what="all on the new primary")
    moved_at = time.monotonic()
    await eventually(lambda: ready_everywhere(cluster), HEALTHY_AGAIN, what="healthy on both")
    assert moved_at - failed_at < ON_THE_NEW_PRIMARY
    assert b"master" == redis_client(new.port).execute_command("ROLE")[0]
    before = work.answered
    await eventually(
        lambda: all(now > then + 5 for now, then in zip(work.answered, before)), what="edits"
    )
    if fault != "replaced by command":
        # It comes back as the primary that it was, and is made a replica; nobody goes to it.
        if fault == "killed":
            await old.start()
        else:
            old.thaw()
        await eventually(
            lambda: store_info(old, "replication")["role"] == "slave", 20, what="a replica"
        )
        with pytest.raises(redis.ReadOnlyError):
            redis_client(old.port).set("tandem:stale", "1")
        assert is_served_by(new, cluster)
        assert not {name for name in connected(old) if name.startswith("tandem-")}
        assert await ready_everywhere(cluster)
    await work.stop()
    work.assert_undisturbed()
    work.assert_versions_rise()
    await work.assert_converged()
