"""Who is in a room, as each of those who stay is told: after deaths, drains and returns."""

import asyncio
import contextlib
import time

import pytest

from support import http
from support.redis_watch import client as redis_client
from support.scenes import box, creation_editor
from support.waiting import eventually
from support.wire import Unreachable, new_browser

NOTICES = ("user-joined", "user-left", "users-list", "user-count")


@pytest.mark.bound(90)
async def test_P13_each_who_stays_hears_once_of_each_who_died_and_has_one_list(
    clusters, people, room
):
    """Two instances survive and both see the death: what they tell is told once."""
    cluster = await clusters(instances=3)
    dead, *survivors = cluster.instances
    host = await people.host(survivors[0].url, room)
    stays = [host] + [
        await people.guest(one.url, room, f"Stays-{number}")
        for number, one in enumerate(survivors * 2)
    ]
    ghosts = [f"Ghost-{number}" for number in range(12)]
    for name in ghosts:
        await people.guest(dead.url, room, name)
    count = len(stays) + len(ghosts)
    await eventually(lambda: all(len(one.users) == count for one in stays))
    await asyncio.sleep(0.3)  # the last list of the joins
    marks = [one.mark() for one in stays]
    killed_at = time.monotonic()
    dead.kill()
    for one, mark in zip(stays, marks):
        await one.wait("users-list", after=mark, timeout=15)
    assert time.monotonic() - killed_at < 15
    await asyncio.sleep(3)  # both have looked again
    for one, mark in zip(stays, marks):
        told = [event.name for event in one.events[mark:] if event.name in NOTICES]
        assert told == ["user-left"] * len(ghosts) + ["users-list", "user-count"]
        left = [event.arg["userName"] for event in one.named("user-left", after=mark)]
        assert sorted(left) == sorted(ghosts)
        assert len(one.users) == len(stays) and one.host_name == "Host"


async def reconnected(people, url: str, browser):
    """As a client does: again, until it is let in."""

    async def attempt():
        try:
            return await people.room_client(url, browser=browser)
        except Unreachable:
            return None

    return await eventually(attempt, 20, 0.1)


@pytest.mark.bound(60)
@pytest.mark.parametrize("loss", ["freeze", "redis"])
async def test_a_host_returns_as_host_whatever_he_was_lost_by(clusters, people, room, loss):
    """Beside `kill -9`, a cut connection and a drain, which other tests have."""
    cluster = await clusters(instances=2)
    first, second = cluster.instances
    browser = new_browser()
    host = await people.room_client(first.url, browser=browser)
    await host.create(room, "Ana", password="secreta", editor=creation_editor(box("A")))
    there = second if loss == "freeze" else first
    guest = await people.guest(there.url, room, "Ben", password="secreta")
    await guest.wait("users-list", where=lambda users: len(users) == 2)
    mark = guest.mark()
    if loss == "freeze":
        first.freeze()

        async def given_up():
            nodes = (await http.get_json(f"{second.url}/api/instance"))["nodes"]
            return {"dead"} == {node["state"] for node in nodes if node["id"] == first.name}

        await eventually(given_up, 15)
        await asyncio.sleep(1.5)  # suspected first, then declared dead
    else:
        cluster.redis.kill()
        await eventually(first.degraded, 10)
        await host.drop()
        await guest.wait("user-left", after=mark)
    back = await reconnected(people, there.url, browser)
    assert (await back.join(room, "Ana", password=None))["isHost"] is True
    both = {back.sid, guest.sid}
    await eventually(lambda: {user["id"] for user in guest.users} == both, 15)
    assert guest.user_names == ["Ana", "Ben"] and guest.host_name == "Ana"
    if loss == "redis":
        await cluster.redis.start()
        await eventually(lambda: healed(first), 15)
        assert {user["id"] for user in guest.users} == both and guest.host_name == "Ana"
    assert (await back.delete(room))["roomId"] == room
    await browser.close()


async def healed(instance) -> bool:
    return (await instance.health())["status"] == "healthy"


class Watch:
    """When an instance was first not ready, last answered, first refused a connection, and when its
    lease went. Each time is that at which the question was asked, `told` that of the first answer
    that it is not ready."""

    def __init__(self, instance, redis):
        self.instance = instance
        self.redis = redis_client(redis.port)
        self.not_ready = self.told = self.answered = self.refused = self.released = 0.0
        self.reasons = set()
        self._incarnation = None

    async def run(self):
        self._incarnation = (await http.get_json(f"{self.instance.url}/api/live"))["incarnation"]
        await asyncio.gather(self._ask(), self._look())

    async def _ask(self):
        while not self.refused:
            asked_at = time.monotonic()
            try:
                answer = await http.get(f"{self.instance.url}/api/ready")
            except OSError:
                self.refused = asked_at
                return
            self.answered = asked_at
            if answer.status == 503 and not self.not_ready:
                self.not_ready, self.told = asked_at, time.monotonic()
                self.reasons = {reason["code"] for reason in answer.json()["reasons"]}
            await asyncio.sleep(0.01)

    async def _look(self):
        while not self.released:
            asked_at = time.monotonic()
            if not await asyncio.to_thread(self.redis.hexists, "tandem:leases", self._incarnation):
                self.released = asked_at
            await asyncio.sleep(0.01)


@pytest.mark.bound(60)
async def test_P10_a_drain_goes_step_by_step_and_its_host_returns_as_host(clusters, people, room):
    """Not ready, 2 s, no new connections, own sockets closed at a pace, the lease, the end."""
    cluster = await clusters(instances=2)
    leaving, staying = cluster.instances
    browser = new_browser()
    host = await people.room_client(leaving.url, browser=browser)
    await host.create(room, "Ana", password="secreta")
    guest = await people.guest(staying.url, room, "Ben", password="secreta")
    others = [await people.room_client(leaving.url) for _ in range(20)]
    await guest.wait("users-list", where=lambda users: len(users) == 2)
    watch = Watch(leaving, cluster.redis)
    watching = asyncio.create_task(watch.run())
    await eventually(lambda: watch.answered)
    asked_at = time.monotonic()
    leaving.terminate()
    await host.wait_closed(15)
    back = await reconnected(people, staying.url, browser)
    assert (await back.join(room, "Ana", password=None))["isHost"] is True
    assert await leaving.ended(20) == 0
    ended_at = time.monotonic()
    await asyncio.wait_for(watching, 15)
    closed = [one.closed_at for one in (host, *others)]
    assert all(one.close_code == 1012 for one in (host, *others))
    assert watch.reasons == {"DRAINING"}
    # A question may have been under way when the instance was asked to go.
    assert asked_at < watch.told and watch.not_ready < min(closed) - 1
    assert min(closed) - asked_at >= 2, "proxies have the time to notice"
    assert watch.not_ready < watch.answered < watch.refused < ended_at
    assert watch.answered < min(closed) + 0.1, "nobody is let in while others are shown out"
    assert 0.5 < max(closed) - min(closed) < 10, "at a pace"
    assert max(closed) < watch.released + 1, "the lease lasts as long as the sockets"
    await eventually(lambda: guest.user_names == ["Ana", "Ben"] and guest.host_name == "Ana")
    assert guest.connected
    with contextlib.suppress(Exception):
        await browser.close()
