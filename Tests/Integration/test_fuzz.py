"""No packet stops a process, and every request has an answer (R6, R35, C3)."""

import asyncio
import json

import pytest

from support import http
from support.rooms import RoomClient
from support.scenes import box

DEEP_OBJECT = '{"a":' * 10_000 + "1" + "}" * 10_000
DEEP_ARRAY = "[" * 10_000 + "]" * 10_000

# Arguments after the event's name, as JSON text.
PAYLOADS = {
    "nothing": "",
    "null": "null",
    "true": "true",
    "number": "1e308",
    "huge number": "9" * 400,
    "negative zero": "-0",
    "empty text": '""',
    "text": '"\\ud800 lone surrogate"',
    "empty array": "[]",
    "array": '[null,[1],{"roomId":"x"}]',
    "empty object": "{}",
    "null room": '{"roomId":null}',
    "object room": '{"roomId":{"roomId":"abc"},"userName":[],"password":{},"editor":1}',
    "prototype": '{"__proto__":{"roomId":"abc"},"constructor":"x","roomId":"no such room"}',
    "wrong types": '{"roomId":5,"userName":5,"password":5,"editorData":5,"objectUuid":5,'
    '"objectData":5,"objectId":5,"script":5,"fogData":5,"backgroundData":5}',
    "megabyte of text": json.dumps("x" * 1_000_000),
    "megabyte of room": json.dumps({"roomId": "y" * 1_000_000}),
}
MANY_ARGUMENTS = ",".join(["{}"] * 5_000)
DEEP = {
    "object": DEEP_OBJECT,
    "array": DEEP_ARRAY,
    "inside": '{"roomId":"abc","editorData":' + DEEP_OBJECT + "}",
}

ANSWERS = {
    "create-room": ("room-creation-failed",),
    "join-room": ("join-room-failed",),
    "leave-room": ("left-room",),
    "delete-room": ("delete-room-failed",),
    "get-rooms": ("rooms-list",),
    "user-name-change": ("editor-sync-error",),
    "request-editor-sync": ("editor-sync-error",),
    "sync-full-editor": ("sync-full-editor-error",),
    "sync-editor-object-update": ("editor-sync-error",),
    "sync-editor-object-removal": ("editor-sync-error",),
    "sync-editor-material-update": ("editor-sync-error",),
    "sync-scene-background-update": ("editor-sync-error",),
    "sync-scene-fog-update": ("editor-sync-error",),
    "sync-script-added": ("editor-sync-error",),
    "sync-script-changed": ("editor-sync-error",),
    "sync-script-removed": ("editor-sync-error",),
    "ping": ("pong",),
    "get-user-info": ("user-info",),
    "get-user-stats": ("user-stats",),
}
CODES = {
    "VALIDATION_ERROR",
    "MISSING_DATA",
    "USER_NOT_IN_ROOM",
    "ROOM_NOT_FOUND",
    "TOO_LARGE",
    "NOT_HOST",
    "RATE_LIMITED",
}


@pytest.fixture(scope="module")
def server(single):
    return single.instances[0]


async def witness(people, server, room):
    """Two members whose work must not be disturbed."""
    host = await people.host(server.url, room)
    guest = await people.guest(server.url, room)
    pid = server.pid

    async def undisturbed():
        assert server.running and server.pid == pid
        assert host.connected and guest.connected
        mark = guest.mark()
        node = await host.add(room, "witness")
        event = await guest.wait("receive-editor-object-update", after=mark)
        assert event.arg["objectUuid"] == node["uuid"]

    return undisturbed


@pytest.mark.parametrize("event", ANSWERS)
@pytest.mark.known_failure("C3")
async def test_any_payload_of_this_event_is_answered_within_5_seconds(server, people, room, event):
    undisturbed = await witness(people, server, room)
    quiet = await unanswered(people, server, event, PAYLOADS)
    await undisturbed()
    assert not quiet, quiet


@pytest.mark.parametrize("event", ANSWERS)
@pytest.mark.known_failure("C3")
async def test_a_payload_ten_thousand_levels_deep_is_answered_too(server, people, room, event):
    undisturbed = await witness(people, server, room)
    quiet = await unanswered(people, server, event, DEEP)
    await undisturbed()
    assert not quiet, quiet


