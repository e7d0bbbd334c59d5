"""Known failures of the system before: instances come and go (C37 to C58).

What other files show as well is marked there; docs/KNOWN-FAILURES.md has the whole list.
"""

import asyncio
import collections
import random
import time

import pytest

from support import http
from support.processes import Instance
from support.rooms import RoomClient
from support.scenes import box, creation_editor
from support.waiting import eventually
from support.wire import ConnectRefused, Unreachable, new_browser


@pytest.mark.known_failure("C37")
async def test_C37_an_instance_that_is_asked_to_end_closes_its_own_sockets_a_few_at_a_time(
    clusters, people, room
):
    cluster = await clusters(instances=2, env={"DRAIN_DELAY": 500})
    leaving, staying = cluster.instances
    neighbour = await people.host(staying.url, f"{room}-near", "Near")
    colleague = await people.guest(staying.url, f"{room}-near", "Colleague")
    await neighbour.wait("users-list", where=lambda users: len(users) == 2)
    own = [await people.host(leaving.url, f"{room}-{number}") for number in range(20)]
    marks = [client.mark() for client in (neighbour, colleague)]
    leaving.terminate()
    leaving.terminate()
    assert await leaving.ended(30) == 0
    for client in own:
        assert await client.wait_closed() == "transport close", "no DISCONNECT packet"
        assert client.close_code in (1001, 1012)
    closed = sorted(client.closed_at for client in own)
    assert closed[-1] - closed[0] > 0.5, "spread over DRAIN_WINDOW, two seconds"
    for client, mark in zip((neighbour, colleague), marks):
        assert client.connected and client.events[mark:] == []
    await colleague.add(f"{room}-near", "still here")


@pytest.mark.known_failure("C38", "C57")
async def test_C38_C57_the_link_forms_within_5_seconds_of_redis_whatever_came_first(
    clusters, people, room
):
    cluster = await clusters(instances=2, start=False)
    first, second = cluster.instances
    first.launch()
    await first.ready()
    host = await people.host(first.url, room, editor=creation_editor(box("before Redis")))
    await cluster.redis.start()
    redis_at = time.monotonic()
    await eventually(lambda: linked(first), 10, what="linked to the Redis that came late")
    assert time.monotonic() - redis_at < 5
    second.launch()
    await second.serving()
    await eventually(lambda: linked(second), 10, what="linked to the Redis that was there")
    guest = await people.guest(second.url, room)
    assert [node["name"] for node in (await guest.scene(room)).objects.values()] == ["before Redis"]
    await host.add(room, "after")
    await guest.wait("receive-editor-object-update")


async def linked(instance) -> bool:
    health = await instance.health()
    return health["status"] == "healthy" and health["redis"]["connected"]


@pytest.mark.known_failure("C45")
async def test_C45_instances_on_any_ports_and_without_a_name_are_told_apart(clusters, people, room):
    cluster = await clusters(instances=3, start=False)
    await cluster.redis.start()
    cluster.env = {"CLUSTER_NODES": None, "PUBLIC_URL": None, "INSTANCE_ID": None}
    for one in cluster.instances:
        one.launch()
    for one in cluster.instances:
        await one.ready(20)
    names = [(await one.health())["instance"] for one in cluster.instances]
    assert len(set(names)) == 3, names
    clients = [await people.host(cluster.instances[0].url, room)]
    clients += [await people.guest(one.url, room, one.name) for one in cluster.instances[1:]]
    for author in clients:
        marks = [client.mark() for client in clients]
        node = await author.add(room, "from one")
        for client, mark in zip(clients, marks):
            if client is not author:
                event = await client.wait("receive-editor-object-update", after=mark)
                assert event.arg["objectUuid"] == node["uuid"]


@pytest.mark.known_failure("C48")
async def test_C48_every_answer_names_one_and_the_same_address_of_an_instance(pair, people, room):
    first, second = pair.instances
    for owner, other in ((first, second), (second, first)):
        name = await pair.room_owned_by(owner, f"{room}-{owner.name}")
        told = set()
        for one in pair.instances:
            nodes = (await http.get_json(f"{one.url}/api/instance"))["nodes"]
            told.add(next(node["url"] for node in nodes if node["id"] == owner.name))
            told.add((await http.get_json(f"{one.url}/api/load-balancer?roomId={name}"))["url"])
        told.add((await http.get_json(f"{owner.url}/api/instance"))["url"])
        refusal = await redirected(people, other.url, name)
        told |= {refusal.data["url"], refusal.message.removeprefix("REDIRECT:")}
        host = await people.host(owner.url, name)
        told.add(next(item["serverUrl"] for item in await host.rooms() if item["id"] == name))
        assert told == {owner.url}


