"""The page at `/` in headless Chromium: two people, a scene, and servers that die under them."""

import asyncio
import re

import pytest
from playwright.async_api import expect

from support import http
from support.processes import Cluster
from support.room_page import BROKEN_CONNECTION, RoomPage, page_environment, start_site
from support.scenes import box, object_data
from support.waiting import eventually

pytestmark = [pytest.mark.bound(120), pytest.mark.browser]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """Two instances behind nginx, which serves the page as it is built for it."""
    cluster = Cluster(
        tmp_path_factory.mktemp("site"), instances=2, nginx=True, env=page_environment()
    )
    try:
        asyncio.run(start_site(cluster))
        yield cluster
        cluster.assert_all_alive()
    finally:
        cluster.stop()


@pytest.fixture(scope="module")
def embedded(tmp_path_factory):
    """One instance without Redis and nginx, which serves the page itself."""
    with Cluster(
        tmp_path_factory.mktemp("embedded"), instances=1, redis=False, env=page_environment()
    ).served() as cluster:
        yield cluster.instances[0]


async def two_members(pages, url, room):
    """Ana, who has made the room, and Ben, who has joined it."""
    ana = await RoomPage.open(pages, url, "Ana")
    ben = await RoomPage.open(pages, url, "Ben")
    await ana.create(room)
    await ben.join(room)
    return ana, ben


# --- lobby ----------------------------------------------------------------------------------


async def test_a_locked_room_is_listed_with_its_lock_and_opens_with_its_password(
    site, pages, room
):
    ana = await RoomPage.open(pages, site.nginx.url, "Ana")
    ben = await RoomPage.open(pages, site.nginx.url, "Ben")
    await ana.create(room, "secreta")
    await expect(ben.listed(room)).to_have_accessible_name(f"Join {room}, locked, 1 person")

    await ben.listed(room).click()
    await ben.answer_password("wrong-one")
    await expect(ben.page.locator("#password-error")).to_have_text("Wrong password")
    await ben.answer_password("secreta")
    await ben.is_in(room)
    for one in (ana, ben):
        await expect(one.people).to_have_count(2)
    await expect(ana.person("Ana")).to_contain_text("you")


async def test_what_cannot_be_a_room_is_explained_beside_the_form(site, pages, room):
    ana = await RoomPage.open(pages, site.nginx.url, "Ana")
    page = ana.page
    for name, password, problem in (
        ("a b", "", "3 to 50 letters"),
        (room, "abc", "at least 4 characters"),
    ):
        await page.get_by_label("Room name").fill(name)
        await page.locator("#room-password").fill(password)
        await page.get_by_role("button", name="Create room").click()
        await expect(page.locator("#create-error")).to_contain_text(problem)
    await page.locator("#room-password").fill("")
    await page.get_by_role("button", name="Create room").click()
    await ana.is_in(room)
    ben = await RoomPage.open(pages, site.nginx.url, "Ben")
    await ben.page.get_by_label("Room name").fill(room)
    await ben.page.get_by_role("button", name="Create room").click()
    await expect(ben.page.locator("#create-error")).to_have_text("The room already exists")
    await ben.is_in_lobby()


# --- the scene ------------------------------------------------------------------------------


async def test_what_one_member_adds_drags_recolours_and_removes_the_other_sees(site, pages, room):
    ana, ben = await two_members(pages, site.nginx.url, room)
    ball = await ana.add("sphere")
    crate = await ben.add("box")
    await expect(ana.shape(crate)).to_be_visible()
    await ben.shows(await ana.scene())

    before = await ben.place(ball)
    await ben.drag(ball, 90, 50)
    after = await ben.place(ball)
    assert after[0] > before[0] and after[1] < before[1]
    await ana.shows(await ben.scene())

    await ana.shape(ball).focus()
    await ana.page.locator("#colour").fill("#112233")
    await expect(ben.shape(ball)).to_have_attribute("data-color", "#112233")

    await ana.shape(crate).click()
    await ana.page.get_by_role("button", name="Remove").click()
    await expect(ben.shape(crate)).to_have_count(0)
    await ana.saved()
    await ana.shows(await ben.scene())


