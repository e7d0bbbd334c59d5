"""Stock clients come back after a break as the members they were, with what they missed (P11)."""

import asyncio
import contextlib

import pytest

from support import http
from support.browser_client import StockPage
from support.redis_watch import Monitor
from support.rooms import RoomClient
from support.scenes import box, creation_editor
from support.waiting import eventually
from support.wire import ConnectRefused, Unreachable

RECOVERS = {"recovery": "1"}
NETWORK = (r"WebSocket connection to .* failed", r"Failed to load resource")


async def come_back(people, earlier: RoomClient, url: str, seconds: float = 10) -> RoomClient:
    """What a stock client does by itself, until an instance takes it."""
    deadline = asyncio.get_running_loop().time() + seconds
    while True:
        client = RoomClient(
            url, query=RECOVERS, auth={"pid": earlier.pid, "offset": earlier.offset}
        )
        people.clients.append(client)
        try:
            return await client.connect()
        except (Unreachable, ConnectRefused):
            assert asyncio.get_running_loop().time() < deadline, "no instance takes the client"
            await asyncio.sleep(0.1)


def edits(*clients) -> list[str]:
    return [
        event.arg["objectUuid"]
        for client in clients
        for event in client.named("receive-editor-object-update")
    ]


async def started(people, cluster, room, **host):
    """A host and a writer on the first instance, an observer that never leaves on the second."""
    first, second = cluster.instances
    leaver = await people.host(
        first.url, room, "Ana", editor=creation_editor(box("A")), query=RECOVERS, **host
    )
    observer = await people.guest(second.url, room, "Obs", host.get("password"))
    writer = await people.guest(second.url, room, "Ben", host.get("password"))
    await asyncio.sleep(0.5)  # no edit is held back after the scene any more
    return leaver, observer, writer


@pytest.mark.bound(60)
async def test_P11_a_client_resumes_on_another_instance_after_kill_9_and_misses_nothing(
    clusters, people, room
):
    cluster = await clusters(instances=2)
    first, second = cluster.instances
    leaver, observer, writer = await started(people, cluster, room)
    running = True

    async def write():
        number = 0
        while running:
            await writer.add(room, f"w{number}")
            number += 1
            await asyncio.sleep(0.01)

    writing = asyncio.create_task(write())
    await eventually(lambda: len(edits(leaver)) >= 10, 5)
    mark = observer.mark()
    first.kill()
    await leaver.wait_closed(5)
    await writer.rename(room, "Benedikt")
    back = await come_back(people, leaver, second.url)
    await eventually(lambda: len(edits(back)) >= 20, 10)
    running = False
    await writing
    await eventually(lambda: edits(leaver, back) == edits(observer), 5)

    assert back.recovered and back.sid == leaver.sid and back.pid == leaver.pid
    heard = edits(leaver, back)
    assert len(heard) == len(set(heard)) >= 30
    renamed = [event.arg["userName"] for event in back.named("user-name-changed")]
    assert renamed == ["Benedikt"]
    assert not back.named("receive-full-editor"), "what was missed comes as events"
    # The others saw nothing of it, and the host is host.
    await asyncio.sleep(4)
    assert observer.named("user-left", "user-joined", after=mark) == []
    assert back.host_name == "Ana" and back.user_names == ["Ana", "Benedikt", "Obs"]
    node = await back.add(room, "after")
    await eventually(lambda: edits(observer)[-1] == node["uuid"], 5)


@pytest.mark.bound(60)
async def test_a_connection_that_breaks_comes_back_unseen_and_one_that_does_not_leaves(
    pair, people, room
):
    leaver, observer, writer = await started(people, pair, room)
    mark = observer.mark()
    await leaver.drop()
    missed = await writer.add(room, "missed")
    back = await come_back(people, leaver, pair.instances[1].url)
    assert back.recovered and back.sid == leaver.sid
    await back.wait("users-list")
    assert edits(back) == [missed["uuid"]]
    await asyncio.sleep(4)
    assert observer.named("user-left", "user-joined", after=mark) == []
    await back.drop()
    await observer.wait("user-left", after=mark, timeout=10)


