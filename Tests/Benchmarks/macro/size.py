"""Whether cost stays flat as rooms, members, connections and scenes grow; start and stop."""

import asyncio
import time

from support import http
from support.rooms import RoomClient

from . import tool
from .context import Context, note_of, paces
from .fanout import PAYLOAD
from .result import Result, absolute, compared, median, number
from .servers import Embedded

CREATORS = 50
# How much dearer a message may be for being one among many.
FLAT = 1.15


def _cost(context: Context, server: Embedded, rooms: int, members: int) -> tool.Sample:
    return tool.run(
        "fanout", server, rooms=rooms, members=members, senders=1, in_flight=1, bytes=PAYLOAD,
        warmup=context.plan.warmup, duration=context.plan.seconds, settle=context.plan.settle,
    )  # fmt: skip


def _microseconds(samples: list[tool.Sample]) -> list[float]:
    return [1e6 / rate for rate in paces(samples)]


async def create_rooms(url: str, count: int):
    """So many rooms, empty but for the last of each of the sockets that create them."""

    async def create(first: int):
        client = await RoomClient(url).connect(30)
        for room in range(first, count, CREATORS):
            payload = {"roomId": f"stored-{room}", "userName": "Ana"}
            answer = await client.emit_with_ack("create-room", payload, timeout=60)
            assert answer["ok"] is True, answer
            client.events.clear()
        return client

    clients = await asyncio.gather(*(create(first) for first in range(min(CREATORS, count))))
    for client in clients:
        await client.close()


def stored_rooms(context: Context):
    count = context.plan.stored_rooms
    with Embedded(context.folder) as server:
        process = server.processes[0]
        before = [_cost(context, server, 100, 10) for _ in range(context.plan.repeats)]
        bare = tool.resident_bytes(process.pid)
        asyncio.run(create_rooms(server.urls[0], count))
        context.say(f"{count:,} rooms are there")
        each = (tool.resident_bytes(process.pid) - bare) / count / 1024
        after = [_cost(context, server, 100, 10) for _ in range(context.plan.repeats)]
        health = asyncio.run(http.get_json(server.urls[0] + "/api/health"))
        context.say(f"health: {health}")
    context.add(
        compared(
            "many rooms", f"a delivery while {count:,} other rooms are stored",
            _microseconds(after), _microseconds(before), "µs of CPU", at_most=FLAT, note=note_of(after, before),
        )
    )  # fmt: skip
    context.add(Result("many rooms", f"memory of one of {count:,} empty rooms", f"{each:.2f} KiB"))


def large_room(context: Context):
    members = context.plan.large_room
    few = max(2, members // 5)
    large, small = [], []
    for of, samples in ((few, small), (members, large)):
        with Embedded(context.folder) as server:
            samples.append(_cost(context, server, 1, of))
    context.add(
        compared(
            "one room", f"a delivery in one room of {members:,}, against one of {few:,}",
            _microseconds(large), _microseconds(small), "µs of CPU", at_most=FLAT,
            note=note_of(large, small),
        )
    )  # fmt: skip


def connections(context: Context):
    count = context.plan.connections
    many, few = [], []
    for total, samples in ((1_000, few), (count, many)):
        with Embedded(context.folder) as server:
            samples.append(_cost(context, server, max(1, total // 10), 10))
    context.add(
        compared(
            "many connections",
            f"a delivery with {count:,} connections in rooms of 10, against 1,000",
            _microseconds(many), _microseconds(few), "µs of CPU", at_most=FLAT,
            note=note_of(many, few),
        )
    )  # fmt: skip
    sample = context.sample(Embedded, "idle", connections=count, duration=context.plan.seconds)
    each = sample["bytes_per_connection"] / 1024
    context.add(
        absolute(
            "many connections", f"memory of one of {count:,} idle connections", each, "KiB",
            at_most=4,
        )
    )  # fmt: skip


def scenes(context: Context):
    """A member comes into a room with such a scene."""
    for megabytes in context.plan.scene_megabytes:
        sample = context.sample(Embedded, "scene", bytes=megabytes << 20)
        latency = sample["latency_us"]
        context.add(
            Result(
                "scenes", f"a scene of {megabytes} MB: from the request to the last byte",
                f"median {latency['p50'] / 1000:.0f} ms",
                note=f"p99 {latency['p99'] / 1000:.0f} ms",
            )
        )  # fmt: skip


async def _until_live(url: str):
    while True:
        try:
            if await http.status_of(url + "/api/live") == 200:
                return
        except Exception:
            pass
        await asyncio.sleep(0.001)


def start_and_stop(context: Context):
    """From the start of the process to 200 of /api/live, and from SIGTERM to its end."""
    starts, stops = [], []
    for _ in range(context.plan.starts):
        server = Embedded(context.folder)
        instance = server.processes[0]
        try:
            begun = time.monotonic()
            instance.launch()
            asyncio.run(asyncio.wait_for(_until_live(server.urls[0]), 30))
            starts.append((time.monotonic() - begun) * 1000)
            begun = time.monotonic()
            instance.terminate()
            instance.child.wait(30)
            stops.append((time.monotonic() - begun) * 1000)
        finally:
            server.stop()
    context.add(
        absolute(
            "start", "start: from exec to the first answer", median(starts), "ms", at_most=200,
            note=f"worst {number(max(starts))}", text=number,
        )
    )  # fmt: skip
    context.add(
        Result(
            "start", "stop: from SIGTERM to the end, DRAIN_DELAY and DRAIN_WINDOW 0",
            f"{number(median(stops))} ms", note=f"worst {number(max(stops))}",
        )
    )  # fmt: skip