async def redirected(people, url: str, room: str) -> ConnectRefused:
    """The redirect, which comes as soon as the owner has said that it is ready."""
    end = time.monotonic() + 20
    while time.monotonic() < end:
        try:
            await people.room_client(url, room=room)
        except ConnectRefused as refusal:
            return refusal
        await asyncio.sleep(0.2)
    raise AssertionError("no redirect")


@pytest.mark.known_failure("C50")
async def test_C50_the_probe_of_one_instance_through_nginx_is_answered_by_that_one(pair):
    for one in pair.instances * 10:
        answer = await http.get(f"{pair.nginx.url}/health/{one.name}")
        assert answer.status == 200 and answer.json()["instance"] == one.name


@pytest.mark.known_failure("C51")
async def test_C51_health_through_nginx_is_as_dead_as_the_instances_behind_it(clusters):
    cluster = await clusters(instances=2, nginx=True)
    first, second = cluster.instances
    for path in ("/health", "/api/health"):
        assert await http.status_of(cluster.nginx.url + path) == 200
    first.kill()
    for path in ("/health", "/api/health"):
        assert await http.status_of(cluster.nginx.url + path) == 200, "the other one answers"
    second.kill()
    for path in ("/health", "/api/health", "/health/server-1", "/health/server-2"):
        assert await http.status_of(cluster.nginx.url + path, timeout=6) in (502, 503, 504), path


class OfficeWorker:
    """Reconnects as the editor does: after 0.1 s, then every 2 s."""

    def __init__(self, url: str, room: str, number: int):
        self.url, self.room, self.name = url, room, f"W{number}"
        self.browser = new_browser()
        self.client: RoomClient | None = None
        self.attempts = 0

    async def come(self):
        while True:
            self.attempts += 1
            client = RoomClient(
                self.url,
                query={"roomId": self.room},
                headers={"X-Forwarded-For": "203.0.113.9"},
                browser=self.browser,
            )
            try:
                await client.connect()
                await client.join(self.room, self.name)
            except (Unreachable, ConnectionError):
                await client.close()
                await asyncio.sleep(2)
                continue
            self.client = client
            return

    async def return_after_loss(self):
        await self.client.wait_closed(30)
        await asyncio.sleep(0.1)
        await self.come()

    async def close(self):
        if self.client:
            await self.client.close()
        await self.browser.close()


@pytest.mark.alone
@pytest.mark.bound(120)
@pytest.mark.known_failure("C53")
async def test_C53_200_people_behind_one_address_are_back_10_seconds_after_their_instance_died(
    clusters, people, room
):
    cluster = await clusters(instances=2, nginx=True, start=False)
    cluster.nginx.limits = {"NGINX_TRUSTED_PROXIES": "127.0.0.1"}  # and else as shipped
    await cluster.start()
    victim, survivor = cluster.instances
    rooms = [await cluster.room_owned_by(victim, f"{room}-{number}") for number in range(10)]
    for name in rooms:
        await people.host(survivor.url, name)
    workers = [
        people.keep(OfficeWorker(cluster.nginx.url, rooms[number % 10], number))
        for number in range(200)
    ]
    # They arrive as people do; all at once they come back.
    for some in range(0, 200, 20):
        await asyncio.gather(*(worker.come() for worker in workers[some : some + 20]))
    await eventually(lambda: has_members(victim, 200), what="all are on the instance that dies")
    returning = [asyncio.create_task(worker.return_after_loss()) for worker in workers]
    victim.kill()
    killed_at = time.monotonic()
    await asyncio.gather(*returning)
    assert time.monotonic() - killed_at < 10
    await eventually(lambda: has_members(survivor, 210), what="all are on the survivor")


async def has_members(instance, count: int) -> bool:
    return (await http.get_json(f"{instance.url}/api/stats"))["members"] == count


@pytest.mark.known_failure("C58")
async def test_C58_the_first_socket_that_is_let_in_is_already_linked_to_the_others(
    clusters, people, room
):
    cluster = await clusters(instances=2)
    first, second = cluster.instances
    host = await people.host(first.url, room)
    second.kill()
    second.launch()
    early = await let_in(second, people)
    await early.join(room, "Early", timeout=10)
    mark = early.mark()
    node = await host.add(room, "at once")
    event = await early.wait("receive-editor-object-update", after=mark)
    assert event.arg["objectUuid"] == node["uuid"]
    mark = host.mark()
    mine = await early.add(room, "and back")
    event = await host.wait("receive-editor-object-update", after=mark)
    assert event.arg["objectUuid"] == mine["uuid"]


async def let_in(instance: Instance, people) -> RoomClient:
    """The first connection that a starting instance takes; it refuses all before with 503."""
    refusals = collections.Counter()
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            return await people.room_client(instance.url)
        except Unreachable as refusal:
            assert refusal.status in (None, 503), refusals
            refusals[refusal.status] += 1
            await asyncio.sleep(random.uniform(0, 0.01))
    raise AssertionError(f"nobody was let in: {refusals}")
