"""Redis dies, hangs, comes back full, empty or late: no socket closes, nothing acknowledged is lost
(P3, P8, C38, C40, C57)."""

import asyncio
import time

import pytest

from support import http
from support.line import Line
from support.outage import HEALTHY_AGAIN, Work, ready_everywhere, told_degraded
from support.rooms import Refused
from support.scenes import box, creation_editor
from support.waiting import eventually


# Two instances that bring a room together under traffic: each try is some round trips long.
@pytest.mark.alone
@pytest.mark.bound(120)
@pytest.mark.parametrize("comeback", ["with its data", "empty"])
@pytest.mark.known_failure("C40")
async def test_P3_redis_killed_under_traffic_and_back(clusters, people, room, comeback):
    cluster = await clusters(instances=2)
    work = await Work.start(cluster, people, room)
    cluster.redis.kill()
    await eventually(lambda: told_degraded(cluster), 8, what="degraded on both")
    before = work.answered
    await asyncio.sleep(2)
    assert all(now > then + 5 for now, then in zip(work.answered, before)), "edits go on"
    for one in cluster.instances:
        assert await http.status_of(one.url + "/api/health") == 200
        # Lost for all: there is nobody better to send clients to (docs/decisions/0004).
        assert await http.status_of(one.url + "/api/ready") == 200
    work.assert_undisturbed()
    await cluster.redis.start(empty=comeback == "empty")
    back_at = time.monotonic()
    await eventually(lambda: ready_everywhere(cluster), HEALTHY_AGAIN, what="healthy on both")
    assert time.monotonic() - back_at < HEALTHY_AGAIN
    await asyncio.sleep(0.5)
    await work.stop()
    work.assert_undisturbed()
    await work.assert_converged()
    assert work.record.versions and max(work.record.versions) < 2**53


@pytest.mark.bound(120)
async def test_P3_redis_that_hangs_is_left_alone_and_taken_back(clusters, people, room):
    cluster = await clusters(instances=2)
    work = await Work.start(cluster, people, room)
    cluster.redis.freeze()
    await eventually(lambda: told_degraded(cluster), 10, what="degraded on both")
    before = work.answered
    await asyncio.sleep(2)
    assert all(now > then + 5 for now, then in zip(work.answered, before)), "edits go on"
    cluster.redis.thaw()
    await eventually(lambda: ready_everywhere(cluster), HEALTHY_AGAIN, what="healthy on both")
    await asyncio.sleep(0.5)
    await work.stop()
    work.assert_undisturbed()
    await work.assert_converged()


@pytest.mark.bound(90)
@pytest.mark.known_failure("C38", "C57")
async def test_C57_C38_redis_absent_at_boot_is_served_without_and_linked_when_it_comes(
    clusters, people, room
):
    cluster = await clusters(instances=2, redis_first=False)
    first, second = cluster.instances
    await eventually(lambda: told_degraded(cluster), 8, what="degraded on both")
    host = await people.host(first.url, room, password="secreta", editor=creation_editor(box("A")))
    node = await host.add(room, "made without Redis")
    lobby = await people.room_client(first.url)
    assert room in [item["id"] for item in await lobby.rooms()]
    await cluster.redis.start()
    await eventually(lambda: ready_everywhere(cluster), HEALTHY_AGAIN, what="healthy on both")
    guest = await people.guest(second.url, room, password="secreta")
    assert node["uuid"] in (await guest.scene(room)).objects
    await host.add(room, "made with Redis")
    await guest.wait("receive-editor-object-update")
    assert host.connected
    cluster.assert_all_alive()


async def within_5_seconds(request):
    async with asyncio.timeout(5):
        return await request


@pytest.mark.bound(90)
async def test_R35_every_request_is_answered_within_5_seconds_while_redis_is_away(
    clusters, people, room
):
    cluster = await clusters(instances=2)
    one = cluster.instances[0]
    host = await people.host(one.url, room, "Host", "secreta", editor=creation_editor(box("A")))
    stranger = await people.room_client(one.url)
    for fault in ("hang", "kill"):
        if fault == "hang":
            cluster.redis.freeze()
        else:
            cluster.redis.kill()
        start = time.monotonic()
        guest = await people.room_client(one.url)
        assert (await within_5_seconds(guest.join(room, "Guest", "secreta")))["isHost"] is False
        with pytest.raises(Refused) as refusal:
            await within_5_seconds(stranger.join(room, password="wrong"))
        assert refusal.value.code == "INVALID_PASSWORD"
        await within_5_seconds(stranger.create(f"{room}-{fault}", "S"))
        put = await within_5_seconds(host.put(room, box(fault), "object-added"))
        assert put["ok"] is True
        assert (await within_5_seconds(guest.snapshot(room)))["editorData"]
        assert room in [item["id"] for item in await within_5_seconds(guest.rooms())]
        assert (await within_5_seconds(guest.leave(room)))["success"] is True
        assert time.monotonic() - start < 20
    assert host.connected and stranger.connected