async def test_the_editor_and_the_page_share_a_scene(site, pages, people, room):
    ana = await RoomPage.open(pages, site.nginx.url, "Ana")
    await ana.create(room)
    ring = await ana.add("ring")
    await ana.saved()
    editor = await people.editor(site.nginx.url, "Eva")
    await editor.join_room(room)
    await editor.until(lambda: ring in editor.scene.objects, 20, "the page's shape")
    node = await editor.add_object("Their box")
    await expect(ana.shape(node["uuid"])).to_have_accessible_name(re.compile("^Their box, "))
    moved = [*node["matrix"][:12], 2, -1, 0, 1]
    await editor.change_object(node, matrix=moved)
    await expect(ana.shape(node["uuid"])).to_have_attribute("data-x", "2")
    await ana.shape(node["uuid"]).focus()
    await ana.page.keyboard.press("Shift+ArrowUp")
    await editor.until(
        lambda: editor.scene.objects[node["uuid"]]["matrix"][12:14] == [2, 0], 20, "moved"
    )
    await editor.remove_object(node["uuid"])
    await expect(ana.shape(node["uuid"])).to_have_count(0)
    assert editor.errors == [] and editor.red_notices == []


async def test_the_keyboard_alone_makes_a_room_and_edits_its_scene(site, pages, room):
    ana = await RoomPage.open(pages, site.nginx.url)
    ben = await RoomPage.open(pages, site.nginx.url, "Ben")
    keys = ana.page.keyboard

    async def tab_to(selector):
        matches = "wanted => document.activeElement.matches(wanted)"
        for _ in range(40):
            if await ana.page.evaluate(matches, selector):
                return
            await keys.press("Tab")
        raise AssertionError(f"Tab does not reach {selector}")

    await tab_to("#name")
    await keys.type("Ana")
    await tab_to("#room-id")
    await keys.press("ControlOrMeta+a")
    await keys.type(room)
    await keys.press("Enter")
    await ana.is_in(room)
    await ben.join(room)

    await tab_to("[data-kind=cone]")
    await keys.press("Enter")
    await keys.press("Enter")
    await tab_to("#stage [data-uuid]")
    cone, other = await ana.uuids()
    frame = ana.shape(cone).locator(".frame")
    outline = await frame.evaluate("one => getComputedStyle(one).stroke")
    assert outline not in ("none", "rgba(0, 0, 0, 0)"), "the focus is not to be seen"
    x, y = await ana.place(cone)
    await keys.press("ArrowRight")
    await keys.press("Shift+ArrowDown")
    assert await ana.place(cone) == (x + 0.25, y - 1)
    await ben.shows(await ana.scene())

    await keys.press("Delete")
    await expect(ben.shape(cone)).to_have_count(0)
    assert await ana.shape(other).evaluate("one => one === document.activeElement")
    await expect(ben.shape(other)).to_be_visible()


async def test_on_a_phone_nothing_is_wider_than_the_screen_and_a_finger_drags(site, pages, room):
    phone = {"viewport": {"width": 400, "height": 700}, "has_touch": True, "is_mobile": True}
    ana = await RoomPage.open(pages, site.nginx.url, "A" * 30, **phone)

    async def fits():
        for width in (320, 400):
            await ana.page.set_viewport_size({"width": width, "height": 700})
            size = await ana.page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
            assert size == [width, width]
            for button in await ana.page.locator("button:visible").all():
                area = await button.bounding_box()
                assert min(area["height"], area["width"]) >= 40, await button.inner_text()

    await fits()
    await ana.create(room + "-" + "x" * 30)
    ball = await ana.add("sphere")
    await ana.add("cylinder")
    await fits()
    x, y = await ana.place(ball)
    await ana.drag_by_finger(ball, -30, 30)
    moved = await ana.place(ball)
    assert moved[0] < x and moved[1] < y
    await ana.saved()


# --- people ---------------------------------------------------------------------------------


