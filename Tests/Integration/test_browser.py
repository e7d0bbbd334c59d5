"""The stock client, socket.io-client in Chromium, on real instances: connections, edits, faults."""

import asyncio
import re

import pytest
from playwright.async_api import Error

from support import http
from support.acknowledged import Acknowledged
from support.browser import Chromium, Pages
from support.browser_client import StockPage
from support.processes import Cluster
from support.scenes import box, creation_editor, editor
from support.waiting import eventually

pytestmark = pytest.mark.browser

# What Chromium itself says on the console when the network fails.
NETWORK = (r"WebSocket connection to .* failed", r"Failed to load resource")
UNICODE = "Señal ✓ \U0001f9ca עברית \u2028\x01"


@pytest.fixture(scope="module")
def served(tmp_path_factory, page_server):
    """A pair behind nginx to which the tests' page may connect, and no other page."""
    with Cluster(
        tmp_path_factory.mktemp("served"),
        instances=2,
        nginx=True,
        env={"CORS_ORIGINS": page_server.url},
    ).served() as cluster:
        yield cluster


@pytest.fixture
def stock(pages, page_server):
    """Opens a page with the stock client: `await stock()`."""

    async def open_page(beside=None, foreign=False, page="/") -> StockPage:
        url = page_server.foreign_url if foreign else page_server.url
        return await pages.open(url + page, beside=beside, tab=StockPage)

    return open_page


async def test_what_a_page_complains_of_fails_its_test(pages, stock):
    tab = await stock()
    await tab.page.evaluate("console.error('said'); setTimeout(() => { throw Error('thrown'); })")
    await eventually(lambda: len(tab.unexpected) == 2)
    with pytest.raises(AssertionError, match="said.*thrown"):
        pages.assert_quiet()
    tab.expects("said", "thrown")
    pages.assert_quiet()


async def address(cluster, route: str, room: str) -> tuple[str, str]:
    """Where to connect, and a room that is served there."""
    if route == "nginx":
        return cluster.nginx.url, room
    return cluster.instances[0].url, await cluster.room_owned_by(cluster.instances[0], room)


@pytest.mark.parametrize("route", ["direct", "nginx"])
@pytest.mark.parametrize("transport", ["websocket", "polling", "upgrade"])
async def test_two_pages_share_a_room(served, stock, room, transport, route):
    url, room = await address(served, route, room)
    ana, ben = await stock(), await stock()
    final = "polling" if transport == "polling" else "websocket"
    for tab in (ana, ben):
        connected = await tab.connect(url, room, transport)
        assert connected["name"] == "(connect)", connected
        opening = (await tab.wait("(opening)"))["args"]
        assert opening == ["websocket" if transport == "websocket" else "polling"]
        if transport == "upgrade":
            assert (await tab.wait("(upgrade)"))["args"] == ["websocket"]
        assert await tab.transport == final

    assert (await ana.create(room, "Ana"))["isHost"] is True
    assert (await ben.join(room, UNICODE[:9]))["isHost"] is False
    for tab in (ana, ben):
        await tab.sees(["Ana", UNICODE[:9]])
    assert await ben.users() == {"Ana": "host", UNICODE[:9]: "guest"}

    # Acknowledged in both directions, in the order of the room.
    for number in range(10):
        tab = ana if number % 2 else ben
        answer = await tab.add(room, f"{UNICODE}{number}")
        assert answer["ok"] is True and answer["version"] > 0, answer
    for tab, first in ((ana, 0), (ben, 1)):
        wanted = [f"{UNICODE}{number}" for number in range(first, 10, 2)]
        await tab.page.wait_for_function(
            "count => client.names('receive-editor-object-update').length >= count", arg=5
        )
        assert await tab.run("names", "receive-editor-object-update") == wanted
    assert await ana.transport == await ben.transport == final


@pytest.mark.parametrize("transport", ["websocket", "polling"])
async def test_a_scene_of_a_megabyte_goes_up_and_comes_down(served, stock, room, transport):
    padding = "0123456789abcdeñ" * 65_536
    ana, ben = await stock(), await stock()
    await ana.connect(served.nginx.url, room, transport)
    await ana.create(room, "Ana")
    scene = editor(box("A"), padding=padding)
    payload = {"roomId": room, "editorData": scene}
    await ana.request(
        "sync-full-editor", payload, "sync-full-editor-success", "sync-full-editor-error"
    )
    heard = [one["name"] for one in await ana.page.evaluate("client.events")]
    assert "sync-full-editor-success" in heard and "sync-full-editor-error" not in heard

    await ben.connect(served.nginx.url, room, transport)
    await ben.join(room, "Ben")
    await ben.wait("receive-full-editor")
    whole = await ben.page.evaluate(
        """padding => {
            const event = client.events.find((one) => one.name === "receive-full-editor");
            return event.args[0].editorData.scene.object.userData.padding === padding;
        }""",
        padding,
    )
    assert whole, "the scene did not come back as it was"


