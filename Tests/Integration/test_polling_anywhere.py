"""Long polling behind a proxy that knows no stickiness: a real nginx that sends each request to the
next of two instances."""

import asyncio
import re
import time

import pytest

from support import http
from support.processes import Cluster
from support.round_robin import RoundRobin
from support.scenes import SceneModel, box, object_data
from support.waiting import eventually

WARNING = "the proxy is not sticky"


class Unsticky:
    """Two instances behind a proxy that takes turns."""

    def __init__(self, folder):
        self.cluster = Cluster(folder, instances=2)
        self.proxy = RoundRobin(self.cluster, self.cluster.folder)

    async def start(self) -> "Unsticky":
        await self.cluster.start()
        await self.proxy.start()
        return self

    def stop(self):
        self.proxy.stop()
        self.cluster.stop()

    @property
    def instances(self):
        return self.cluster.instances


@pytest.fixture(scope="module")
def unsticky(tmp_path_factory):
    """Shared by the tests that break nothing."""
    made = Unsticky(tmp_path_factory.mktemp("unsticky"))
    try:
        asyncio.run(made.start())
        yield made
        made.cluster.assert_all_alive()
    finally:
        made.stop()


@pytest.fixture
def fragile(tmp_path):
    """A set-up of a test's own, not started."""
    made = Unsticky(tmp_path)
    yield made
    made.stop()


async def metric(instance, name: str) -> float:
    text = (await http.get(instance.url + "/metrics")).text
    found = re.search(rf"^{name} (\S+)$", text, re.MULTILINE)
    assert found, f"{instance.name} has no metric {name}"
    return float(found[1])


async def total(instances, name: str) -> float:
    return sum([await metric(one, name) for one in instances])


def home_of(client) -> str:
    """The instance that has a stock client's Engine.IO session."""
    return client.io.eio.sid.rpartition(".")[0]


async def clients_on_both(people, url: str, transport: str, instances, **options) -> list:
    """Stock clients, the first two with their sessions on different instances."""
    found = {}
    for _ in range(40):
        client = await people.stock(url, transport, **options)
        found.setdefault(home_of(client), client)
        if len(found) == len(instances):
            return [found[one.name] for one in instances]
        # A client's requests are even in number and the proxy takes turns: a step out of step.
        await http.get(url + "/api/live")
    raise AssertionError(f"all 40 clients have their session on {list(found)}")


async def join(client, room: str, name: str):
    answer = await client.request(
        "join-room",
        {"roomId": room, "userName": name, "password": None},
        replies=("joined-room", "join-room-failed"),
    )
    assert answer.name == "joined-room", answer


async def create(client, room: str, name: str):
    answer = await client.request(
        "create-room",
        {"roomId": room, "userName": name, "password": None},
        replies=("room-created", "room-creation-failed"),
    )
    assert answer.name == "room-created", answer


async def put(client, room: str, node: dict) -> dict:
    payload = {
        "roomId": room,
        "objectData": object_data(node),
        "objectUuid": node["uuid"],
        "changeType": "object-added",
    }
    return await client.call("sync-editor-object-update", payload, timeout=30)


def names_heard(client) -> list[str]:
    return [
        event.arg["objectData"]["object"]["name"]
        for event in client.events
        if event.name == "receive-editor-object-update"
    ]


# --- nothing but polling -------------------------------------------------------------------------


