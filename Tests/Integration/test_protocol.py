"""Engine.IO and Socket.IO on the wire, with the stock Python client and byte by byte, straight to an
instance and through nginx."""

import asyncio
import json

import aiohttp
import pytest

from support import http
from support.scenes import SceneModel, box, creation_editor, editor, object_data
from support.stock import TRANSPORTS
from support.waiting import eventually
from support.wire import ConnectRefused, Unreachable, WireSocket


@pytest.fixture(params=["direct", "nginx"])
def url(request, pair):
    return pair.instances[0].url if request.param == "direct" else pair.nginx.url


def named(url: str, pair, room: str) -> str | None:
    """The room that a stock client names in its query: none straight to an instance, which could
    answer with a redirect that only the editor understands."""
    return room if url == pair.nginx.url else None


def endpoint(url: str, **query) -> str:
    query = {"EIO": "4", "transport": "polling"} | query
    pairs = "&".join(f"{key}={value}" for key, value in query.items() if value is not None)
    return f"{url}/socket.io/?{pairs}"


async def open_polling(url: str) -> dict:
    answer = await http.get(endpoint(url))
    assert answer.status == 200 and answer.text.startswith("0{"), answer.text[:200]
    return json.loads(answer.text[1:])


async def poll_until(url: str, sid: str, wanted: str, limit: int = 8) -> str:
    """Polls until a packet begins with this."""
    for _ in range(limit):
        answer = await http.get(endpoint(url, sid=sid), timeout=15)
        assert answer.status == 200, answer.text
        for packet in answer.text.split("\x1e"):
            if packet.startswith(wanted):
                return packet
    raise AssertionError(f"no packet {wanted} in {limit} polls")


# --- the stock client -------------------------------------------------------------------------------


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_a_stock_client_connects_emits_and_is_answered(url, pair, people, room, transport):
    client = await people.stock(url, transport, room=named(url, pair, room))
    created = await client.request(
        "create-room",
        {"roomId": room, "userName": "Ana", "password": None},
        replies=("room-created", "room-creation-failed"),
    )
    assert created.name == "room-created"
    if transport == "upgrade":
        await eventually(lambda: client.current_transport == "websocket", what="the upgrade")
    else:
        assert client.current_transport == transport
    other = await people.stock(url, transport, room=named(url, pair, room))
    await other.request(
        "join-room", {"roomId": room, "userName": "Ben", "password": None}, replies=("joined-room",)
    )
    node = box("A")
    payload = {
        "roomId": room,
        "objectData": object_data(node),
        "objectUuid": node["uuid"],
        "changeType": "object-added",
    }
    answer = await client.call("sync-editor-object-update", payload)
    assert answer["ok"] is True and isinstance(answer["version"], int)
    heard = await other.wait("receive-editor-object-update")
    assert heard.arg["objectUuid"] == node["uuid"] and heard.arg["originUserId"] == client.sid
    answer = await other.call("sync-editor-object-removal", {"roomId": room, "objectId": "x"})
    assert answer["ok"] is True
    await client.wait("receive-editor-object-removal")


@pytest.mark.bound(90)
@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("megabytes", [5, 15])
async def test_big_scenes_pass_both_ways(url, pair, people, room, transport, megabytes):
    if transport == "upgrade" and megabytes == 15:
        transport = "websocket"
    sender = await people.stock(url, transport, room=named(url, pair, room))
    await sender.request(
        "create-room",
        {"roomId": room, "userName": "Ana", "password": None},
        replies=("room-created",),
    )
    padding = "x" * int(megabytes * 1e6 / 2 - 20_000)  # a scene stands twice in an upload
    payload = {"roomId": room, "editorData": editor(box("A"), padding=padding)}
    answer = await sender.request(
        "sync-full-editor",
        payload,
        timeout=40,
        replies=("sync-full-editor-success", "sync-full-editor-error"),
    )
    assert answer.name == "sync-full-editor-success", answer.arg
    receiver = await people.stock(url, transport, room=named(url, pair, room))
    await receiver.emit("join-room", {"roomId": room, "userName": "Ben", "password": None})
    event = await receiver.wait("receive-full-editor", timeout=40)
    root = event.arg["editorData"]["scene"]["object"]
    assert root["userData"]["padding"] == padding
    assert sender.disconnects == [] and receiver.disconnects == []


async def test_messages_sent_before_during_and_after_the_upgrade_arrive_once_and_in_order(
    url, pair, people, room
):
    client = await people.stock(url, "upgrade", room=named(url, pair, room))
    await client.request(
        "create-room",
        {"roomId": room, "userName": "Ana", "password": None},
        replies=("room-created",),
    )
    watcher = await people.stock(url, "websocket", room=named(url, pair, room))
    await watcher.request(
        "join-room", {"roomId": room, "userName": "Ben", "password": None}, replies=("joined-room",)
    )
    for number in range(150):
        await client.emit("sync-editor-object-removal", {"roomId": room, "objectId": str(number)})
        if number % 10 == 0:
            await asyncio.sleep(0.01)
    await watcher.wait(
        "receive-editor-object-removal", where=lambda data: data["objectId"] == "149"
    )
    ids = [
        event.arg["objectId"]
        for event in watcher.events
        if event.name == "receive-editor-object-removal"
    ]
    assert ids == [str(number) for number in range(150)]


