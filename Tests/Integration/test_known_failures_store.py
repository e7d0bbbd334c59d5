"""Known failures of the system before: Redis, memory, and work that grows (C38 to C44, C54).

What other files show as well is marked there; docs/KNOWN-FAILURES.md has the whole list.
"""

import asyncio
import subprocess
import time

import pytest

from support import http
from support.processes import Redis
from support.redis_watch import client as redis_client
from support.scenes import box, creation_editor
from support.waiting import eventually

MEGABYTE = 1_000_000


def memory(instance) -> int:
    """Bytes in physical memory."""
    with open(f"/proc/{instance.pid}/status") as status:
        line = next(line for line in status if line.startswith("VmRSS:"))
    return int(line.split()[1]) * 1024


# --- a Redis that asks who one is ----------------------------------------------------------------

ACCESS = {
    # options of the server, then the way in, and a way that is none
    "password": (
        ("--requirepass", "open-sesame"),
        "redis://:open-sesame@127.0.0.1:{port}/3",
        "redis://:wrong-sesame@127.0.0.1:{port}/0",
    ),
    "user": (
        (
            "--user",
            "tandem",
            "on",
            ">open-sesame",
            "~tandem:*",
            "&*",
            "+@all",
            "-@dangerous",
            "+info",
            "--user",
            "default",
            "off",
        ),
        "redis://tandem:open-sesame@127.0.0.1:{port}/0",
        "redis://tandem:wrong-sesame@127.0.0.1:{port}/0",
    ),
    "tls": (
        (
            "--port",
            "0",
            "--tls-port",
            "{port}",
            "--tls-cert-file",
            "{folder}/cert.pem",
            "--tls-key-file",
            "{folder}/key.pem",
            "--tls-auth-clients",
            "no",
        ),
        "rediss://127.0.0.1:{port}/0?ca={folder}/cert.pem",
        "rediss://127.0.0.1:{port}/0",
    ),
}


def make_certificate(folder):
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    command += ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    command += ["-keyout", folder / "key.pem", "-out", folder / "cert.pem"]
    subprocess.run(command, check=True, capture_output=True, timeout=30)


@pytest.mark.bound(90)
@pytest.mark.known_failure("C39")
async def test_C39_instances_are_linked_by_a_guarded_redis_and_say_clearly_if_they_are_not(
    clusters, people, room, tmp_path
):
    await asyncio.gather(
        *(guarded(clusters, people, room, tmp_path / kind, kind) for kind in ACCESS)
    )


async def guarded(clusters, people, room, folder, kind):
    options, right, wrong = ACCESS[kind]
    redis = Redis(folder, "guarded")
    make_certificate(folder)
    names = {"port": redis.port, "folder": folder}
    redis.options = tuple(option.format(**names) for option in options)
    redis.answers = lambda: redis.running and "Ready to accept" in redis.log_text()
    await redis.start()
    try:
        cluster = await clusters(instances=2, redis=False, start=False)
        cluster.env = {"CLUSTER_NODES": cluster.nodes(), "REDIS_URL": right.format(**names)}
        await cluster.start()
        first, second = cluster.instances
        host = await people.host(first.url, room)
        guest = await people.guest(second.url, room)
        await host.add(room, "A")
        await guest.wait("receive-editor-object-update")
        second.kill()
        second.launch(REDIS_URL=wrong.format(**names))
        await second.serving()

        async def told():
            health = await second.health()
            return health["status"] == "degraded" and health["reasons"] and not health["ready"]

        await eventually(told, 15, what=f"{kind}: not ready, and why")
        assert await http.status_of(second.url + "/api/ready") == 503
        word = "tls" if kind == "tls" else "authentication"
        assert word in str((await second.health())["reasons"]).lower()
        await eventually(lambda: word in second.log_text().lower(), what="the log says so")
        assert "sesame" not in first.log_text() + second.log_text()
        await host.add(room, "the first one goes on")
    finally:
        redis.kill()


# --- memory ------------------------------------------------------------------------------------


@pytest.mark.bound(120)
@pytest.mark.known_failure("C41")
async def test_C41_an_outage_under_load_costs_bounded_memory_and_ends_without_a_flood(
    clusters, people, room
):
    """2,000 updates of 10 KB, of twenty objects, while Redis is away."""
    cluster = await clusters(instances=2)
    first, second = cluster.instances
    host = await people.host(first.url, room, editor=creation_editor(box("A")))
    guest = await people.guest(second.url, room)
    nodes = [box(f"n{number}") for number in range(20)]
    for node in nodes:
        assert (await host.put(room, node, "object-added"))["ok"] is True
    await eventually(lambda: len(guest.named("receive-editor-object-update")) == 20)
    cluster.redis.kill()
    for one in cluster.instances:
        await eventually(one.degraded, 8)
    mark = guest.mark()
    before = memory(first)
    for start in range(0, 2_000, 100):
        futures = []
        for step in range(start, start + 100):
            changed = dict(nodes[step % 20], userData={"step": step, "fill": "x" * 10_000})
            futures.append(await start_update(host, room, changed))
        for future in futures:
            assert (await future)[0]["ok"] is True
        await asyncio.sleep(0.1)  # the pace that one client is allowed
    grown = memory(first) - before
    assert grown < 60 * MEGABYTE, f"{grown / MEGABYTE:.0f} MB more"
    await cluster.redis.start()
    for one in cluster.instances:
        await eventually(lambda: healthy(one), 10)

    async def same():
        scenes = [await client.scene(room) for client in (host, guest)]
        steps = [node.get("userData", {}).get("step") for node in scenes[1].objects.values()]
        return scenes[0].difference(scenes[1]) == "" and 1_999 in steps

    await eventually(same, 10)
    single = guest.named("receive-editor-object-update", after=mark)
    assert len(single) <= 600, f"{len(single)} stale edits"
    assert guest.named("receive-full-editor", after=mark), "a fresh scene instead"
    assert host.connected and guest.connected


