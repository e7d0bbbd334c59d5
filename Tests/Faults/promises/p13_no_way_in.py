"""P13: passwords, membership and packets under and after `kill -9`; ghosts."""

import asyncio
import contextlib
import random
import time

from support.rooms import Refused, RoomClient
from support.scenes import box, creation_editor, editor, object_data
from support.waiting import eventually
from support.wire import Unreachable, new_browser

from harness.result import Result
from harness.size import Size
from harness.stage import Stage, new_room, say

REPEATS = 5
GHOSTS = 15.0
PASSWORD = "only-for-members"
SECRET = "SECRET-OBJECT"


def hostile_packets() -> list[str | bytes]:
    """Text and binary frames that a client may send once it is connected."""
    deep = "[" * 10_000 + "]" * 10_000
    return [
        "", "9", "4", "42", "42[", "42[]", "42{}", "42[null]", '42["join-room"', "43", "45-",
        "45-1-", "451-[", '451-["x",{"_placeholder":true,"num":9}]', "459999999999-[]",
        "42999999999999999999[]", "4/" + "n" * 5_000 + ",", "40{", "40/admin,", "41", "44",
        "2probe", "3probe", "5", "6", "0{}", f'42["join-room",{deep}]',
        '42["join-room",' + "9" * 400 + "]", '42["\\ud800"]', '42["__proto__",{"__proto__":1}]',
        '42["connect"]', '42["disconnect"]', "42" + "[" * 100_000, b"", b"\x00", b"\xff" * 1_000,
        "43999[]", '42["sync-full-editor",{"roomId":' + deep + "}]", "4" * 70_000,
        '42["create-room",{"roomId":"../../x","userName":{"a":1},"password":[]}]',
    ]  # fmt: skip


async def run(size: Size, repeat: int) -> list[Result]:
    entries = Result(
        "P13",
        "wrong and absent passwords, foreign reads and edits, on every way in, before a kill -9, "
        "in it and after it: those that succeeded",
        "test_P13_no_way_into_a_room_around_its_password",
        0,
        unit="entries",
    )
    packets = Result(
        "P13",
        f"{len(hostile_packets())} hostile packets, each on a connection of its own, to each "
        "instance: processes that ended, members that noticed",
        "test_P13_no_packet_stops_a_process",
        0,
        unit="victims",
    )
    ghosts = Result(
        "P13",
        "kill -9 of an instance whose members do not return: until the lists are right",
        "test_P13_no_ghost_stays_in_a_list",
        GHOSTS,
    )
    async with Stage(instances=2, nginx=True) as stage:
        for number in range(repeat):
            with entries.attempt(), packets.attempt(), ghosts.attempt():
                await try_once(stage, entries, packets, ghosts)
            say(f"P13 {number + 1}/{repeat}: ghosts {ghosts.text(ghosts.worst)}")
            if number + 1 < repeat:
                await stage.bring_all_back()
    return [entries, packets, ghosts]


async def try_once(stage: Stage, entries: Result, packets: Result, ghosts: Result):
    victim, survivor = stage.instances
    room = new_room("locked")
    host = await stage.people.host(
        survivor.url, room, "Host", PASSWORD, editor=creation_editor(box("kept", SECRET))
    )
    for number in range(3):
        await stage.people.guest(victim.url, room, f"Ghost{number}", PASSWORD)
    await eventually(lambda: len(host.users) == 4, 5, what="all are in the list")
    before = await host.scene(room)
    intruder = await stage.people.room_client(survivor.url)

    found = []
    for url in (victim.url, survivor.url, stage.cluster.nginx.url):
        found += await break_in(stage, url, room)
    packets.measured(await throw_packets(stage, host))

    mark = host.mark()
    killed_at = time.monotonic()
    victim.kill()
    # While the death is not yet known, and again when it is.
    ways = (survivor.url, stage.cluster.nginx.url)
    for url in ways:
        found += await break_in(stage, url, room)
    await eventually(lambda: host.user_names == ["Host"], 30, what="the ghosts are gone")
    lists = [one for one in host.events[mark:] if one.name == "users-list" and len(one.arg) == 1]
    ghosts.measured(lists[0].at - killed_at)
    left = [one.arg["userName"] for one in host.events[mark:] if one.name == "user-left"]
    assert sorted(left) == ["Ghost0", "Ghost1", "Ghost2"], f"user-left for {left}"
    for url in ways:
        found += await break_in(stage, url, room)
    found += await read_and_write(intruder, room)
    entries.measured(len(found))
    for one in found[:3]:
        entries.broken(one)
    assert (await host.scene(room)).difference(before) == "", "an intruder changed the scene"
    heard = [event.name for event in intruder.events if SECRET in str(event.args)]
    assert not heard, f"a non-member was shown the room in {heard}"
    # The right password still opens.
    member = await stage.people.guest(stage.cluster.nginx.url, room, "Member", PASSWORD)
    assert SECRET in (await member.scene(room)).objects
    for client in (host, intruder, member):
        await client.close()