# --- Engine.IO refusals ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "query, code",
    [
        ({"EIO": "2"}, 5),
        ({"EIO": "99"}, 5),
        ({"EIO": None}, 5),
        ({"EIO": "x"}, 5),
        ({"transport": "carrier-pigeon"}, 0),
        ({"transport": None}, 0),
        ({"transport": ""}, 0),
        ({"sid": "no-such-session"}, 1),
        ({"sid": "%00%ff"}, 1),
    ],
)
async def test_a_wrong_handshake_is_refused_with_its_numbered_code(pair, query, code):
    answer = await http.get(endpoint(pair.instances[0].url, **query))
    assert answer.status == 400, answer.text
    body = answer.json()
    assert body["code"] == code and isinstance(body["message"], str)


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "HEAD", "PATCH"])
async def test_a_handshake_by_another_method_than_get_is_refused(pair, method):
    answer = await http.request(method, endpoint(pair.instances[0].url), body=b"")
    assert answer.status in (400, 405)
    if method == "POST":
        assert answer.status == 400 and answer.json()["code"] == 2


async def test_a_websocket_for_an_unknown_session_is_refused_before_it_opens(url):
    socket = WireSocket(url, query={"sid": "no-such-session"})
    with pytest.raises(Unreachable) as refusal:
        await socket.connect()
    assert refusal.value.status == 400


async def test_a_websocket_of_a_wrong_version_is_refused_before_it_opens(pair):
    socket = WireSocket(pair.instances[0].url, query={"EIO": "2"})
    with pytest.raises(Unreachable) as refusal:
        await socket.connect()
    assert refusal.value.status == 400


async def test_a_websocket_request_without_an_upgrade_is_refused(pair):
    answer = await http.get(endpoint(pair.instances[0].url, transport="websocket"))
    assert answer.status == 400 and answer.json()["code"] in (3, 0)


async def test_the_path_is_served_with_and_without_a_slash(url):
    for path in ("/socket.io/", "/socket.io"):
        answer = await http.get(f"{url}{path}?EIO=4&transport=polling")
        assert answer.status == 200 and answer.text.startswith("0{")


# --- Engine.IO sessions ------------------------------------------------------------------------------


async def test_the_open_packet_of_polling_has_all_its_parts(url):
    opening = await open_polling(url)
    assert opening["upgrades"] == ["websocket"] and len(opening["sid"]) >= 16
    assert opening["pingInterval"] > 0 and opening["pingTimeout"] > 0
    assert opening["maxPayload"] >= 16_000_000


async def test_a_polling_session_by_hand(url):
    sid = (await open_polling(url))["sid"]
    answer = await http.request("POST", endpoint(url, sid=sid), body=b"40")
    assert answer.status == 200 and answer.text == "ok"
    connected = await poll_until(url, sid, "40")
    assert len(json.loads(connected[2:])["sid"]) >= 8
    # Two packets in one payload.
    body = '42["ping"]\x1e42["get-rooms"]'.encode()
    assert (await http.request("POST", endpoint(url, sid=sid), body=body)).status == 200
    await poll_until(url, sid, '42["rooms-list"')
    assert (await http.request("POST", endpoint(url, sid=sid), body=b"1")).status == 200
    after = await http.get(endpoint(url, sid=sid))
    assert after.status == 400 or after.text in ("6", "1")


async def test_two_polls_of_one_session_at_once_end_it(pair):
    url = pair.instances[0].url
    sid = (await open_polling(url))["sid"]
    await http.request("POST", endpoint(url, sid=sid), body=b"40")
    await poll_until(url, sid, "40")
    # Which of them comes second is the machine's affair.
    polls = [http.get(endpoint(url, sid=sid), timeout=15) for _ in range(2)]
    answers = await asyncio.gather(*polls)
    assert 400 in [answer.status for answer in answers]
    assert (await http.get(endpoint(url, sid=sid))).status == 400


@pytest.mark.parametrize("body", [b"abc", b"9", b"", b"4\x1e", b"\xff\xfe", b"b!!!notbase64"])
async def test_a_broken_polling_payload_is_refused_and_only_its_session_ends(pair, people, body):
    url = pair.instances[0].url
    other = await people.room_client(url)
    sid = (await open_polling(url))["sid"]
    answer = await http.request("POST", endpoint(url, sid=sid), body=body)
    assert answer.status in (200, 400)
    assert isinstance(await other.rooms(), list)