async def unanswered(people, server, event, payloads) -> list[str]:
    """The payloads to which this event, each on a connection of its own, has no right answer."""
    quiet = []
    for title, payload in payloads.items():
        client = await people.room_client(server.url)
        text = f'42["{event}"' + (f",{payload}]" if payload else "]")
        await client.send_text(text)
        try:
            wanted = (*ANSWERS[event], "editor-sync-error") if payloads is DEEP else ANSWERS[event]
            answer = await client.wait(*wanted, timeout=5)
        except (AssertionError, ConnectionError) as problem:
            quiet.append(f"{title}: {str(problem)[:120]}")
            continue
        if ANSWERS[event][0].endswith(("failed", "error")) and answer.arg.get("code") not in CODES:
            quiet.append(f"{title}: code {answer.arg}")
        await client.close()
    return quiet


@pytest.mark.parametrize("event", [*ANSWERS, "user-activity", "no-such-event", ""])
@pytest.mark.known_failure("C3")
async def test_any_payload_from_a_member_with_an_ack_is_survived(server, people, room, event):
    undisturbed = await witness(people, server, room)
    member = await people.guest(server.url, room, "Fuzzer")
    for number, payload in enumerate([*PAYLOADS.values(), MANY_ARGUMENTS, *DEEP.values()]):
        await member.send_text(f'42{number}["{event}"' + (f",{payload}]" if payload else "]"))
    await asyncio.sleep(0.2)
    await undisturbed()
    await works_after(server, people, member)


@pytest.mark.parametrize("event", [*ANSWERS, "user-activity", "no-such-event"])
@pytest.mark.known_failure("C3")
async def test_binary_payloads_are_survived(server, people, room, event):
    undisturbed = await witness(people, server, room)
    member = await people.guest(server.url, room, "Fuzzer")
    await member.send_text(f'451-["{event}",{{"_placeholder":true,"num":0}}]')
    await member.send_bytes(b"\x00\xff" * 1000)
    await member.send_text(
        f'452-["{event}",{{"roomId":{{"_placeholder":true,"num":1}},'
        f'"objectData":{{"_placeholder":true,"num":0}}}}]'
    )
    await member.send_bytes(b"")
    await member.send_bytes(b"x" * 1_000_000)
    await asyncio.sleep(0.1)
    await undisturbed()
    await works_after(server, people, member)


PACKETS = {
    "empty": "",
    "unknown engine type": "9",
    "letter": "x",
    "message without packet": "4",
    "unknown socket type": "49",
    "event without body": "42",
    "event with object": '42{"a":1}',
    "event with number": "42[5]",
    "event with null name": "42[null]",
    "event with empty array": "42[]",
    "half json": '42["ping"',
    "trailing": '42["ping"] x',
    "bad escape": '42["\\x"]',
    "ack nobody asked for": "43999[]",
    "ack of a huge number": "43" + "9" * 60 + "[]",
    "event with a huge ack number": "42" + "9" * 60 + '["ping"]',
    "negative attachments": '45-1-["x"]',
    "a million attachments": '451000000-["x",{"_placeholder":true,"num":0}]',
    "attachments without end": '451-["x",{"_placeholder":true,"num":5}]',
    "attachments without dash": '4511["x"]',
    "placeholder of text": '451-["x",{"_placeholder":true,"num":"0"}]',
    "namespace that is none": '42/nowhere,["ping"]',
    "connect twice": "40",
    "connect elsewhere": "40/admin,",
    "connect error from a client": '44{"message":"x"}',
    "disconnect elsewhere": "41/nowhere,",
    "open from a client": '0{"sid":"x"}',
    "pong unasked": "3",
    "pong with data": "3probe",
    "upgrade": "5",
    "noop": "6",
    "reserved event connect": '42["connect"]',
    "reserved event disconnect": '42["disconnect"]',
    "reserved event error": '42["connect_error",{}]',
    "deep": "42" + DEEP_ARRAY,
    "deep event": '42["ping",' + DEEP_ARRAY + "]",
    "long name": '42["' + "n" * 1_000_000 + '"]',
    "nul": '42["pi\u0000ng"]',
    "binary event, then text": '451-["ping",{"_placeholder":true,"num":0}]',
}