@pytest.mark.bound(120)
async def test_two_stock_clients_on_polling_exchange_1000_messages_over_two_instances(
    unsticky, people, room
):
    ana, ben = await clients_on_both(
        people, unsticky.proxy.url, "polling", unsticky.instances
    )
    await create(ana, room, "Ana")
    await join(ben, room, "Ben")

    async def work(client, label: str) -> list[int]:
        versions = []
        for start in range(0, 500, 25):
            sent = [put(client, room, box(f"{label}-{start + n}")) for n in range(25)]
            answers = await asyncio.gather(*sent)
            assert all(answer["ok"] is True for answer in answers)
            versions += [answer["version"] for answer in answers]
        return versions

    both = await asyncio.gather(work(ana, "ana"), work(ben, "ben"))
    for versions in both:
        assert versions == sorted(versions), "acknowledged in the order sent"
    assert len(set(both[0] + both[1])) == 1000
    for client, other in ((ana, "ben"), (ben, "ana")):
        await eventually(lambda: len(names_heard(client)) >= 500, 20, what="all edits heard")
        assert names_heard(client) == [f"{other}-{n}" for n in range(500)], "each once, in order"
        assert client.current_transport == "polling"
        assert client.disconnects == []
    answer = await ana.request(
        "request-editor-sync", {"roomId": room}, replies=("receive-full-editor",)
    )
    assert len(SceneModel.of(answer.arg["editorData"]).objects) == 1000
    for one in unsticky.instances:
        assert await metric(one, "tandem_engine_forwards_total") > 20
        assert await metric(one, "tandem_engine_forward_failures_total") == 0


@pytest.mark.parametrize("transport", ["polling", "upgrade"])
async def test_an_old_client_is_served_too(unsticky, people, room, transport):
    proxy = unsticky.proxy
    old = await people.old(proxy.url if transport == "polling" else proxy.upgrading_url, transport)
    payload = {"roomId": room, "userName": "Ana", "password": None}
    await old.request("create-room", payload, replies=("room-created",))
    for _ in range(20):
        await old.request("get-rooms", replies=("rooms-list",))
    assert old.is_connected


async def test_what_is_wrong_with_the_proxy_is_said_once_in_the_log(unsticky, people):
    clients = await clients_on_both(
        people, unsticky.proxy.url, "polling", unsticky.instances
    )

    async def all_have_forwarded():
        for client in clients:
            await client.request("get-rooms", replies=("rooms-list",))
        return all(
            [await metric(one, "tandem_engine_forwards_total") >= 2 for one in unsticky.instances]
        )

    await eventually(all_have_forwarded, 20)
    for one in unsticky.instances:
        lines = [line for line in one.log_text().splitlines() if WARNING in line]
        assert len(lines) == 1, lines
        assert "warning" in lines[0] and "`sid`" in lines[0] and "127.0.0.1" in lines[0]


async def test_a_message_of_megabytes_goes_there_and_comes_back(unsticky, people, room):
    ana, ben = await clients_on_both(
        people, unsticky.proxy.upgrading_url, "polling", unsticky.instances
    )
    await create(ana, room, "Ana")
    await join(ben, room, "Ben")
    node = box("big", userData={"padding": "x" * 3_000_000})
    assert (await put(ana, room, node))["ok"] is True
    heard = await ben.wait("receive-editor-object-update", timeout=20)
    assert heard.arg["objectData"]["object"] == node


async def test_with_the_shipped_nginx_nothing_is_forwarded(pair, people):
    for _ in range(4):
        client = await people.stock(pair.nginx.url, "polling")
        for _ in range(5):
            await client.request("get-rooms", replies=("rooms-list",))
    await asyncio.sleep(0.3)  # figures are as of the last tick
    assert await total(pair.instances, "tandem_engine_forwards_total") == 0
    assert not any(WARNING in one.log_text() for one in pair.instances)


# --- upgrades ------------------------------------------------------------------------------------


