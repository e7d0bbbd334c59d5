"""Clients of Engine.IO 3 and Socket.IO 4: a stock one from PyPI, and the wire byte by byte."""

import asyncio
import json

import pytest

from support import http
from support.processes import Cluster
from support.rooms import CREATE_REPLIES, JOIN_REPLIES
from support.scenes import box, creation_editor, object_data
from support.stock import TRANSPORTS
from support.waiting import eventually

LLAMA = "Ñandú 🦙 𝄞"


@pytest.fixture(params=["direct", "nginx"])
def url(request, pair):
    return pair.instances[0].url if request.param == "direct" else pair.nginx.url


def edit(room: str, node: dict) -> dict:
    return {
        "roomId": room,
        "objectData": object_data(node),
        "objectUuid": node["uuid"],
        "changeType": "object-added",
    }


async def create(client, room: str, name: str, node: dict):
    payload = {"roomId": room, "userName": name, "password": None, "editor": creation_editor(node)}
    answer = await client.request("create-room", payload, replies=CREATE_REPLIES)
    assert answer.name == "room-created", answer


async def join(client, room: str, name: str):
    payload = {"roomId": room, "userName": name, "password": None}
    answer = await client.request("join-room", payload, replies=JOIN_REPLIES)
    assert answer.name == "joined-room", answer


def names(users: list) -> set:
    return {user["name"] for user in users}


# --- the stock client ----------------------------------------------------------------------------


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_an_old_client_creates_a_room_and_shares_it_with_a_new_one(
    url, pair, people, room, transport
):
    old = await people.old(url, transport, room=room if url == pair.nginx.url else None)
    assert old.current_transport == ("polling" if transport == "polling" else "websocket")
    first = box(LLAMA)
    await create(old, room, LLAMA, first)
    new = await people.guest(pair.instances[1].url, room, "Ben")
    assert first["uuid"] in (await new.scene(room)).objects

    users = (await old.wait("users-list", where=lambda users: len(users) == 2)).arg
    assert names(users) == {LLAMA, "Ben"}
    me = next(user for user in users if user["id"] == old.sid)
    assert me["name"] == LLAMA and me["role"] == "host", "it knows itself by its id"
    assert next(user for user in users if user["id"] == new.sid)["name"] == "Ben"

    mine = box(f"mine {LLAMA}")
    answer = await old.call("sync-editor-object-update", edit(room, mine))
    assert answer["ok"] is True and isinstance(answer["version"], int)
    heard = await new.wait("receive-editor-object-update")
    assert heard.arg["originUserId"] == old.sid
    assert heard.arg["objectData"]["object"]["name"] == mine["name"]

    theirs = await new.add(room, f"theirs {LLAMA}")
    heard = await old.wait(
        "receive-editor-object-update", where=lambda data: data["objectUuid"] == theirs["uuid"]
    )
    assert heard.arg["objectData"]["object"]["name"] == theirs["name"]
    assert heard.arg["originUserId"] == new.sid
    await old.emit("user-name-change", {"roomId": room, "userName": "Ana"})
    await new.wait("users-list", where=lambda users: names(users) == {"Ana", "Ben"})
    await old.close()
    await new.wait("users-list", where=lambda users: names(users) == {"Ben"})


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_an_old_client_joins_a_room_and_is_sent_its_scene(pair, people, room, transport):
    node = box("A", userData={"padding": LLAMA * 40_000})
    host = await people.host(pair.instances[1].url, room, editor=creation_editor(node))
    old = await people.old(pair.nginx.url, transport, room=room)
    await join(old, room, "Ana")
    scene = await old.wait("receive-full-editor")
    assert LLAMA * 40_000 in json.dumps(scene.arg, ensure_ascii=False)
    await host.wait("users-list", where=lambda users: old.sid in {user["id"] for user in users})
    boxes = [await host.add(room, f"n{number}") for number in range(40)]
    wanted = [node["uuid"] for node in boxes]

    def seen() -> list:
        heard = [one for one in old.events if one.name == "receive-editor-object-update"]
        return [one.arg["objectUuid"] for one in heard]

    await eventually(lambda: len(seen()) >= len(wanted), 15)
    assert seen() == wanted, "each once and in order"