@pytest.mark.bound(60)
async def test_a_full_scene_that_was_missed_comes_whole_and_the_client_is_a_new_socket(
    pair, people, room
):
    leaver, observer, writer = await started(people, pair, room, password="secreta")
    mark = observer.mark()
    await leaver.drop()
    await writer.upload(room, creation_editor(box("B"), box("C")))
    after = await writer.add(room, "after")
    back = await come_back(people, leaver, pair.instances[1].url)
    assert not back.recovered and back.sid != leaver.sid and back.pid != leaver.pid
    joined = await back.wait("joined-room")
    assert joined.arg["isHost"] is True, "the secret stands for cookie and password"
    await back.wait("users-list")
    assert [event.name for event in back.events[:4]] == [
        "joined-room", "receive-full-editor", "users-list", "user-count",
    ]  # fmt: skip
    assert after["uuid"] in (await back.scene(room)).objects
    assert observer.named("user-left", "user-joined", after=mark) == []


@pytest.mark.bound(90)
async def test_P3_P11_without_redis_a_client_comes_back_to_its_instance(clusters, people, room):
    cluster = await clusters(instances=1)
    one = cluster.instances[0]
    leaver = await people.host(
        one.url, room, "Ana", editor=creation_editor(box("A")), query=RECOVERS
    )
    writer = await people.guest(one.url, room, "Ben")
    await asyncio.sleep(0.5)
    await writer.add(room, "before")
    cluster.redis.kill()
    await eventually(one.degraded, 15)
    before = await writer.add(room, "degraded")
    await eventually(lambda: edits(leaver)[-1:] == [before["uuid"]], 5)
    await leaver.drop()
    missed = await writer.add(room, "missed")
    back = await come_back(people, leaver, one.url)
    assert back.recovered and back.sid == leaver.sid
    await back.wait("users-list")
    assert edits(back) == [missed["uuid"]]
    assert writer.named("user-left") == []


@pytest.mark.bound(60)
async def test_P13_no_forged_secret_or_place_lets_anybody_in(pair, people, room):
    leaver, observer, writer = await started(people, pair, room, password="secreta")
    other = await people.host(
        pair.instances[0].url, room + "-b", "Eva", password="geheim12", query=RECOVERS
    )
    sid, secret = leaver.pid.split(".")
    zeros = f"{sid}.{'0' * 32}"
    forged = [
        {"pid": zeros, "offset": leaver.offset},
        {"pid": f"{other.sid}.{secret}", "offset": leaver.offset},
        {"pid": f"{sid}.{other.pid.split('.')[1]}", "offset": leaver.offset},
        {"pid": sid, "offset": leaver.offset},
        {"pid": f"{sid}.{secret.upper()}", "offset": leaver.offset},
        # The secret of one room, a place in another.
        {"pid": other.pid, "offset": leaver.offset},
        {"pid": leaver.pid, "offset": other.offset},
        {"pid": leaver.pid, "offset": leaver.offset.upper()},
        {"pid": leaver.pid, "offset": leaver.offset + "."},
        {"pid": leaver.pid, "offset": "." * 100_000},
        {"pid": leaver.pid, "offset": None},
        {"pid": leaver.pid, "offset": {"a": [1]}},
        {"pid": leaver.pid},
        {"pid": ["x"], "offset": 7},
        {"pid": {"toString": 1}, "offset": leaver.offset},
        {"pid": "", "offset": ""},
    ]
    mark = observer.mark()
    for auth in forged:
        for one in pair.instances:
            thief = RoomClient(one.url, query=RECOVERS, auth=auth)
            people.clients.append(thief)
            await thief.connect()
            assert not thief.recovered and thief.sid not in (leaver.sid, other.sid), auth
            answer = await thief.edit("sync-editor-object-removal", room, {"objectId": "A"})
            assert answer["error"]["code"] == "USER_NOT_IN_ROOM", auth
            assert thief.named("receive-full-editor", "users-list", "joined-room") == [], auth
            await thief.abandon()
    await writer.add(room, "undisturbed")
    assert observer.named("user-left", "user-joined", after=mark) == []
    assert leaver.connected and other.connected
    assert observer.user_names == ["Ana", "Ben", "Obs"]