# --- who a page is, and where it may connect -----------------------------------------------------


async def resume_cookies(tab) -> list[dict]:
    return [one for one in await tab.context.cookies() if one["name"] == "tandem_resume"]


@pytest.mark.parametrize("transport", ["websocket", "polling"])
async def test_the_resume_cookie_is_kept_and_makes_a_reloaded_host_host_again(
    served, stock, room, transport
):
    ana = await stock()
    await ana.connect(served.nginx.url, room, transport)
    (cookie,) = await resume_cookies(ana)
    assert cookie["httpOnly"] and cookie["sameSite"] == "Lax" and len(cookie["value"]) == 32
    assert await ana.page.evaluate("document.cookie") == "", "no script can read it"
    await ana.create(room, "Ana", "secreta")
    sent = []
    ana.page.on("requestfinished", lambda request: sent.append(request))
    await ana.page.reload()
    await ana.connect(served.nginx.url, room, transport)
    answer = await ana.join(room, "Ana", password=None)
    if transport == "websocket" or answer["isHost"]:
        assert answer["isHost"] is True, "known by the cookie: no password, the same role"
    else:
        # Between two polls there is no connection whose end would tell that the old page is gone:
        # until its heartbeat does, it is the host, and the new page its second tab.
        await ana.wait(
            "users-list",
            timeout=40,
            where="list => list.length === 1 && list[0].role === 'host'",
        )
    assert [one["value"] for one in await resume_cookies(ana)] == [cookie["value"]]
    if transport == "polling":
        polls = [await one.all_headers() for one in sent if "/socket.io/" in one.url]
        assert polls and all(cookie["value"] in one.get("cookie", "") for one in polls)
    stranger = await stock()
    await stranger.connect(served.nginx.url, room, transport)
    payload = {"roomId": room, "userName": "Eve", "password": None}
    refusal = await stranger.request("join-room", payload, "joined-room", "join-room-failed")
    assert refusal.get("code") == "INVALID_PASSWORD", "another profile is a stranger"


async def test_a_redirect_reaches_the_page_with_its_data(served, stock, room):
    here, owner = served.instances
    room = await served.room_owned_by(owner, room)

    async def redirected():
        # An instance that is not sure that the owner is well, on a busy machine, serves itself.
        tab = await stock()
        answer = await tab.connect(here.url, room)
        return (tab, answer) if answer["name"] == "(connect_error)" else None

    tab, refused = await eventually(redirected, 20, step=0.2, what="a redirect")
    message, data = refused["args"]
    assert message == f"REDIRECT:{owner.url}"
    assert data["url"] == owner.url and data["roomId"] == room and data["owner"] == owner.name
    page = await stock(beside=tab)
    assert (await page.connect(data["url"], room))["name"] == "(connect)"
    assert (await page.create(room))["isHost"] is True


@pytest.mark.parametrize("transport", ["websocket", "polling"])
async def test_a_page_of_another_origin_is_refused_and_an_allowed_one_has_credentials(
    served, stock, room, transport
):
    stranger = (await stock(foreign=True)).expects(*NETWORK, r"blocked by CORS policy")
    refused = await stranger.connect(served.nginx.url, room, transport, reconnection=False)
    assert refused["name"] == "(connect_error)"
    assert refused["args"][0] in ("websocket error", "xhr poll error")
    origin = {"Origin": re.match("https?://[^/]*", stranger.page.url)[0]}
    poll = f"{served.nginx.url}/socket.io/?EIO=4&transport=polling"
    assert (await http.get(poll, headers=origin)).status == 403
    assert await resume_cookies(stranger) == []
    friend = await stock()
    assert (await friend.connect(served.nginx.url, room, transport))["name"] == "(connect)"
    read = """async url => (await fetch(url, { credentials: "include" })).json()"""
    assert (await friend.page.evaluate(read, f"{served.nginx.url}/api/health"))["status"]
    with pytest.raises(Exception, match="Failed to fetch"):
        await stranger.page.evaluate(read, f"{served.nginx.url}/api/health")


# --- leaving and sleeping ------------------------------------------------------------------------


async def two_in_a_room(stock, url, room, transport="websocket", password=None):
    ana, ben = await stock(), await stock()
    await ana.connect(url, room, transport)
    await ana.create(room, "Ana", password, creation_editor(box("first")))
    await ana.run("staysIn", room, "Ana")
    await ben.connect(url, room, transport)
    await ben.join(room, "Ben", password)
    await ben.run("staysIn", room, "Ben")
    await ana.sees(["Ana", "Ben"])
    return ana, ben