async def test_an_old_client_is_redirected_by_a_message_that_it_understands(pair, people, room):
    first, second = pair.instances
    room = await pair.room_owned_by(second, room)
    old = await people.old(first.url, room=room)
    while old.refusal is None:
        # An instance that is not sure that the owner is well serves the client itself.
        await old.close()
        old = await people.old(first.url, room=room)
    assert old.refusal == [f"REDIRECT:{second.url}"]
    old = await people.old(second.url, room=room)
    assert old.is_connected
    await create(old, room, "Ana", box("A"))


async def test_old_clients_stay_by_their_own_pings(people, room, tmp_path):
    patient = {"PING_INTERVAL": 3000, "PING_TIMEOUT": 3000}
    cluster = Cluster(tmp_path, instances=1, redis=False, env=patient)
    try:
        await cluster.start()
        url = cluster.instances[0].url
        clients = [await people.old(url, transport) for transport in ("websocket", "polling")]
        await create(clients[0], room, "Ana", box("A"))
        await join(clients[1], room, "Ben")
        # One leaves when its ping has no answer until the next is due.
        await asyncio.sleep(6.5)
        for old in clients:
            assert old.is_connected, old.events[-3:]
            answer = await old.call("sync-editor-object-update", edit(room, box("B")))
            assert answer["ok"] is True
    finally:
        await people.leave()
        cluster.stop()


async def test_an_old_client_comes_back_after_kill_9_with_nothing_lost(clusters, people, room):
    cluster = await clusters(instances=2, nginx=True)
    first, second = cluster.instances
    room = await cluster.room_owned_by(first, room)
    new = await people.host(second.url, room)
    old = await people.old(cluster.nginx.url, "upgrade", room=room, reconnection=True)
    await join(old, room, "Ana")
    node = box("A")
    assert (await old.call("sync-editor-object-update", edit(room, node)))["ok"] is True
    before, mark = old.sid, len(old.events)
    first.kill()
    await old.wait("connect", after=mark, timeout=20)
    await old.look()
    assert old.sid != before
    await join(old, room, "Ana")
    assert node["uuid"] in json.dumps((await old.wait("receive-full-editor", after=mark)).arg)
    both = {old.sid, new.sid}
    await new.wait("users-list", timeout=20, where=lambda all: {one["id"] for one in all} == both)


# --- on the wire ---------------------------------------------------------------------------------


def endpoint(url: str, **query) -> str:
    query = {"EIO": "3", "transport": "polling"} | query
    return f"{url}/socket.io/?" + "&".join(f"{key}={value}" for key, value in query.items())


def packets(text: str) -> list[str]:
    """Of a payload of text; lengths are UTF-16 code units."""
    found = []
    units = text.encode("utf-16-le")
    while units:
        length, _, _ = units.decode("utf-16-le").partition(":")
        start = 2 * (len(length) + 1)
        end = start + 2 * int(length)
        found.append(units[start:end].decode("utf-16-le"))
        units = units[end:]
    return found


async def test_the_handshake_opens_the_main_namespace(url):
    answer = await http.get(endpoint(url))
    opening = packets(answer.text)
    open_packet = json.loads(opening[0][1:])
    assert opening[0][0] == "0" and open_packet["upgrades"] == ["websocket"]
    if len(opening) == 1:
        answer = await http.get(endpoint(url, sid=open_packet["sid"]))
        opening += packets(answer.text)
    assert opening[1] == "40"


async def test_polling_answers_a_ping_and_text_in_utf_16(pair, room):
    url = pair.instances[0].url
    opening = packets((await http.get(endpoint(url, b64=1))).text)
    address = endpoint(url, b64=1, sid=json.loads(opening[0][1:])["sid"])
    create_room = {"roomId": room, "userName": LLAMA, "password": None}
    message = "42" + json.dumps(["create-room", create_room], ensure_ascii=False)
    body = f"6:2probe{len(message.encode('utf-16-le')) // 2}:{message}"
    answer = await http.request("POST", address, body=body.encode())
    assert answer.status == 200 and answer.text == "ok"
    heard = []
    while not any(LLAMA in packet for packet in heard):
        heard += packets((await http.get(address, timeout=15)).text)
    assert "3probe" in heard


async def test_a_script_for_an_answer_is_refused(url):
    answer = await http.get(endpoint(url, j=0))
    assert answer.status == 400 and answer.json()["code"] == 3