@pytest.mark.bound(120)
@pytest.mark.parametrize("fault", ["refused", "silent"])
async def test_P5_an_instance_alone_cut_off_is_not_ready_and_comes_back_to_one_truth(
    clusters, people, room, tmp_path, fault
):
    cluster = await clusters(instances=2, start=False)
    first, second = cluster.instances
    await cluster.redis.start()
    line = Line(tmp_path, cluster.redis.port)
    await line.start()
    try:
        second.extra_env["REDIS_URL"] = f"redis://127.0.0.1:{line.port}"
        for one in cluster.instances:
            one.launch()
        for one in cluster.instances:
            await one.ready()
        await eventually(cluster.agree, 20)
        cluster.note_pids()
        work = await Work.start(cluster, people, room)
        cut_at = time.monotonic()
        line.kill() if fault == "refused" else line.freeze()

        async def not_ready():
            return await http.status_of(second.url + "/api/ready") == 503

        await eventually(not_ready, 8, what="the cut-off instance is not ready")
        assert time.monotonic() - cut_at < 6
        before = work.answered
        await asyncio.sleep(2)
        assert all(now > then + 5 for now, then in zip(work.answered, before)), "edits go on"
        assert await http.status_of(first.url + "/api/ready") == 200
        if fault == "refused":
            await line.start()
        else:
            line.thaw()
        await eventually(lambda: ready_everywhere(cluster), HEALTHY_AGAIN, what="healthy on both")
        await asyncio.sleep(0.5)
        await work.stop()
        # Cut off for longer than its lease, the instance may have been declared dead: it then asks
        # its clients to reconnect, and nothing that it acknowledged alone is missing.
        if not work.guest.connected:
            assert work.guest.close_reason == "transport close"
            work.clients = [work.host]
            work.traffics = work.traffics[:1]
        work.assert_undisturbed()
        await work.assert_all_there()
    finally:
        line.kill()


@pytest.mark.bound(90)
async def test_P8_a_store_that_is_full_is_told_and_loses_nothing(clusters, people, room):
    cluster = await clusters(instances=2)
    one, other = cluster.instances
    host = await people.host(one.url, room, editor=creation_editor(box("A")))
    cluster.redis.command("CONFIG", "SET", "maxmemory", "1")
    kept = []
    for number in range(10):
        node = box(f"n{number}")
        answer = await host.put(room, node, "object-added")
        if answer["ok"]:
            kept.append(node["uuid"])
        else:
            assert answer["error"]["code"] and answer["error"]["message"]
    await eventually(lambda: one.degraded(), 8, what="degraded while the store is full")
    cluster.redis.command("CONFIG", "SET", "maxmemory", "0")
    await eventually(lambda: ready_everywhere(cluster), HEALTHY_AGAIN, what="healthy on both")
    guest = await people.guest(other.url, room)
    assert set(kept) <= set((await guest.scene(room)).objects)
    assert host.connected


@pytest.mark.bound(90)
async def test_a_room_deleted_while_redis_was_away_does_not_come_back(clusters, people, room):
    cluster = await clusters(instances=2)
    one, other = cluster.instances
    host = await people.host(one.url, room, editor=creation_editor(box("A")))
    cluster.redis.kill()
    await eventually(lambda: told_degraded(cluster), 8)
    await host.delete(room)
    await cluster.redis.start()
    await eventually(lambda: ready_everywhere(cluster), HEALTHY_AGAIN)
    stranger = await people.room_client(other.url)

    async def gone():
        return room not in [item["id"] for item in await stranger.rooms()]

    await eventually(gone, 5)
    with pytest.raises(Refused) as refusal:
        await stranger.join(room)
    assert refusal.value.code == "ROOM_NOT_FOUND"