async def test_upgrades_are_tunnelled_to_the_instance_that_has_the_session(
    unsticky, people, room
):
    clients = []

    async def one_is_tunnelled():
        clients.append(await people.stock(unsticky.proxy.upgrading_url, "upgrade"))
        return await total(unsticky.instances, "tandem_engine_open_tunnels") >= 1

    await eventually(one_is_tunnelled, 20)
    clients += [
        await people.stock(unsticky.proxy.upgrading_url, "upgrade") for _ in range(4)
    ]
    assert all(client.current_transport == "websocket" for client in clients)
    await create(clients[0], room, "Host")
    for number, client in enumerate(clients[1:]):
        await join(client, room, f"Guest {number}")
    for number, client in enumerate(clients):
        assert (await put(client, room, box(f"of {number}")))["ok"] is True
    for number, client in enumerate(clients):
        await eventually(lambda: len(names_heard(client)) == len(clients) - 1, 10)
        assert f"of {number}" not in names_heard(client)
    await people.leave()

    async def no_tunnel_is_left():
        return await total(unsticky.instances, "tandem_engine_open_tunnels") == 0

    await eventually(no_tunnel_is_left, 10)


async def test_behind_a_proxy_without_websocket_a_client_that_would_upgrade_stays_on_polling(
    unsticky, people
):
    for _ in range(3):
        client = await people.stock(unsticky.proxy.url, "upgrade")
        assert client.current_transport == "polling"
        await client.request("get-rooms", replies=("rooms-list",))


# --- instances that die, freeze, or are asked in vain --------------------------------------------


@pytest.mark.bound(90)
async def test_after_kill_9_of_its_instance_a_polling_client_is_back_on_the_other(fragile, people):
    await fragile.start()
    killed, survivor = fragile.instances
    clients = await clients_on_both(
        people, fragile.proxy.url, "polling", fragile.instances, reconnection=True
    )
    killed.kill()
    for client in clients:

        async def is_served():
            if not client.io.connected or home_of(client) != survivor.name:
                return False
            await client.request("get-rooms", replies=("rooms-list",), timeout=5)
            return True

        async def is_served_again():
            try:
                return await is_served()
            except Exception:  # its session broke meanwhile, it comes back
                return False

        await eventually(is_served_again, 30, what="the client is back")


@pytest.mark.bound(90)
async def test_a_poll_for_a_frozen_instance_makes_the_client_reopen_in_seconds(fragile):
    await fragile.cluster.start()
    frozen, other = fragile.instances
    opening = await http.get(f"{frozen.url}/socket.io/?EIO=4&transport=polling")
    sid = re.search(r'"sid":"([^"]+)"', opening.text)[1]
    target = f"{other.url}/socket.io/?EIO=4&transport=polling&sid={sid}"
    posted = await http.request("POST", target, body="40")
    assert (posted.status, posted.text) == (200, "ok")
    assert (await http.get(target)).text.startswith("40")
    frozen.freeze()
    waiting = await http.get(target, timeout=40)
    assert waiting.status == 400
    assert waiting.json() == {"code": 1, "message": "Session ID unknown"}
    # And from now on at once.
    start = time.monotonic()
    again = await http.request("POST", target, body="41", timeout=40)
    assert (again.status, again.json()["code"]) == (400, 1)
    assert time.monotonic() - start < 3
    assert other.running


async def test_an_outsider_gains_nothing_with_the_mark_of_a_forwarded_request(unsticky):
    first, second = unsticky.instances
    opening = await http.get(f"{first.url}/socket.io/?EIO=4&transport=polling")
    sid = re.search(r'"sid":"([^"]+)"', opening.text)[1]
    query = f"/socket.io/?EIO=4&transport=polling&sid={sid}"
    mark = {"X-Tandem-Forwarded": "1"}
    refused = await http.request("POST", second.url + query, headers=mark, body="40")
    assert (refused.status, refused.json()["code"]) == (400, 1)
    served = await http.request("POST", first.url + query, headers=mark, body="40")
    assert served.status == 200
    # Nor does whoever names an instance that is none.
    for sid in ("server-9.abc", "127.0.0.1:80.abc", f"{second.name}.abc", "." * 3000):
        answer = await http.get(f"{first.url}/socket.io/?EIO=4&transport=polling&sid={sid}")
        assert (answer.status, answer.json()["code"]) == (400, 1), sid[:40]
