"""Redis refuses writes, for one reason or another; and an instance that may hold no more (P8)."""

import asyncio

import pytest

from support import http
from support.outage import HEALTHY_AGAIN, Work, ready_everywhere, told_degraded
from support.processes import Redis
from support.redis_watch import client as redis_client
from support.rooms import Refused
from support.scenes import box, creation_editor
from support.waiting import eventually


def refuse_for_persistence(redis: Redis):
    """MISCONF: the last save failed, since its folder is gone."""
    store = redis_client(redis.port)
    gone = redis.data / "gone"
    gone.mkdir()
    store.config_set("dir", str(gone))
    gone.rmdir()
    # A save that is due, so that failed ones count.
    store.config_set("save", "3600 1")
    store.bgsave()


def accept_after_persistence(redis: Redis):
    store = redis_client(redis.port)
    store.config_set("dir", str(redis.data))
    store.config_set("save", "")


def refuse_as_replica(redis: Redis):
    """READONLY: it is told to follow a primary that does not exist."""
    redis_client(redis.port).execute_command("REPLICAOF", "127.0.0.1", "1")


def accept_as_primary(redis: Redis):
    redis_client(redis.port).execute_command("REPLICAOF", "NO", "ONE")


REFUSALS = {
    "REDIS_PERSISTENCE_FAILED": (refuse_for_persistence, accept_after_persistence),
    "REDIS_READ_ONLY": (refuse_as_replica, accept_as_primary),
}


@pytest.mark.bound(120)
@pytest.mark.parametrize("code", REFUSALS)
async def test_P8_a_redis_that_refuses_writes_is_named_and_loses_nothing(
    clusters, people, room, code
):
    refuse, accept = REFUSALS[code]
    cluster = await clusters(instances=2)
    cluster.redis.stop()
    cluster.redis.options = ("--appendonly", "no", "--enable-protected-configs", "local")
    await cluster.redis.start()
    await eventually(lambda: ready_everywhere(cluster), HEALTHY_AGAIN, what="healthy on both")
    work = await Work.start(cluster, people, room)
    refuse(cluster.redis)

    async def named():
        states = [await one.health() for one in cluster.instances]
        return all([reason["code"] for reason in one["reasons"]] == [code] for one in states)

    await eventually(named, 10, what=code)
    for one in cluster.instances:
        assert await http.status_of(one.url + "/api/ready") == 200
        assert code.removeprefix("REDIS_").lower() in one.log_text()
    before = work.answered
    await eventually(
        lambda: all(now > then + 5 for now, then in zip(work.answered, before)), 5, what="edits"
    )
    visitor = await people.room_client(cluster.instances[0].url)
    await visitor.create(f"{room}-new", editor=creation_editor(box("A")))
    await visitor.leave(f"{room}-new")
    accept(cluster.redis)
    await eventually(lambda: ready_everywhere(cluster), HEALTHY_AGAIN, what="healthy on both")
    await asyncio.sleep(0.3)
    await work.stop()
    work.assert_undisturbed()
    work.assert_versions_rise()
    await work.assert_converged()
    late = await people.guest(cluster.instances[1].url, f"{room}-new", "Late")
    assert (await late.scene(f"{room}-new")).objects


async def figures(instance, *names: str) -> list[float]:
    lines = (await http.get(f"{instance.url}/metrics")).text.splitlines()
    found = dict(line.rsplit(" ", 1) for line in lines if line and not line.startswith("#"))
    return [float(found[name]) for name in names]


@pytest.mark.bound(90)
async def test_an_instance_without_redis_holds_what_it_may_then_refuses_and_loses_nothing(
    clusters, people, room
):
    limit = 200_000
    cluster = await clusters(instances=1, env={"MAX_DEGRADED_BYTES": limit})
    (server,) = cluster.instances
    host = await people.host(server.url, room, editor=creation_editor(box("A")))
    kept = []
    for number in range(10):  # remembered of the time before, and forgotten first
        kept.append((await host.add(room, f"before-{number}", userData={"x": "y" * 8_000}))["uuid"])
    cluster.redis.kill()
    await eventually(lambda: told_degraded(cluster), 8, what="degraded")
    mark, refused = host.mark(), []
    for number in range(60):
        node = box(f"during-{number}", userData={"x": "y" * 8_000})
        answer = await host.put(room, node, "object-added")
        if answer["ok"]:
            assert not refused, "what is refused stays refused"
            kept.append(node["uuid"])
        else:
            assert answer["error"]["code"] == "STORAGE_UNAVAILABLE" and answer["error"]["message"]
            refused.append(node["uuid"])
    assert 10 < len(kept) - 10 < 25 and refused
    held, refusals = await figures(server, "tandem_local_bytes", "tandem_refused_commits_total")
    assert limit * 0.9 < held <= limit and refusals >= len(refused)
    told = await host.wait("editor-sync-error", after=mark)
    assert told.arg["code"] == "STORAGE_UNAVAILABLE"
    with pytest.raises(Refused) as refusal:
        await host.upload(room, creation_editor(box("B"), padding="x" * 10_000))
    assert refusal.value.code == "STORAGE_UNAVAILABLE"
    # Who comes and goes is still taken note of, and everything can be seen.
    guest = await people.guest(server.url, room, "Guest")
    assert set(kept) <= set((await guest.scene(room)).objects)
    await eventually(lambda: host.user_names == ["Guest", "Host"], 5)
    await guest.close()
    await eventually(lambda: host.user_names == ["Host"], 5)
    await cluster.redis.start(empty=True)
    await eventually(lambda: healthy(server), HEALTHY_AGAIN, what="healthy")
    kept.append((await host.add(room, "after"))["uuid"])
    assert await figures(server, "tandem_local_bytes") == [0]
    server.kill()
    await server.start()
    late = await people.guest(server.url, room, "Late")
    objects = set((await late.scene(room)).objects)
    assert set(kept) <= objects and not objects & set(refused)


async def healthy(server) -> bool:
    return not await server.degraded()