@pytest.mark.bound(60)
async def test_returning_clients_cost_less_than_five_commands_of_redis_each(clusters, people, room):
    count = 40
    cluster = await clusters(instances=2)
    first, second = cluster.instances
    host = await people.host(second.url, room, "Host", editor=creation_editor(box("A")))
    guests = [
        await people.guest(first.url, room, f"G{number}", query=RECOVERS)
        for number in range(count)
    ]
    await asyncio.sleep(0.5)
    await host.add(room, "seen")
    for guest in guests:
        await guest.wait("receive-editor-object-update")
    first.kill()
    for guest in guests:
        await guest.wait_closed(5)
    missed = await host.add(room, "missed")

    monitor = Monitor(cluster.redis.port)
    back = await asyncio.gather(*(come_back(people, guest, second.url) for guest in guests))
    for guest, client in zip(guests, back, strict=True):
        assert client.recovered and client.sid == guest.sid
        await client.wait("users-list")
        assert edits(client) == [missed["uuid"]]
    monitor.close()
    # What a script does inside is marked as such; the room's id is in every key of the room.
    spent = [
        line
        for line in monitor.heard.decode(errors="replace").splitlines()
        if room in line and " lua]" not in line
    ]
    # Reads and commits, for all; a sweep of the dead instance may be among them.
    assert 1 <= len(spent) <= count + 5, spent
    metrics = (await http.get(second.url + "/metrics")).text
    assert f"tandem_recoveries_total {count}" in metrics


@pytest.mark.bound(120)
async def test_P11_the_stock_client_in_a_browser_is_recovered_after_kill_9(
    clusters, pages, page_server, people, room
):
    cluster = await clusters(instances=2, nginx=True, env={"CORS_ORIGINS": page_server.url})
    url = cluster.nginx.url
    tab = await pages.open(page_server.url + "/", tab=StockPage)
    tab.expects(*NETWORK)
    await tab.connect(url, room, "websocket", reconnectionDelay=100, reconnectionDelayMax=300)
    await tab.create(room, "Ana", editor=creation_editor(box("A")))
    victim = await cluster.serving(room)
    # The creator's socket named its room, so it is where the ring says.
    survivor = cluster.others(victim)[0]
    observer = await people.guest(survivor.url, room, "Obs")
    writer = await people.guest(survivor.url, room, "Ben")
    await asyncio.sleep(0.5)
    mark, page_mark = observer.mark(), await tab.mark()
    socket_id = await tab.page.evaluate("client.socket.id")
    running = True

    async def write():
        while running:
            with contextlib.suppress(TimeoutError):
                await writer.add(room, "w")
            await asyncio.sleep(0.02)

    writing = asyncio.create_task(write())
    await eventually(lambda: len(edits(observer)) >= 10, 5)
    victim.kill()
    connected = await tab.wait("(connect)", after=page_mark, timeout=20)
    assert connected["args"][0] == socket_id
    assert connected["args"][2] is True, "socket.recovered"
    seen = len(edits(observer))
    await eventually(lambda: len(edits(observer)) >= seen + 10, 10)
    running = False
    await writing

    async def heard():
        return await tab.page.evaluate(
            "client.of('receive-editor-object-update').map((one) => one.objectUuid)"
        )

    async def same():
        return await heard() == edits(observer)

    await eventually(same, 10)
    assert observer.named("user-left", "user-joined", after=mark) == []
    assert observer.host_name == "Ana"
    names = await tab.page.evaluate("client.events.map((one) => one.name)")
    assert "joined-room" not in names and "receive-full-editor" not in names