@pytest.mark.parametrize("packet", PACKETS)
async def test_a_broken_packet_hurts_at_most_its_own_connection(server, people, room, packet):
    undisturbed = await witness(people, server, room)
    client = await people.room_client(server.url)
    await client.send_text(PACKETS[packet])
    if client.connected:
        try:
            await client.send_text('42["ping"]')
        except (ConnectionError, OSError):
            pass
    await asyncio.sleep(0.05)
    await undisturbed()


@pytest.mark.parametrize("data", [b"", b"\x00", b"4", b"x" * 1_000_000])
async def test_a_binary_frame_that_nothing_announced_hurts_at_most_its_own_connection(
    server, people, room, data
):
    undisturbed = await witness(people, server, room)
    client = await people.room_client(server.url)
    await client.send_bytes(data)
    await asyncio.sleep(0.05)
    await undisturbed()


# An ack id as it is written, and as it comes back; nothing comes back for what is none.
ACK_IDS = {
    "0": "0",
    "007": "7",
    "9007199254740992": "9007199254740992",
    "9007199254740993": None,
    "18446744073709551616": None,
    "-1": None,
    "1e3": None,
    "+5": None,
}


@pytest.mark.parametrize("written", ACK_IDS)
async def test_an_ack_id_comes_back_as_a_number_or_ends_the_connection(
    server, people, room, written
):
    undisturbed = await witness(people, server, room)
    client = await people.room_client(server.url)
    wanted = ACK_IDS[written]
    await client.send_text(f'42{written}["get-user-info"]')
    if wanted is None:
        await client.wait_closed()
    else:
        await client.wait("user-info")
        # The same id again: an id is the client's affair.
        assert (await client.emit_with_ack("ping"))["ok"] is True
    await undisturbed()


@pytest.mark.parametrize("event", ["join-room", "sync-editor-object-update"])
async def test_thousands_of_events_in_one_payload_are_survived(server, people, room, event):
    undisturbed = await witness(people, server, room)
    path = f"{server.url}/socket.io/?EIO=4&transport=polling"
    opening = await http.get(path)
    session = f"{path}&sid={json.loads(opening.text[1:])['sid']}"
    assert (await http.request("POST", session, body="40")).status == 200
    many = "\x1e".join(f'42{number}["{event}",{{"roomId":"no-room"}}]' for number in range(3_000))
    answer = await http.request("POST", session, body=many, timeout=30)
    assert answer.status == 200
    # Each has its answer: done, or refused for being too many.
    answered: set[int] = set()
    while len(answered) < 3_000:
        polled = await http.get(session, timeout=30)
        assert polled.status == 200, polled.text[:200]
        for packet in polled.text.split("\x1e"):
            if packet == "2":
                await http.request("POST", session, body="3")
            elif packet.startswith("43"):
                answered.add(int(packet[2 : packet.index("[")]))
    assert answered == set(range(3_000))
    await undisturbed()


async def test_more_packets_in_one_payload_than_allowed_end_that_session_only(
    server, people, room
):
    undisturbed = await witness(people, server, room)
    path = f"{server.url}/socket.io/?EIO=4&transport=polling"
    session = f"{path}&sid={json.loads((await http.get(path)).text[1:])['sid']}"
    answer = await http.request("POST", session, body="\x1e".join(["3"] * 65_537), timeout=30)
    assert answer.status == 400
    assert (await http.get(session)).status == 400
    await undisturbed()


async def works_after(server, people, member: RoomClient):
    """The abused connection still works, or it was closed and a new one does."""
    client = member if member.connected else await people.room_client(server.url)
    try:
        assert isinstance(await client.rooms(), list)
    except ConnectionError:
        client = await people.room_client(server.url)
        assert isinstance(await client.rooms(), list)
    own = await people.room_client(server.url)
    with_box = box()
    assert (await own.put("no-such-room", with_box))["ok"] is False