async def break_in(stage: Stage, url: str, room: str) -> list[str]:
    """What should have been refused and was not. From a new address of this machine each time: who
    has tried too often is refused whatever he knows."""
    found = []
    parts = [str(random.randrange(1, 255)) for _ in range(3)]
    address = ".".join(["127", *parts])
    for password in ("wrong", None, "", PASSWORD[:-1], PASSWORD + " ", {"$ne": ""}, [PASSWORD], 0):
        client = await visitor(stage, url, room, address)
        try:
            try:
                await client.join(room, "Intruder", password)
                found.append(f"{url}: joined with {password!r}")
            except Refused as refusal:
                if refusal.code == "RATE_LIMITED":
                    found.append(f"{url}: {password!r} was not looked at")
            found += [f"{url}: {one}" for one in await read_and_write(client, room)]
        finally:
            await client.close()
            await client.browser.close()
            stage.people.clients.remove(client)
    return found


async def visitor(stage: Stage, url: str, room: str, address: str) -> RoomClient:
    """Through nginx with the room named, as nginx's choice needs; it may fail while it learns."""
    query = {"roomId": room} if url == stage.cluster.nginx.url else {}

    async def connected():
        client = RoomClient(url, query=query, browser=new_browser(local_addr=(address, 0)))
        stage.people.keep(client)
        try:
            return await client.connect()
        except Unreachable:
            await client.browser.close()
            return None

    return await eventually(connected, 10, what="a connection")


async def read_and_write(client: RoomClient, room: str) -> list[str]:
    """As somebody who is not a member."""
    found = []
    with contextlib.suppress(Refused):
        await client.snapshot(room)
        found.append("read the scene")
    edits = {
        "sync-editor-object-update": {
            "objectData": object_data(box("planted")),
            "objectUuid": "PLANTED",
            "changeType": "object-added",
        },
        "sync-editor-object-removal": {"objectId": SECRET, "objectType": "Mesh"},
        "sync-scene-background-update": {
            "backgroundData": {"type": "Color", "r": 1, "g": 0, "b": 0}
        },
        "sync-script-added": {"objectUuid": SECRET, "script": {"name": "s", "source": "x"}},
    }
    for event, payload in edits.items():
        answer = await client.edit(event, room, payload)
        if answer.get("ok") is not False:
            found.append(f"{event} answered {answer}")
    with contextlib.suppress(Refused):
        await client.upload(room, editor(box("planted")))
        found.append("uploaded a scene")
    with contextlib.suppress(Refused):
        await client.delete(room)
        found.append("deleted the room")
    return found


async def throw_packets(stage: Stage, witness: RoomClient) -> int:
    """Processes that ended and connections of others that closed."""
    pids = [one.pid for one in stage.instances]
    closes = []

    async def throw(url: str, packet):
        client = RoomClient(url)
        try:
            await client.connect()
            await (client.send_text if isinstance(packet, str) else client.send_bytes)(packet)
            with contextlib.suppress(AssertionError, TimeoutError):
                await client.wait_closed(0.2)
        except (OSError, ConnectionError, Unreachable) as problem:
            if not isinstance(problem, (ConnectionError, OSError)):
                closes.append(f"{url} took no connection: {problem}")
        finally:
            await client.close()

    for one in stage.instances:
        for packet in hostile_packets():
            await throw(one.url, packet)
    ended = [one for one, pid in zip(stage.instances, pids) if not one.running or one.pid != pid]
    assert (await witness.snapshot(witness_room(witness)))["editorData"], "the witness is served"
    return len(ended) + len(closes) + (not witness.connected)


def witness_room(witness: RoomClient) -> str:
    return witness.last("room-created")["roomId"]
