"""P6: members that stop reading, in a room where the others work on."""

import asyncio
import socket
import statistics
import time

from support import http
from support.rooms import RoomClient
from support.scenes import box, object_data
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
CLOSED = 20.0


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
    ended = Result(
        "P6",
        "the same: until it is sent away, and then back with a fresh scene",
        "test_P6_what_waits_for_a_slow_reader_is_bounded",
        CLOSED,
    )
    async with Stage(instances=1) as stage:
        for number in range(repeat):
            with felt.attempt(), held.attempt(), ended.attempt():
                await stop_reading_once(stage, slow, felt, held, ended)
            say(f"P6 {number + 1}/{repeat}: {felt.text(felt.worst)}, {held.text(held.worst)}")
    return [felt, held, ended]


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


async def stop_reading_once(stage: Stage, slow: int, felt: Result, held: Result, ended: Result):
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
    asleep_at = time.monotonic()
    closed_before = (await metrics(server))["tandem_engine_slow_clients_total"]
    together, most, grown, gone = [], 0.0, 0, None
    while gone is None and time.monotonic() - asleep_at < 2 * CLOSED:
        together += await sender.send(50, 0.01)
        values = await metrics(server)
        most = max(most, values["tandem_engine_backlog_bytes"] / slow)
        grown = max(grown, resident(server) - memory)
        if values["tandem_engine_slow_clients_total"] >= closed_before + slow:
            gone = time.monotonic() - asleep_at
    assert gone is not None, "those who do not read are still there"
    felt.measured(max(0.0, p99(together) - alone))
    held.measured(most / 2**20)
    ended.measured(gone)
    allowed = slow * SOCKET_CAP + PROCESS_SLACK
    assert grown < allowed, f"the process grew by {grown >> 20} MiB of {allowed >> 20}"
    assert author.connected and reader.connected
    # And back: all of it at once, as it is now.
    again = await stage.people.guest(server.url, room, "S0")
    scene = await again.scene(room)
    assert scene.objects[sender.node["uuid"]]["userData"]["step"] == sender.step
    for client in (author, reader, again, *sleepers):
        await client.close()


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