async def test_a_polling_body_over_the_limit_is_413(pair):
    url = pair.instances[0].url
    opening = await open_polling(url)
    body = b"4" + b"x" * (opening["maxPayload"] + 1)
    try:
        answer = await http.request(
            "POST", endpoint(url, sid=opening["sid"]), body=body, timeout=20
        )
    except (ConnectionError, OSError):
        pass  # the answer came while the body was still being sent
    else:
        assert answer.status == 413
    assert (await http.get(f"{url}/api/live")).status == 200


async def test_the_server_pings_and_closes_nobody_who_answers(clusters, people):
    cluster = await clusters(
        instances=1, redis=False, env={"PING_INTERVAL": 300, "PING_TIMEOUT": 2000}
    )
    url = cluster.instances[0].url
    socket = await people.room_client(url)
    polling = await people.stock(url, "polling")
    await asyncio.sleep(4)  # longer than one who does not answer stays
    await eventually(lambda: socket.pings >= 4, what="pings")
    assert socket.connected and polling.disconnects == []
    assert socket.open_packet["pingInterval"] == 300 and socket.open_packet["pingTimeout"] == 2000


async def test_an_upgrade_by_hand_with_a_probe(pair):
    url = pair.instances[0].url
    sid = (await open_polling(url))["sid"]
    await http.request("POST", endpoint(url, sid=sid), body=b"40")
    await poll_until(url, sid, "40")
    address = endpoint(url, sid=sid, transport="websocket").replace("http:", "ws:")
    async with aiohttp.ClientSession() as session, session.ws_connect(address) as socket:
        waiting = asyncio.create_task(http.get(endpoint(url, sid=sid), timeout=15))
        await socket.send_str("2probe")
        assert (await socket.receive(5)).data == "3probe"
        released = await asyncio.wait_for(waiting, 5)
        assert "6" in released.text.split("\x1e")
        await socket.send_str("5")
        await socket.send_str('42["ping"]')
        while True:
            packet = (await socket.receive(5)).data
            if packet != "2":
                break
        assert packet == '42["pong"]' or packet.startswith('42["pong"')
        # The old transport is closed to this session.
        stale = await http.request("POST", endpoint(url, sid=sid), body=b'42["ping"]')
        assert stale.status == 400


# --- Socket.IO --------------------------------------------------------------------------------------


async def test_an_unknown_namespace_is_refused_and_the_connection_stays(pair, people):
    client = await people.room_client(pair.instances[0].url)
    seen = []
    packet = client._packet
    client._packet = lambda text: (
        seen.append(text),
        None if text.startswith("4/") else packet(text),
    )
    await client.send_text("40/nowhere,")
    await eventually(lambda: any(text.startswith("4/nowhere,") for text in seen))
    refusal = next(text for text in seen if text.startswith("4/nowhere,"))
    assert json.loads(refusal.split(",", 1)[1])["message"] == "Invalid namespace"
    assert isinstance(await client.rooms(), list)


async def test_connect_takes_no_data_or_an_auth_object(pair, people):
    for auth in (None, {}, {"token": "x"}, {"deep": {"er": [1, 2]}}):
        client = await people.room_client(pair.instances[0].url, auth=auth)
        assert client.sid


@pytest.mark.parametrize("auth", [5, "text", [1], True])
async def test_connect_data_that_is_no_object_is_answered(pair, auth):
    socket = WireSocket(pair.instances[0].url, auth=auth)
    try:
        await socket.connect(5)
    except (ConnectRefused, Unreachable) as refusal:
        assert str(refusal) != "timeout"
    finally:
        await socket.close()


async def test_a_connection_that_never_connects_to_a_namespace_is_closed(pair):
    address = endpoint(pair.instances[0].url, transport="websocket").replace("http:", "ws:")
    async with aiohttp.ClientSession() as session, session.ws_connect(address) as socket:
        assert (await socket.receive(5)).data.startswith("0{")
        await socket.send_str('42["get-rooms"]')
        message = await socket.receive(20)
        assert message.type in (
            aiohttp.WSMsgType.CLOSE,
            aiohttp.WSMsgType.CLOSED,
            aiohttp.WSMsgType.CLOSING,
        )


async def test_an_origin_that_is_not_listed_gets_no_websocket(pair):
    for origin, admitted in (
        ("http://localhost:5173", True),
        ("https://app.example.org", True),
        ("https://evil.example.com", False),
        ("null", False),
    ):
        socket = WireSocket(pair.instances[0].url, headers={"Origin": origin})
        try:
            await socket.connect(5)
            assert admitted, f"{origin} was admitted"
        except Unreachable as refusal:
            assert not admitted and refusal.status in (400, 403), origin
        finally:
            await socket.close()


async def test_a_snapshot_travels_through_nginx_as_it_was_stored(pair, people, room):
    node = box('ñ 密 🔑 \u2028 \\ " / \t')
    host = await people.host(pair.nginx.url, room, editor=creation_editor(node))
    guest = await people.guest(pair.nginx.url, room)
    scene = SceneModel.of((await guest.snapshot(room))["editorData"])
    assert scene.objects[node["uuid"]] == node
    assert host.connected
