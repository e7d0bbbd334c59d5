"""Programs with the official Node Redis adapter or emitter, and this server, in one cluster."""

import json
import re

import pytest

from support import http
from support.official import Outsider, broadcast, pack
from support.processes import Cluster
from support.rooms import JOIN_REPLIES
from support.scenes import box, creation_editor
from support.waiting import eventually


@pytest.fixture(scope="module")
def mirroring(tmp_path_factory):
    """Two instances that publish their rooms' broadcasts, shared by the tests of this file."""
    with Cluster(tmp_path_factory.mktemp("relay"), env={"RELAY_OFFICIAL": "1"}).served() as cluster:
        yield cluster


async def metric(instance, name: str) -> int | None:
    text = (await http.get(instance.url + "/metrics")).text
    values = [line.split()[-1] for line in text.splitlines() if line.split(" ")[0] == name]
    return int(float(values[0])) if values else None


async def listens(*instances) -> bool:
    return all([await metric(one, "tandem_relay_listening") == 1 for one in instances])


async def is_deaf(instance) -> bool:
    return await metric(instance, "tandem_relay_listening") == 0


async def outsider(cluster, people, *patterns) -> Outsider:
    await eventually(lambda: listens(*cluster.instances), 10, what="the relays listen")
    return people.keep(await Outsider(cluster.redis).open(*patterns))


def names(client, *wanted: str) -> list[str]:
    return [event.name for event in client.events if event.name in wanted]


async def stock_guest(people, url: str, room: str):
    client = await people.stock(url)
    payload = {"roomId": room, "userName": "Stock"}
    answer = await client.request("join-room", payload, replies=JOIN_REPLIES)
    assert answer.name == "joined-room"
    return client


async def test_an_emitter_reaches_a_room_on_both_instances_and_nobody_else(mirroring, people, room):
    first, second = mirroring.instances
    program = await outsider(mirroring, people)
    host = await people.host(first.url, room)
    guest = await stock_guest(people, second.url, room)
    stranger = await people.stock(second.url)

    await program.emit("notice", {"text": "ü", "n": [1, -1.5, None]}, rooms=[f"room:{room}"])
    await program.emit("image", b"\x00\x01\xff", {"in": b""}, rooms=[f"room:{room}", "no-such"])
    await program.emit("others", 1, rooms=[f"room:{room}"], excluded=[guest.sid])
    await program.emit("one", rooms=[guest.sid], flags={"volatile": True, "compress": False})
    await program.emit("end")

    for client in (host, guest, stranger):
        await client.wait("end")
    heard = ("notice", "image", "others", "one", "end")
    assert names(host, *heard) == ["notice", "image", "others", "end"]
    assert names(guest, *heard) == ["notice", "image", "one", "end"]
    assert names(stranger, *heard) == ["end"]
    events = {event.name: event.args for event in guest.events}
    assert events["notice"] == [{"text": "ü", "n": [1, -1.5, None]}]
    assert events["image"] == [b"\x00\x01\xff", {"in": b""}]
    assert events["one"] == []


