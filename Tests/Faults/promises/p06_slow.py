"""P6: members that stop reading, in a room where the others work on."""

import asyncio
import socket
import statistics
import time

from support import http
from support.rooms import RoomClient
from support.scenes import SceneModel, box, object_data
from support.waiting import eventually

from harness.result import Result
from harness.size import Size
from harness.stage import Stage, new_room, say

REPEATS = 5
SLOW = 4
SOCKET_CAP = 8 * 1024 * 1024
# Allowed beside what sockets may hold: the room's own scene, buffers of the allocator.
PROCESS_SLACK = 48 * 1024 * 1024
PADDING = 40_000  # bytes of one edit
OTHERS_FEEL = 0.25  # seconds that the slowest hundredth may get slower
FRESH = 10.0
ROUNDS = 12  # of 50 edits: three times what a socket may hold


async def run(size: Size, repeat: int) -> list[Result]:
    slow = SLOW if not size.is_full else 20
    felt = Result(
        "P6",
        f"{slow} of a room's members stop reading under edits of {PADDING // 1000} KB: how much "
        "later the slowest hundredth of the edits reaches the others",
        "test_P6_others_do_not_feel_a_slow_reader",
        OTHERS_FEEL,
    )
    held = Result(
        "P6",
        "the same: most bytes that wait for one socket (8 MiB allowed); in all, growth of the "
        "process below that for each and 48 MiB",
        "test_P6_what_waits_for_a_slow_reader_is_bounded",
        SOCKET_CAP / 2**20,
        unit="MiB",
    )
    fresh = Result(
        "P6",
        "the same, then they read again: until each has the newest state, on its connection or, "
        "sent away, on a new one",
        "test_P6_a_slow_reader_is_fresh_again",
        FRESH,
    )
    async with Stage(instances=1) as stage:
        for number in range(repeat):
            with felt.attempt(), held.attempt(), fresh.attempt():
                await stop_reading_once(stage, slow, felt, held, fresh)
            say(f"P6 {number + 1}/{repeat}: {felt.text(felt.worst)}, {held.text(held.worst)}")
    return [felt, held, fresh]


class Sender:
    """Edits at a steady pace; a member that reads notes how long each was under way."""

    def __init__(self, author: RoomClient, reader: RoomClient, room: str):
        self.author, self.reader, self.room = author, reader, room
        self.node = box("moving")
        self.sent: dict[int, float] = {}
        self.step = 0

    async def send(self, count: int, pause: float) -> list[float]:
        first = self.step + 1
        mark = self.reader.mark()
        for _ in range(count):
            self.step += 1
            data = {"step": self.step, "padding": "x" * PADDING}
            node = self.node | {"userData": data}
            self.sent[self.step] = time.monotonic()
            payload = {
                "roomId": self.room,
                "objectData": object_data(node),
                "objectUuid": node["uuid"],
                "changeType": "object-added",
            }
            await self.author.emit("sync-editor-object-update", payload)
            await asyncio.sleep(pause)
        arrived = {}

        def complete():
            for event in self.reader.events[mark:]:
                if event.name == "receive-editor-object-update":
                    arrived[event.arg["objectData"]["object"]["userData"]["step"]] = event.at
            return len(arrived) >= count

        await eventually(complete, 30, what="every edit has arrived")
        self.reader.events[mark:] = []
        return [arrived[step] - self.sent[step] for step in range(first, self.step + 1)]


async def stop_reading_once(stage: Stage, slow: int, felt: Result, held: Result, fresh: Result):
    server = stage.instances[0]
    room = new_room("slow")
    author = await stage.people.host(server.url, room, "Author")
    reader = await stage.people.guest(server.url, room, "Reader")
    sleepers = [await stage.people.guest(server.url, room, f"S{n}") for n in range(slow)]
    sender = Sender(author, reader, room)
    await sender.send(30, 0.01)  # warm
    alone = p99(await sender.send(200, 0.01))
    memory = resident(server)
    for sleeper in sleepers:
        stop_reading(sleeper)
    together, most, grown = [], 0.0, 0
    for _ in range(ROUNDS):
        together += await sender.send(50, 0.01)
        most = max(most, (await metrics(server))["tandem_engine_backlog_bytes"] / slow)
        grown = max(grown, resident(server) - memory)
    felt.measured(max(0.0, p99(together) - alone))
    held.measured(most / 2**20)
    allowed = slow * SOCKET_CAP + PROCESS_SLACK
    assert grown < allowed, f"the process grew by {grown >> 20} MiB of {allowed >> 20}"
    assert author.connected and reader.connected
    fresh.measured(*await asyncio.gather(*(read_again(stage, one, sender) for one in sleepers)))
    for client in (author, reader, *sleepers):
        await client.close()


async def read_again(stage: Stage, sleeper: RoomClient, sender: Sender) -> float:
    """Seconds until it knows what is newest."""
    awake_at = time.monotonic()
    mark = sleeper.mark()
    if sleeper.connected:
        sleeper._socket._response.connection.transport.resume_reading()
    uuid, step = sender.node["uuid"], sender.step

    def shown() -> bool:
        for event in sleeper.events[mark:]:
            if event.name == "receive-editor-object-update":
                node = event.arg["objectData"]["object"]
            elif event.name == "receive-full-editor":
                node = SceneModel.of(event.arg["editorData"]).objects.get(uuid, {})
            else:
                continue
            if (node.get("userData") or {}).get("step") == step:
                return True
        return False

    await eventually(
        lambda: shown() or not sleeper.connected, 30, what="the newest state, or an end"
    )
    if not shown():
        # 1006: cut, for what was queued could not be told any more.
        assert sleeper.close_code in (1006, 1013), f"sent away with {sleeper.close_code}"
        again = await stage.people.guest(sleeper.url, sender.room, "Again")
        scene = await again.scene(sender.room)
        assert scene.objects[uuid]["userData"]["step"] == step
        await again.close()
    return time.monotonic() - awake_at


def stop_reading(client: RoomClient):
    """Nothing is read from now on, and the kernel keeps little for later."""
    transport = client._socket._response.connection.transport
    transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
    transport.pause_reading()


def p99(values: list[float]) -> float:
    return statistics.quantiles(values, n=100)[98]


def resident(process) -> int:
    with open(f"/proc/{process.pid}/statm") as file:
        return int(file.read().split()[1]) * 4096


async def metrics(server) -> dict[str, float]:
    text = (await http.get(server.url + "/metrics")).text
    lines = [line.split() for line in text.splitlines() if line and line[0] != "#"]
    return {name: float(value) for name, value in lines if "{" not in name}