async def test_everybody_sees_who_is_host_who_is_renamed_who_leaves_and_the_end(site, pages, room):
    ana, ben = await two_members(pages, site.nginx.url, room)
    for one in (ana, ben):
        await expect(one.person("Ana")).to_contain_text("host")
        await expect(one.person("Ben")).not_to_contain_text("host")
    await expect(ana.page.locator("#room-role")).to_have_text("You are the host")
    await expect(ben.page.locator("#room-role")).to_have_text("Ana is the host")
    await expect(ben.page.locator("#delete")).to_be_hidden()

    await ben.page.get_by_label("Your name").last.fill("Benito")
    await ben.page.get_by_role("button", name="Rename").click()
    await expect(ana.person("Benito")).to_be_visible()

    await ana.page.get_by_role("button", name="Leave").click()
    await ana.is_in_lobby()
    await expect(ben.people).to_have_count(1)
    await expect(ben.person("Benito")).to_contain_text("host")

    await ana.join(room)
    await ben.page.get_by_role("button", name="Delete room").click()
    await ben.page.get_by_role("dialog").get_by_role("button", name="Delete room").click()
    for one in (ana, ben):
        await one.is_in_lobby()
        await expect(one.problem).to_contain_text("deleted by Benito")
        await expect(one.listed(room)).to_have_count(0)


async def test_markup_in_names_and_shapes_stays_text(site, pages, people, room):
    markup = "<img src=x onerror=globalThis.hacked=1>"
    ana = await RoomPage.open(pages, site.nginx.url, markup)
    await ana.create(room)
    evil = box(markup, matrix="not a matrix", geometry={"a": 1}, material=[None])
    data = object_data(evil) | {"materials": [{"uuid": None, "color": markup}, 7, None]}
    client = await people.guest(site.instances[0].url, room, markup)
    update = {"objectUuid": evil["uuid"], "objectData": data, "changeType": "object-added"}
    await client.edit("sync-editor-object-update", room, update)
    await expect(ana.shape(evil["uuid"])).to_have_accessible_name(re.compile("^<img "))
    await ana.shape(evil["uuid"]).focus()
    await expect(ana.page.locator("#selected-name")).to_have_text(markup)
    await expect(ana.people).to_have_count(2)
    assert await ana.page.locator("img").count() == 0
    assert await ana.page.evaluate("globalThis.hacked") is None
    # The shape is still one that can be moved.
    await ana.page.keyboard.press("ArrowRight")
    await ana.saved()


# --- servers that die -----------------------------------------------------------------------


async def test_kill_of_the_serving_instance_is_a_moment_and_no_edit_is_lost(clusters, pages, room):
    cluster = await start_site(
        await clusters(start=False, instances=2, nginx=True, env=page_environment())
    )
    ana, ben = await two_members(pages, cluster.nginx.url, room)
    for one in (ana, ben):
        one.tab.expects(*BROKEN_CONNECTION)
        await one.record_banner()
    for kind in ("box", "sphere", "cone"):
        await ana.add(kind)
    await ana.saved()
    scene = await ana.scene()
    await ben.shows(scene)

    serving = cluster.named(await ana.instance())
    shaken = [one for one in (ana, ben) if await one.instance() == serving.name]
    serving.kill()
    for one in shaken:
        await one.came_back()
    for one in (ana, ben):
        assert await one.instance() != serving.name
        await one.shows(scene)
        await expect(one.people).to_have_count(2)
        await expect(one.person("Ana")).to_contain_text("host")
    ring = await ben.add("ring")
    await expect(ana.shape(ring)).to_be_visible()

    # Nobody is left: edits wait, visibly, and go out when somebody is back.
    (last,) = cluster.others(serving)
    await ana.record_banner()
    last.kill()
    await expect(ana.banner).to_have_text("Reconnecting…")
    await ana.drag(ring, 60, 30)
    kept = await ana.add("cylinder")
    save = ana.page.locator("#save")
    await expect(save).to_have_text("2 changes kept until the connection is back")
    await serving.start()
    await ana.came_back()
    await ana.saved()
    assert kept in await ana.scene()
    await ben.shows(await ana.scene())

    cluster.redis.kill()
    await eventually(serving.degraded, 20, what="degraded without Redis")
    await ana.page.reload()
    await ana.is_in(room)
    await expect(ana.page.locator("#health-banner")).to_contain_text(f"{serving.name} is degraded")