@pytest.mark.parametrize("how", ["close", "reload", "navigate"])
@pytest.mark.parametrize("transport", ["websocket", "polling"])
async def test_who_leaves_the_page_is_gone_from_the_list(served, stock, room, transport, how):
    ana, ben = await two_in_a_room(stock, served.nginx.url, room, transport)
    if how == "close":
        await ben.page.close()
    elif how == "reload":
        await ben.page.reload()
    else:
        await ben.page.goto("about:blank")
    # Two seconds at most, and four more for a busy machine.
    await ana.sees(["Ana"], timeout=6)
    heard = await ana.page.evaluate("client.events.map((one) => one.name)")
    assert heard.count("user-left") == 1


CACHED = {
    # As the stock client does by itself: nothing. The connection goes on while the page is away.
    "stays": "",
    # As a page does that would not be a member while nobody sees it.
    "leaves": """
        addEventListener("pagehide", () => client.socket.disconnect());
        addEventListener("pageshow", () => client.socket.connect());
    """,
}


@pytest.mark.parametrize("manner", CACHED)
async def test_a_page_out_of_the_back_forward_cache_is_in_its_room(
    served, stock, room, page_server, tmp_path, manner
):
    browser = Chromium(tmp_path, without=("--disable-back-forward-cache",))
    own = Pages(browser)
    try:
        await browser.start()
        ana = await stock()
        await ana.connect(served.nginx.url, room)
        await ana.create(room, "Ana")
        ben = await own.open(page_server.url, tab=StockPage)
        await ben.connect(served.nginx.url, room)
        await ben.join(room, "Ben")
        await ben.run("staysIn", room, "Ben")
        await ana.sees(["Ana", "Ben"])
        await ben.page.evaluate(CACHED[manner])
        await ben.page.evaluate(
            """room => addEventListener("pageshow", async (event) => {
                await client.wait(["joined-room"], 0, 10000);
                const userName = `Ben, kept: ${event.persisted}`;
                const told = { roomId: room, userName };
                setInterval(() => client.socket.emit("user-name-change", told), 300);
            })""",
            room,
        )
        await ben.page.goto(page_server.foreign_url)
        if manner == "leaves":
            await ana.sees(["Ana"], timeout=6)
        await ben.page.evaluate("setTimeout(() => history.back(), 50)")
        await ana.sees(["Ana", "Ben, kept: true"], timeout=20)
    finally:
        await own.leave()
        await browser.disconnect()
        browser.stop()


async def test_a_page_that_sleeps_comes_back_to_all_that_happened(
    clusters, stock, room, page_server
):
    cluster = await clusters(instances=1, redis=False, env=quick_pings(page_server))
    ana, ben = await two_in_a_room(stock, cluster.instances[0].url, room)
    await ben.devtools("Page.setWebLifecycleState", state="frozen")
    assert (await ana.add(room, "while Ben slept"))["ok"] is True
    await asyncio.sleep(4.5)  # longer than a ping and its timeout
    await ben.devtools("Page.setWebLifecycleState", state="active")
    await eventually(lambda: contents(ben, room, "while Ben slept"), 30)
    mark = await ben.mark()
    assert (await ana.add(room, "after"))["ok"] is True
    await ben.wait(
        "receive-editor-object-update",
        after=mark,
        where="(one) => one.objectData.object.name === 'after'",
    )
    await ana.sees(["Ana", "Ben"])


async def contents(tab, room: str, *wanted: str) -> list[str] | None:
    """The names of the room's objects in their order, once all the wanted ones are among them."""
    if not await tab.page.evaluate("client.socket.connected"):
        return None
    try:
        answer = await tab.request(
            "request-editor-sync", {"roomId": room}, "receive-full-editor", "editor-sync-error",
            timeout=4,
        )
    except Error:  # asked over a connection that was lost, and the page did not know it yet
        return None
    if "error" in answer:
        return None
    children = answer["editorData"]["scene"]["object"]["children"]
    names = [node["name"] for node in children]
    return names if set(wanted) <= set(names) else None


# --- faults --------------------------------------------------------------------------------------


def quick_pings(page_server) -> dict:
    return {"CORS_ORIGINS": page_server.url, "PING_INTERVAL": 2000, "PING_TIMEOUT": 1500}


async def instance_of(cluster, tab):
    """Where the page's connection is. On a busy machine nginx may pass over the ring's choice,
    and two members of a room may be at two instances."""
    return cluster.named((await tab.page.evaluate("client.socket.io.engine.id")).split(".")[0])


