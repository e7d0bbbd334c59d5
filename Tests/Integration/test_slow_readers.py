"""Members whose network takes nothing for a while: bounded memory, and nothing for the others."""

import asyncio
import time

import pytest

from support import http
from support.acknowledged import Acknowledged, Traffic
from support.scenes import SceneModel, box, creation_editor
from support.waiting import eventually

MEGABYTE = 1_000_000
FILLER = "x" * 200_000


async def metric(server, name: str) -> float:
    text = (await http.get(f"{server.url}/metrics")).text
    return float(next(line for line in text.splitlines() if line.startswith(f"{name} ")).split()[1])


async def flood(host, room, nodes, rounds: int, watch=None):
    """Every object again and again, big enough to fill what the kernel keeps for a reader."""
    for number in range(rounds):
        for index, node in enumerate(nodes):
            nodes[index] = dict(node, userData={"step": number, "filler": FILLER})
            answer = await host.put(room, nodes[index])
            assert answer["ok"], answer
        if watch:
            await watch()


@pytest.mark.bound(180)
@pytest.mark.parametrize("count", [3, 25], ids=["edits", "scene"])
async def test_P6_who_stops_reading_costs_little_and_has_the_right_scene_when_he_reads_again(
    clusters, people, room, count
):
    """With a few objects the latest of each waits for him; with many a fresh scene does."""
    # Who does not read does not answer a ping either.
    cluster = await clusters(instances=1, redis=False, env={"PING_TIMEOUT": 60_000})
    server = cluster.instances[0]
    nodes = [box(f"n{index}") for index in range(count)]
    host = await people.host(server.url, room, editor=creation_editor(*nodes))
    other = await people.guest(server.url, room, "Other")
    slow = await people.guest(server.url, room, "Slow")
    seen = follow(slow)
    record = Acknowledged()
    traffic = Traffic(other, room, record, 0.05, "other").start()
    # As long as he may still apply the scene of his join, edits are not even sent.
    await slow.wait("receive-editor-object-update")
    mark = slow.mark()
    slow.stop_reading()
    backlogs = []

    async def watch():
        backlogs.append(await metric(server, "tandem_engine_backlog_bytes"))
        # The other one may be behind for a moment, too.
        assert await metric(server, "tandem_held_bytes") <= 2 * 5 * MEGABYTE

    async def is_stuck():
        """Somebody is behind, and not for a moment: a kernel whose reader is away packs what it
        keeps for him closer and takes a little more, at ever longer intervals."""
        for _ in range(20):
            if await metric(server, "tandem_members_lagging") == 0:
                return False
            await asyncio.sleep(0.1)
        return True

    # How much the kernel keeps for a reader differs from machine to machine.
    for _ in range(200):
        if await is_stuck():
            break
        await flood(host, room, nodes, 1, watch)
    else:
        pytest.fail("the kernel takes whatever comes")
    await flood(host, room, nodes, 40 // count + 1, watch)
    guest = await people.guest(server.url, room, "Late")
    await eventually(lambda: "Late" in host.user_names)
    # For each of the two: the kernel may have made room for a moment, so that a scene was begun.
    assert max(backlogs) < 2 * (MEGABYTE + count * len(FILLER))
    heard = [event for event in slow.events[mark:] if event.name == "users-list"]
    assert all(len(event.arg) < 4 for event in heard), "held until he reads"
    await eventually(lambda: traffic.answered > 10, 10)
    await traffic.stop()
    assert traffic.refusals == []
    assert traffic.longest_wait < 5, "others do not feel it"
    slow.read_again()

    async def caught_up():
        return await metric(server, "tandem_members_lagging") == 0

    await eventually(caught_up, 15)
    await eventually(lambda: slow.user_names == ["Host", "Late", "Other", "Slow"], 15)
    truth = await guest.scene(room)

    def sees_all():
        return seen.difference(truth) == ""

    await eventually(sees_all, 15, what="the right scene without asking for it")
    assert slow.connected and await metric(server, "tandem_engine_slow_clients_total") == 0
    fresh = [event for event in slow.named("receive-full-editor", after=mark)]
    assert (len(fresh) > 0) == (count == 25)
    names = [event.arg["userName"] for event in slow.named("user-joined", after=mark)]
    assert names == ["Late"], "once"


def follow(client) -> SceneModel:
    """The scene of a client that applies what it receives, from now on."""
    scene = SceneModel.of(client.last("receive-full-editor")["editorData"])

    def apply(event):
        if event.name == "receive-full-editor":
            scene.replace(event.arg["editorData"])
        elif event.name == "receive-editor-object-update":
            data = event.arg
            scene.update(data["objectData"], data["objectUuid"], data["changeType"])

    client.on_event = apply
    return scene


@pytest.mark.bound(60)
async def test_P6_who_never_reads_again_is_closed_and_leaves_the_list(clusters, people, room):
    env = {"PING_INTERVAL": 500, "PING_TIMEOUT": 3000}
    server = (await clusters(instances=1, redis=False, env=env)).instances[0]
    host = await people.host(server.url, room)
    slow = await people.guest(server.url, room, "Slow")
    slow.stop_reading()
    mark = host.mark()
    stopped_at = time.monotonic()
    node = box("big")
    while not host.named("user-left", after=mark):
        assert time.monotonic() - stopped_at < 30
        await flood(host, room, [node], 1)
    assert host.named("user-left", after=mark)[0].arg["userName"] == "Slow"
    await host.wait("users-list", after=mark, where=lambda users: len(users) == 1)
    await eventually(lambda: closed_as_slow(server))


async def closed_as_slow(server) -> bool:
    return await metric(server, "tandem_engine_slow_clients_total") == 1