async def start_update(client, room: str, node: dict):
    payload = {
        "roomId": room,
        "objectData": {"object": node},
        "objectUuid": node["uuid"],
        "changeType": "general",
    }
    return await client.start_ack("sync-editor-object-update", payload)


async def healthy(one) -> bool:
    return (await one.health())["status"] == "healthy"


@pytest.mark.bound(120)
@pytest.mark.known_failure("C42")
async def test_C42_memory_stays_flat_under_steady_work(clusters, people, room):
    """Edits of the same objects, joins and leaves, rooms made and deleted: after the first rounds
    the process has what it needs."""
    cluster = await clusters(instances=1)
    server = cluster.instances[0]
    host = await people.host(server.url, room, editor=creation_editor(box("A")))
    nodes = [box(f"n{number}") for number in range(20)]

    for node in nodes:
        await host.put(room, node, "object-added")

    async def work(seconds: float):
        end = time.monotonic() + seconds
        number = 0
        while time.monotonic() < end:
            number += 1
            changed = [dict(node, userData={"n": number, "x": "y" * 2_000}) for node in nodes]
            futures = [await start_update(host, room, node) for node in changed]
            for future in futures:
                await future
            if number % 5 == 0:
                visitor = await people.room_client(server.url)
                await visitor.join(room, "Visitor")
                await visitor.create(f"{room}-v", "Visitor", editor=creation_editor(*nodes))
                await visitor.delete(f"{room}-v")
                await visitor.close()
                people.clients.remove(visitor)

    await work(4)
    warm = memory(server)
    await work(4)
    grown = memory(server) - warm
    assert grown < 25 * MEGABYTE, f"{grown / MEGABYTE:.0f} MB more in the second half"


# --- work that grows ---------------------------------------------------------------------------


@pytest.mark.known_failure("C44")
async def test_C44_a_hundred_connects_and_a_hundred_requests_cost_a_hundred_answers(
    pair, people, room
):
    first, second = pair.instances
    store = redis_client(pair.redis.port)

    def reads_of_the_list() -> int:
        found = store.info("commandstats")
        names = ("hgetall", "hvals", "hscan")
        return sum(found.get(f"cmdstat_{name}", {"calls": 0})["calls"] for name in names)

    crowd = [await people.room_client(pair.instances[n % 2].url) for n in range(100)]
    await asyncio.sleep(0.5)
    assert [
        event for client in crowd for event in client.events
    ] == [], "a connect is told to nobody"
    await asyncio.gather(*(client.emit("get-rooms") for client in crowd))
    for client in crowd:
        await client.wait("rooms-list")
    reads = reads_of_the_list()
    started = time.monotonic()
    for _ in range(10):
        await asyncio.gather(*(client.emit("get-rooms") for client in crowd[:10]))
    for client in crowd[:10]:
        await eventually(lambda: len(client.named("rooms-list")) == 11)
    host = await people.host(first.url, room)
    await host.delete(room)
    await asyncio.sleep(1.2)
    heard = [event.name for client in crowd for event in client.events]
    assert heard == ["rooms-list"] * 200, "one answer to one request, and nothing to anybody else"
    # Two instances, twice a second for askers, each second for their own housekeeping, or seldomer.
    allowed = 8 * (time.monotonic() - started + 2)
    assert 0 < reads_of_the_list() - reads < allowed, "the list is read for all askers together"


@pytest.mark.known_failure("C54")
async def test_C54_a_redis_that_drops_keys_is_an_alarm_and_one_that_refuses_them_is_degraded(
    clusters, people, room
):
    cluster = await clusters(instances=1)
    server, store = cluster.instances[0], redis_client(cluster.redis.port)
    await people.host(server.url, room)

    async def evicted() -> str:
        lines = (await http.get(f"{server.url}/metrics")).text.splitlines()
        return next((one for one in lines if one.startswith("tandem_redis_evicted_keys ")), "")

    await eventually(lambda: evicted_is(evicted, "0"), 8)
    assert await healthy(server)
    store.config_set("maxmemory-policy", "allkeys-random")
    store.config_set("maxmemory", store.info("memory")["used_memory"] + 300_000)

    async def alarmed():
        return "REDIS_EVICTS" in [one["code"] for one in (await server.health())["reasons"]]

    await eventually(alarmed, 10, what="that Redis can drop keys is told before it does")
    for number in range(200):
        store.set(f"stranger:{number}", "x" * 10_000)
    assert store.info("stats")["evicted_keys"] > 0
    await eventually(lambda: evicted_is(evicted, None), 10, what="evictions are counted")
    assert await alarmed()
    await eventually(lambda: "noeviction" in server.log_text(), what="the log says so")


async def evicted_is(read, number) -> bool:
    line = await read()
    found = line.rpartition(" ")[2]
    return found == number if number else found not in ("", "0")