async def test_an_edit_is_published_once_byte_for_byte_and_delivered_once(mirroring, people, room):
    first, second = mirroring.instances
    program = await outsider(mirroring, people, "socket.io#/#*")
    host = await people.host(first.url, room, editor=creation_editor())
    guest = await stock_guest(people, second.url, room)
    beside = await people.guest(first.url, room, "Beside")
    channel = f"socket.io#/#room:{room}#"
    node = await host.add(room, "Kiste")
    mine = await guest.wait("receive-editor-object-update")
    await beside.wait("receive-editor-object-update")
    answer = await guest.call("user-name-change", {"roomId": room, "userName": "Neu"})
    assert answer["ok"] is True
    renamed = (await host.wait("user-name-changed")).arg

    edits = [b"receive-editor-object-update", b"user-name-changed"]

    def published():
        return [one for one in program.heard if any(name in one[1] for name in edits)]

    await eventually(lambda: len(published()) >= 2, what="both are published")
    assert mine.arg["objectUuid"] == node["uuid"]
    expected = [
        ("receive-editor-object-update", mine.arg, host.sid),
        ("user-name-changed", renamed, guest.sid),
    ]
    assert published() == [
        (
            channel,
            pack(
                [
                    "tandem",
                    {"type": 2, "data": [name, payload], "nsp": "/"},
                    {"rooms": [f"room:{room}"], "except": [author], "flags": {}},
                ]
            ),
        )
        for name, payload, author in expected
    ]
    # What another program sends now comes after anything that is still under way.
    await program.emit("end", rooms=[f"room:{room}"])
    for client in (host, guest, beside):
        await client.wait("end")
    await eventually(lambda: any(pack("end") in one[1] for one in program.heard))
    update = "receive-editor-object-update"
    assert [names(one, update) for one in (host, guest, beside)] == [[], [update], [update]]
    assert names(host, "user-name-changed") == ["user-name-changed"]
    assert len(published()) == 2


async def test_a_scene_and_the_end_of_a_room_are_published_once(mirroring, people, room):
    first, second = mirroring.instances
    program = await outsider(mirroring, people, f"socket.io#/#room:{room}#")
    host = await people.host(first.url, room)
    guest = await people.guest(second.url, room)
    await host.upload(room, creation_editor(box("A")))
    await guest.wait("receive-full-editor")
    await host.delete(room)
    await guest.wait("room-deleted")
    await eventually(
        lambda: any(b"room-deleted" in message for _, message in program.heard),
        what="the end is published",
    )
    published = [message for _, message in program.heard]
    for name in (b"receive-full-editor", b"room-deleted", b"user-joined"):
        assert sum(name in message for message in published) == 1, name
    assert {message[:8] for message in published} == {b"\x93" + pack("tandem")}


async def test_requests_of_a_node_server_are_answered_by_both_instances(mirroring, people, room):
    first, second = mirroring.instances
    program = await outsider(mirroring, people, "socket.io-response#/#*")
    host = await people.host(first.url, room)
    guest = await people.guest(second.url, room)
    members = {"rooms": [f"room:{room}"], "except": []}

    await program.request(requestId="q1", type=5, opts=members)
    answers = [json.loads(message) for _, message in await program.hears(2)]
    assert {channel for channel, _ in program.heard} == {"socket.io-response#/#"}
    assert [answer["requestId"] for answer in answers] == ["q1", "q1"]
    sockets = {one["id"]: one for answer in answers for one in answer["sockets"]}
    assert set(sockets) == {host.sid, guest.sid}
    assert set(sockets[guest.sid]["rooms"]) == {guest.sid, f"room:{room}"}
    assert "cookie" not in sockets[guest.sid]["handshake"]["headers"]

    await program.request(requestId="q2", type=1)
    rooms = [set(json.loads(message)["rooms"]) for _, message in (await program.hears(4))[2:]]
    assert all(f"room:{room}" in one for one in rooms)

    await program.request(type=2, opts={"rooms": [guest.sid], "except": []}, rooms=["lounge"])
    await program.emit("hello", rooms=["lounge"])
    await guest.wait("hello")
    await program.request(type=4, opts={"rooms": ["lounge"], "except": []}, close=True)
    await eventually(lambda: not guest.connected, what="the guest is disconnected")
    assert host.connected and names(host, "hello") == []


