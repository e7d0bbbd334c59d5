"""P12: nginx, every instance and an independent ring name the same owner; redirects end."""

import asyncio
import http.client
import json
import random
import time
from urllib.parse import urlencode

from support.wire import ConnectRefused, Unreachable, WireSocket, new_browser
from support.waiting import eventually

from harness.result import Result
from harness.ring import Ring
from harness.size import Size
from harness.stage import Stage, new_room, say

REPEATS = 5
IDS = 2_000
MOST_HOPS = 3
KNOWN_DEAD = 6.0
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-"


async def run(size: Size, repeat: int) -> list[Result]:
    instances = 3
    same = Result(
        "P12",
        f"{IDS} room ids: owners that nginx, {instances} instances and a ring of their own in "
        "Python do not agree on",
        "test_P12_one_ring",
        0,
        unit="ids",
    )
    hops = Result(
        "P12",
        "connects to any instance while another is killed: redirects that one client follows",
        "test_P12_a_redirect_never_loops",
        MOST_HOPS,
        unit="hops",
    )
    dead = Result(
        "P12",
        "the same: from the kill to the last redirect to the dead instance",
        "test_P12_a_redirect_never_loops",
        KNOWN_DEAD,
    )
    async with Stage(instances=instances, nginx=True) as stage:
        with same.attempt():
            await compare_owners(stage, same)
        for number in range(repeat):
            with hops.attempt(), dead.attempt():
                await redirect_once(stage, hops, dead)
            say(f"P12 {number + 1}/{repeat}: {hops.text(hops.worst)}, {dead.text(dead.worst)}")
            if number + 1 < repeat:
                await stage.bring_all_back()
    return [same, hops, dead]


async def compare_owners(stage: Stage, same: Result):
    chance = random.Random(time.time_ns())
    ids = ["".join(chance.choices(ALPHABET, k=3 + number % 48)) for number in range(IDS)]
    names = {one.upstream: one.name for one in stage.instances}
    ring = Ring([(one.upstream, 1) for one in stage.instances])
    wanted = {room: names[ring.owner(room)] for room in ids}
    assert len(set(wanted.values())) == len(stage.instances)
    different = set()
    for one in stage.instances:
        told = await asyncio.to_thread(
            ask_all, one.port, ids, "/api/load-balancer", lambda answer: answer["owner"]
        )
        different |= {room for room in ids if told[room] != wanted[room]}
    chosen = await asyncio.to_thread(
        ask_all, stage.cluster.nginx.port, ids, "/api/instance", lambda answer: answer["instance"]
    )
    different |= {room for room in ids if chosen[room] != wanted[room]}
    same.measured(len(different))
    if different:
        room = min(different)
        same.broken(f"{room}: ring {wanted[room]}, nginx {chosen[room]}")


def ask_all(port: int, ids: list[str], path: str, read) -> dict[str, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    found = {}
    for room in ids:
        while room not in found:
            connection.request("GET", f"{path}?{urlencode({'roomId': room})}")
            answer = connection.getresponse()
            body = answer.read()
            if answer.status == 429:
                time.sleep(0.2)
                continue
            assert answer.status == 200, f"{path} for {room}: {answer.status} {body[:200]}"
            found[room] = read(json.loads(body))
    connection.close()
    return found


async def redirect_once(stage: Stage, hops: Result, dead: Result):
    victim, *living = stage.instances
    ring = Ring([(one.upstream, 1) for one in stage.instances])
    urls = {one.url for one in stage.instances}
    # First without a fault: who is not where the room's owner is, is redirected.
    for owner in stage.instances:
        steps = await follow(living[0], room_of(owner, ring), urls)
        assert [target for _, target in steps] == [owner.url] * (owner is not living[0]), steps
    killed_at = time.monotonic()
    victim.kill()
    last = 0.0
    while time.monotonic() - killed_at < KNOWN_DEAD + 1:
        for one in living:
            for owner in stage.instances:
                steps = await follow(one, room_of(owner, ring), urls)
                hops.measured(len(steps))
                for at, target in steps:
                    if target == victim.url:
                        last = max(last, at - killed_at)
        await asyncio.sleep(0.1)
    dead.measured(last)

    room = room_of(victim, ring)

    async def taken_over():
        return victim.name not in [await one.owner(room) for one in living]

    await eventually(taken_over, 10, what="the rooms of the dead have a living owner")


def room_of(instance, ring: Ring) -> str:
    """A room of that instance which nobody has asked for: who was redirected lately is served."""
    while ring.owner(room := new_room("redirect")) != instance.upstream:
        pass
    return room


async def follow(instance, room: str, known: set[str]) -> list[tuple[float, str]]:
    """A new visitor: where the redirects lead, with the time of each. One that leads to somebody
    who does not answer sends the visitor back to where it came from, as the client does."""
    browser = new_browser()
    url, steps = instance.url, []
    try:
        while True:
            socket = WireSocket(url, browser=browser, query={"roomId": room})
            try:
                await socket.connect(5)
            except ConnectRefused as refusal:
                target = refusal.message.removeprefix("REDIRECT:")
                assert target in known and refusal.data["url"] == target, refusal.data
                steps.append((time.monotonic(), target))
                assert len(steps) <= 10, f"a loop of redirects: {steps}"
                url = target
                continue
            except Unreachable:
                assert url != instance.url, f"{instance.name} does not let anybody in"
                url = instance.url
                continue
            finally:
                await socket.close()
            return steps
    finally:
        await browser.close()
