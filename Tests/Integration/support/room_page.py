"""The page at `/` in a browser: what a person does and sees there."""

import re
import subprocess
from pathlib import Path

from playwright.async_api import Locator, expect

from .browser import Pages, Tab
from .processes import ROOT, Cluster
from .waiting import eventually

CLIENT = ROOT / ".tandem" / "client"
# For a machine that does much else.
PATIENCE = 20_000
# What a page says when a server dies under it.
BROKEN_CONNECTION = (r"WebSocket connection to", r"Failed to load resource", r"net::ERR_")

BACK = re.compile(r"^Back after \d+\.\d s\.")

expect.set_options(timeout=PATIENCE)


def page_environment() -> dict:
    """For an instance that serves the page, to pages of any port of this machine."""
    return {"CLIENT_DIR": str(CLIENT), "CORS_ORIGINS": None}


def build_for_nginx(folder: Path):
    """What `scripts/deploy-ha.sh` does for nginx."""
    command = ["bash", ROOT / "scripts" / "build-for-nginx.sh", "--out", folder]
    subprocess.run([str(part) for part in command], check=True, capture_output=True, timeout=60)


async def start_site(cluster: Cluster) -> Cluster:
    await cluster.start()
    build_for_nginx(cluster.folder / "www")
    return cluster


class RoomPage:
    def __init__(self, tab: Tab):
        self.tab = tab
        self.page = tab.page

    @classmethod
    async def open(cls, pages: Pages, url: str, name: str = "", **options) -> "RoomPage":
        made = cls(await pages.open(url, **options))
        made.page.set_default_timeout(PATIENCE)
        if name:
            await made.page.locator("#name").fill(name)
        await expect(made.page.locator("#link")).to_have_attribute("data-state", "up")
        return made

    # --- lobby -------------------------------------------------------------------------------

    async def create(self, room: str, password: str = ""):
        await self.page.get_by_label("Room name").fill(room)
        await self.page.locator("#room-password").fill(password)
        await self.page.get_by_role("button", name="Create room").click()
        await self.is_in(room)

    def listed(self, room: str) -> Locator:
        return self.page.get_by_role("button", name=re.compile(rf"^Join {room},"))

    async def join(self, room: str, password: str | None = None):
        await self.listed(room).click()
        if password is not None:
            await self.answer_password(password)
        await self.is_in(room)

    async def answer_password(self, password: str):
        await self.page.locator("#password").fill(password)
        await self.page.locator("#password").press("Enter")

    async def is_in(self, room: str):
        await expect(self.page.locator("#room-title")).to_have_text(room)
        await expect(self.page.locator("#room")).to_be_visible()

    async def is_in_lobby(self):
        await expect(self.page.locator("#lobby")).to_be_visible()
        await expect(self.page.locator("#room")).to_be_hidden()

    # --- scene -------------------------------------------------------------------------------

    @property
    def shapes(self) -> Locator:
        return self.page.locator("#stage [data-uuid]")

    def shape(self, uuid: str) -> Locator:
        return self.page.locator(f'#stage [data-uuid="{uuid}"]')

    async def add(self, kind: str) -> str:
        """The uuid of the new shape, which is selected then. Others may add theirs meanwhile."""
        before = await self.uuids()
        await self.page.get_by_role("button", name=f"Add {kind}").click()
        added = await self.page.locator("#stage .selected").get_attribute("data-uuid")
        assert added not in before
        return added

    async def uuids(self) -> list[str]:
        return await self.shapes.evaluate_all("all => all.map(one => one.dataset.uuid)")

    async def drag(self, uuid: str, right: int, down: int):
        box = await self.shape(uuid).bounding_box()
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        await self.page.mouse.move(x, y)
        await self.page.mouse.down()
        await self.page.mouse.move(x + right / 2, y + down / 2, steps=3)
        await self.page.mouse.move(x + right, y + down, steps=3)
        await self.page.mouse.up()

    async def drag_by_finger(self, uuid: str, right: int, down: int):
        shape = self.shape(uuid)
        await shape.scroll_into_view_if_needed()
        box = await shape.bounding_box()
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        devtools = await self.page.context.new_cdp_session(self.page)
        for kind, part in (("Start", 0), ("Move", 0.4), ("Move", 0.7), ("Move", 1), ("End", None)):
            points = [] if part is None else [{"x": x + right * part, "y": y + down * part}]
            event = {"type": f"touch{kind}", "touchPoints": points}
            await devtools.send("Input.dispatchTouchEvent", event)
        await devtools.detach()

    async def place(self, uuid: str) -> tuple[float, float]:
        data = await self.shape(uuid).evaluate("one => [one.dataset.x, one.dataset.y]")
        return float(data[0]), float(data[1])

    async def scene(self) -> dict:
        """Every shape with its kind, place and colour."""
        rows = await self.shapes.evaluate_all(
            "all => all.map(({dataset: d}) => [d.uuid, d.kind, +d.x, +d.y, d.color])"
        )
        return {row[0]: tuple(row[1:]) for row in rows}

    async def shows(self, scene: dict):
        """This page comes to show exactly that."""
        await self.page.wait_for_function(
            """wanted => {
              const all = [...document.querySelectorAll('#stage [data-uuid]')];
              const rows = all.map(({dataset: d}) => [d.uuid, [d.kind, +d.x, +d.y, d.color]]);
              return JSON.stringify(rows.sort()) === JSON.stringify(wanted);
            }""",
            arg=sorted([uuid, list(parts)] for uuid, parts in scene.items()),
        )

    async def saved(self):
        """Every edit of this page is acknowledged."""
        await expect(self.page.locator("#save")).to_have_attribute("data-waiting", "0")
        await expect(self.page.locator("#save")).to_have_text("All changes saved")

    # --- people and connection ---------------------------------------------------------------

    @property
    def people(self) -> Locator:
        return self.page.locator("#people li")

    def person(self, name: str) -> Locator:
        return self.people.filter(has_text=name)

    async def instance(self) -> str:
        """Who serves this page."""
        link = self.page.locator("#link-instance")
        await expect(link).to_have_text(re.compile(r"^server-\d$"))
        return await link.text_content()

    @property
    def banner(self) -> Locator:
        return self.page.locator("#connection-banner")

    @property
    def problem(self) -> Locator:
        return self.page.locator("#problem-banner")

    async def record_banner(self):
        """Keeps every text that the banner shows from now on: each goes away by itself."""
        await self.page.evaluate(
            """() => {
              const banner = document.getElementById('connection-banner');
              const isFirst = globalThis.banners === undefined;
              globalThis.banners = [];
              if (!isFirst) return;
              const note = () => {
                if (!banner.hidden) globalThis.banners.push(banner.textContent);
              };
              new MutationObserver(note).observe(
                banner, {childList: true, characterData: true, subtree: true, attributes: true});
            }"""
        )

    async def came_back(self):
        """Since `record_banner` the page said that it reconnects, and then how long it took."""

        async def said():
            texts = await self.page.evaluate("globalThis.banners")
            if "Reconnecting…" not in texts:
                return False
            return any(BACK.match(text) for text in texts[texts.index("Reconnecting…") :])

        await eventually(said, PATIENCE / 1000, what="Reconnecting…, Back after … s")


async def agree(one: RoomPage, other: RoomPage):
    """Both pages come to show the same."""

    async def same():
        return await one.scene() == await other.scene()

    await eventually(same, PATIENCE / 1000, what="the same scene on both pages")