async def returned(tab, mark: int, timeout: float = 20) -> tuple[str, float]:
    """Why the page lost its connection after `mark`, and the seconds until it was in its room."""
    lost = await tab.wait("(disconnect)", after=mark, timeout=timeout)
    back = await tab.wait("joined-room", after=mark, timeout=timeout)
    return lost["args"][0], (back["at"] - lost["at"]) / 1000


@pytest.mark.parametrize("transport", ["websocket", "upgrade", "polling"])
async def test_after_kill_9_the_stock_client_is_back_with_every_acknowledged_edit(
    clusters, people, stock, room, page_server, transport
):
    cluster = await clusters(instances=2, nginx=True, env={"CORS_ORIGINS": page_server.url})
    ana, ben = tabs = await two_in_a_room(stock, cluster.nginx.url, room, transport, "secreta")
    for tab, label in zip(tabs, ("ana", "ben")):
        tab.expects(*NETWORK)
        await tab.run("edits", room, label, 20)
    for tab in tabs:
        answered = "client.traffic.records.filter((one) => one.version !== null).length >= 20"
        await tab.page.wait_for_function(answered, polling=50)
    victim = await instance_of(cluster, ana)
    there = [tab for tab in tabs if await instance_of(cluster, tab) is victim]
    marks = [await tab.mark() for tab in there]
    victim.kill()
    for tab, mark in zip(there, marks):
        reason, seconds = await returned(tab, mark)
        assert reason in ("transport close", "transport error")
        # The client's own first delay is 0.5 to 1.5 s, its second 1 to 3 s.
        assert seconds < 8
        before = await tab.page.evaluate("client.traffic.records.length")
        await tab.page.wait_for_function(
            "count => client.traffic.records.length > count", arg=before + 10, polling=50
        )
    for tab in tabs:
        await tab.run("rest")
    for tab, name in zip(tabs, ("Ana", "Ben")):
        assert (await tab.add(room, f"last of {name}"))["ok"] is True

    record = Acknowledged()
    for tab in tabs:
        answered, refusals = await tab.note_traffic(record)
        assert refusals == [] and answered >= 20, "the test would prove nothing"
    for tab, other in ((ana, "ben"), (ben, "ana")):
        seen = await tab.page.evaluate("client.of('receive-editor-object-update')")
        for data in seen:
            record.received_by_other(data["objectData"])
        names = [data["objectData"]["object"]["name"] for data in seen]
        numbers = [int(name.split("-")[1]) for name in names if name.startswith(f"{other}-")]
        assert numbers == sorted(numbers), "out of order"
    lasts = ("last of Ana", "last of Ben")
    orders = [await eventually(lambda: contents(tab, room, *lasts), 20) for tab in tabs]
    assert orders[0] == orders[1]
    survivor = cluster.others(victim)[0]
    checker = await people.guest(survivor.url, room, "Check", "secreta")
    record.assert_in(await checker.scene(room), "the room")
    # A return before the dead one is known to be dead stands beside the old connection until then.
    await ana.sees(["Ana", "Ben", "Check"], timeout=20)
    assert await ana.users() == {"Ana": "host", "Ben": "guest", "Check": "guest"}


async def test_a_frozen_instance_is_left_after_the_heartbeat(clusters, stock, room, page_server):
    cluster = await clusters(instances=2, nginx=True, env=quick_pings(page_server))
    ana, ben = tabs = await two_in_a_room(stock, cluster.nginx.url, room)
    for tab in tabs:
        tab.expects(*NETWORK)
    frozen = await instance_of(cluster, ana)
    there = [tab for tab in tabs if await instance_of(cluster, tab) is frozen]
    marks = [await tab.mark() for tab in there]
    before = await ben.mark()
    since = await ana.page.evaluate("performance.now()")
    frozen.freeze()
    for tab, mark in zip(there, marks):
        reason, seconds = await returned(tab, mark)
        assert reason == "ping timeout"
        # Its own delay of 0.5 to 1.5 s, and the 2 s that nginx gives the frozen one.
        assert seconds < 12
    lost = await ana.wait("(disconnect)", after=marks[0])
    assert (lost["at"] - since) / 1000 < 3.5 + 4, "PING_INTERVAL + PING_TIMEOUT"
    assert (await ana.add(room, "on the other"))["ok"] is True
    await ben.wait(
        "receive-editor-object-update",
        "receive-full-editor",
        after=before,
        where="(one) => JSON.stringify(one).includes('on the other')",
    )
    frozen.thaw()
    # A return before the lease of the frozen one ends stands beside the old connection until then.
    await ana.sees(["Ana", "Ben"], timeout=20)
    assert await ana.users() == {"Ana": "host", "Ben": "guest"}