async def test_a_page_that_is_kept_for_back_leaves_the_list_and_returns(site, pages, room):
    ana, ben = await two_members(pages, site.nginx.url, room)
    kept = "persisted => dispatchEvent(new PageTransitionEvent(persisted, { persisted: true }))"
    await ana.page.evaluate(kept, "pagehide")
    await expect(ben.people).to_have_count(1)
    await ana.page.evaluate(kept, "pageshow")
    await expect(ben.people).to_have_count(2)
    await expect(ana.people).to_have_count(2)


async def test_a_page_of_one_instance_follows_a_redirect_to_the_rooms_owner_and_comes_back(
    clusters, pages
):
    # A machine that does much else must not make the owner look dead.
    cluster = await clusters(instances=2, env=page_environment() | {"NODE_LEASE": 15_000})
    here, owner = cluster.instances
    ana = await RoomPage.open(pages, here.url, "Ana")
    ana.tab.expects(*BROKEN_CONNECTION)
    assert await ana.instance() == here.name
    # An owner whose lease is late on a busy machine gets nobody sent: then another room.
    for attempt in range(3):
        await eventually(cluster.agree, 20, what="both instances are owners of something")
        await ana.create(await cluster.room_owned_by(owner, f"redirected-{attempt}"), "secreta")
        if await ana.instance() == owner.name:
            break
        await ana.page.get_by_role("button", name="Leave").click()
        await ana.is_in_lobby()
    assert await ana.instance() == owner.name
    crate = await ana.add("box")
    await ana.saved()
    await ana.record_banner()
    owner.kill()
    await ana.came_back()
    assert await ana.instance() == here.name
    await expect(ana.shape(crate)).to_be_visible()
    await ana.saved()


# --- an instance alone ----------------------------------------------------------------------


async def test_an_embedded_instance_serves_the_page_and_a_reload_returns_to_the_locked_room(
    embedded, pages, room
):
    ana = await RoomPage.open(pages, embedded.url, "Ana")
    ben = await RoomPage.open(pages, embedded.url, "Ben")
    assert await ana.instance() == "server-1"
    await expect(ana.page.locator("#link-latency")).to_have_text(re.compile(r"^\d+(\.\d)? ms$"))
    await ana.create(room, "secreta")
    crate = await ana.add("box")
    await ben.join(room, "secreta")
    await expect(ben.shape(crate)).to_be_visible()
    await ben.page.reload()
    await ben.is_in(room)
    await expect(ben.shape(crate)).to_be_visible()
    await expect(ben.person("Ben")).to_contain_text("you")
    await expect(ana.people).to_have_count(2)


async def test_without_the_stock_client_the_page_says_what_to_do(single, pages):
    tab = await pages.open(single.instances[0].url)
    tab.expects("404", "Refused to execute script")
    await expect(tab.page.locator("#problem-banner")).to_contain_text("scripts/fetch-client.sh")


# --- files ----------------------------------------------------------------------------------


async def test_nginx_and_an_instance_serve_the_same_page_with_a_strict_policy(site):
    for url in (site.nginx.url, site.instances[0].url):
        answer = await http.get(url + "/")
        assert answer.status == 200 and answer.headers["content-type"].startswith("text/html")
        assert answer.headers["cache-control"] == "no-cache"
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy and "unsafe" not in policy
        for path in re.findall(r'(?:src|href)="(?:\.)?(/[^"]*\.(?:js|css|svg))"', answer.text):
            part = await http.get(url + path)
            assert part.status == 200, path
            kept = "immutable" in part.headers["cache-control"]
            assert kept == (url == site.nginx.url and path.startswith("/assets/")), path
            again = await http.get(url + path, headers={"If-None-Match": part.headers["etag"]})
            assert again.status == 304, path
    assert (await http.get(site.nginx.url + "/assets/none.js")).status == 404