async def test_nothing_that_is_published_harms_an_instance(mirroring, people, room):
    program = await outsider(mirroring, people)
    instance = mirroring.instances[0]
    host = await people.host(instance.url, room)
    before = await metric(instance, "tandem_relay_malformed_total")
    good = broadcast("emitter", ["e", {"a": [1, "x", b"y"]}], ["r"])
    deep = b"\x91" * 100_000
    wrong = [b"", b"\xc1", b"{", b"\x93", good[:-1], good + b"\x00", deep, b"\xdd\xff\xff\xff\xff"]
    wrong += [b'{"type":99}', b'{"type":2,"opts":{"rooms":5},"rooms":{}}', b"[" * 100_000]
    for channel in ("socket.io#/#", "socket.io-request#/#", "socket.io-response#/#"):
        for message in wrong:
            await program.publish(channel, message)
    # Reserved for the protocol itself: no client is made to believe that it was disconnected.
    await program.emit("disconnect", rooms=[host.sid])
    await program.emit("end")
    await host.wait("end")

    async def all_are_counted():
        now = await metric(instance, "tandem_relay_malformed_total")
        return now - before >= len(wrong)

    await eventually(all_are_counted, what="each wrong message is counted")
    assert names(host, "disconnect") == [] and host.connected
    await host.add(room, "Danach")


async def test_the_relay_hears_from_when_redis_is_there_and_again_after_it_was_away(
    clusters, people, room
):
    cluster = await clusters(instances=1, redis_first=False)
    instance = cluster.instances[0]
    assert await is_deaf(instance)
    await instance.ready()
    host = await people.host(instance.url, room)
    for number in range(2):
        await cluster.redis.start()
        program = await outsider(cluster, people)
        await program.emit("hello", number, rooms=[f"room:{room}"])
        await host.wait("hello", where=lambda value: value == number)
        if number == 0:
            cluster.redis.kill()
            await eventually(instance.degraded, 10, what="Redis is missed")
            await eventually(lambda: is_deaf(instance), 10, what="the relay is deaf")
    assert names(host, "hello") == ["hello", "hello"]
    instance.terminate()
    assert await instance.ended(15) == 0


async def test_a_redis_that_forbids_the_official_channels_harms_nothing_else(
    clusters, people, room
):
    cluster = await clusters(instances=2, start=False)
    await cluster.redis.start()
    rules = ["on", ">pw", "~*", "+@all", "resetchannels", "&tandem:*"]
    assert cluster.redis.command("ACL", "SETUSER", "limited", *rules) == b"+OK"
    cluster.env["REDIS_URL"] = f"redis://limited:pw@127.0.0.1:{cluster.redis.port}"
    for one in cluster.instances:
        one.launch()
    for one in cluster.instances:
        await one.ready()
    first, second = cluster.instances
    host = await people.host(first.url, room)
    guest = await people.guest(second.url, room)
    await host.add(room, "A")
    await guest.wait("receive-editor-object-update")
    lost = "programs with the official adapter do not reach this instance"
    witness = people.keep(await Outsider(cluster.redis).open())

    async def refused() -> int:
        stats = (await witness.ask("INFO", "commandstats")).decode()
        line = next(one for one in stats.splitlines() if one.startswith("cmdstat_psubscribe:"))
        return int(re.search(r"rejected_calls=(\d+)", line)[1])

    await eventually(lambda: lost in first.log_text(), what="the log says so")
    at_once = await refused()

    async def refused_again():
        return await refused() >= at_once + 4

    await eventually(refused_again, 20, what="further attempts are refused")
    assert first.log_text().count(lost) == 1
    assert await is_deaf(first)
    assert (await first.health())["status"] == "healthy"


async def test_without_the_setting_nothing_is_published(clusters, people, room):
    cluster = await clusters(instances=1)
    program = await outsider(cluster, people, "socket.io*")
    host = await people.host(cluster.instances[0].url, room)
    await host.add(room, "A")
    await program.emit("end")
    await host.wait("end")
    # Its own words come back to it on another connection, after anything that was published before.
    await program.hears(1)
    assert [channel for channel, _ in program.heard] == ["socket.io#/#"]


async def test_an_embedded_instance_has_no_relay(single, people, room):
    host = await people.host(single.instances[0].url, room)
    await host.add(room, "A")
    assert await metric(single.instances[0], "tandem_relay_listening") is None
