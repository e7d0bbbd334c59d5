"""Clients that return all at once: kill -9 of the instance of 2,000, who come to another in 2 s.

    TANDEM_BIN=… python Tests/Integration/storm_of_returns.py [clients] [rooms]

Prints how long it took until they were back, what was missed, and what Redis was asked. Not a test:
figures of one machine, on which the clients themselves take the most.
"""

import asyncio
import random
import re
import statistics
import sys
import tempfile
import time

import aiohttp
from support.processes import Cluster
from support.redis_watch import Monitor
from support.rooms import RoomClient
from support.scenes import box, creation_editor
from support.wire import ConnectRefused, Unreachable

WITHIN = 2.0


async def opened(url: str, browser, auth=None) -> RoomClient:
    while True:
        client = RoomClient(url, query={"recovery": "1"}, auth=auth, browser=browser)
        try:
            return await client.connect(30)
        except (Unreachable, ConnectRefused):
            await asyncio.sleep(0.1)


def edits(client: RoomClient) -> list[str]:
    return [one.arg["objectUuid"] for one in client.named("receive-editor-object-update")]


async def main(count: int, rooms: int):
    generous = {
        "MAX_CONNECTS_PER_SECOND": "5000",
        "MAX_CONNECTIONS_PER_ADDRESS": "20000",
        "LOG_LEVEL": "warning",
    }
    cluster = Cluster(tempfile.mkdtemp(), instances=2, env=generous)
    browser = aiohttp.ClientSession(
        cookie_jar=aiohttp.DummyCookieJar(), connector=aiohttp.TCPConnector(limit=0)
    )
    try:
        await cluster.start()
        first, second = cluster.instances
        authors = []
        for number in range(rooms):
            author = await opened(second.url, browser)
            await author.create(f"storm-{number}", "Author", editor=creation_editor(box("A")))
            authors.append(author)
        members = []
        for start in range(0, count, 50):
            some = await asyncio.gather(*(opened(first.url, browser) for _ in range(50)))
            joins = (
                one.join(f"storm-{(start + at) % rooms}", f"M{start + at}", timeout=60)
                for at, one in enumerate(some)
            )
            await asyncio.gather(*joins)
            members += some
        await asyncio.sleep(2)
        for number, author in enumerate(authors):
            await author.add(f"storm-{number}", "before")
        await asyncio.sleep(2)
        assert all(one.offset for one in members)
        first.kill()
        killed_at = time.monotonic()
        await asyncio.gather(*(one.wait_closed(30) for one in members))
        missed = [await author.add(f"storm-{at}", "missed") for at, author in enumerate(authors)]
        monitor = Monitor(cluster.redis.port)
        began = time.monotonic()
        times: list[float] = []
        lost: list[float] = []

        async def back(at: int, earlier: RoomClient) -> tuple[bool, bool]:
            await asyncio.sleep(random.random() * WITHIN)
            asked = time.monotonic()
            auth = {"pid": earlier.pid, "offset": earlier.offset}
            client = await opened(second.url, browser, auth)
            connected_at = time.monotonic() - killed_at
            try:
                await client.wait("users-list", timeout=20)
            except AssertionError:
                lost.append(connected_at)
                return client.recovered, False
            times.append(time.monotonic() - asked)
            whole = edits(client) == [missed[at % rooms]["uuid"]]
            return client.recovered and client.sid == earlier.sid, whole

        results = await asyncio.gather(*(back(at, one) for at, one in enumerate(members)))
        spent = time.monotonic() - began
        monitor.close()
        lines = monitor.heard.decode(errors="replace").splitlines()
        asked = [one for one in lines if " lua]" not in one and re.search(r"storm-\d+", one)]
        times.sort()
        if lost:
            late = f"{min(lost):.1f} to {max(lost):.1f} s after the kill"
            print(f"{len(lost)} came back as new, {late}")
        print(
            f"{count} clients in {rooms} rooms, returning within {WITHIN:.0f} s of"
            f" {began - killed_at:.1f} s after the kill\n"
            f"recovered with their id: {sum(one for one, _ in results)};"
            f" with exactly what they missed: {sum(one for _, one in results)}\n"
            f"all back {spent:.2f} s after the first; each waited {statistics.median(times):.3f} s"
            f" (median), {times[int(len(times) * 0.99)]:.3f} s (99 %), {times[-1]:.3f} s (most)\n"
            f"commands of Redis for the rooms: {len(asked)}, {len(asked) / count:.2f} a client"
        )
    finally:
        await browser.close()
        cluster.stop()


if __name__ == "__main__":
    numbers = [int(one) for one in sys.argv[1:]]
    asyncio.run(main(*(numbers + [2000, 50][len(numbers) :])))
