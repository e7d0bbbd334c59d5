"""Pictures of the page, for the documentation and for people who look at it.

`python -m support.screenshots FOLDER` from Tests/Integration; scripts/screenshots.sh does it all.
"""

import asyncio
import sys
import tempfile
from pathlib import Path

from playwright.async_api import expect

from .browser import Chromium, Pages
from .processes import Cluster
from .room_page import RoomPage, agree, page_environment, start_site

DESK = {"viewport": {"width": 1180, "height": 940}}
PHONE = {
    "viewport": {"width": 360, "height": 740},
    "has_touch": True,
    "is_mobile": True,
    "device_scale_factor": 1.5,
}
LAYOUT = {
    "box": (-3.6, 1.2),
    "sphere": (0.2, -1.8),
    "cone": (3.9, 1.4),
    "cylinder": (-1.1, 1.5),
    "ring": (2.8, -1.6),
}


async def arrange(member: RoomPage, uuid: str, place: tuple[float, float]):
    """Drags a shape to a place of the scene."""
    at = await member.place(uuid)
    unit = await member.page.locator("#stage").evaluate("stage => stage.getScreenCTM().a")
    await member.drag(uuid, round((place[0] - at[0]) * unit), round((at[1] - place[1]) * unit))


async def take(folder: Path, pages: Pages, cluster: Cluster):
    async def shoot(member: RoomPage, name: str, **options):
        await member.page.screenshot(path=folder / f"{name}.png", **options)
        print(folder / f"{name}.png")

    url = cluster.nginx.url
    ana = await RoomPage.open(pages, url, "Ana", **DESK)
    ben = await RoomPage.open(pages, url, "Ben", **DESK, color_scheme="dark")
    cleo = await RoomPage.open(pages, url, "Cleo", **DESK)
    mia = await RoomPage.open(pages, url, "Mia", **PHONE)
    await cleo.create("early-garden-17")
    await ana.create("calm-harbour-42", "secreta")
    await expect(ben.listed("early-garden-17")).to_be_visible()
    await expect(ben.listed("calm-harbour-42")).to_be_visible()
    await shoot(ben, "lobby-dark")
    await cleo.page.get_by_role("button", name="Leave").click()
    await expect(cleo.listed("calm-harbour-42")).to_be_visible()
    await shoot(cleo, "lobby")
    await expect(mia.listed("calm-harbour-42")).to_be_visible()
    await shoot(mia, "phone-lobby", full_page=True)

    await ben.join("calm-harbour-42", "secreta")
    await mia.join("calm-harbour-42", "secreta")
    shapes = {}
    for number, kind in enumerate(LAYOUT):
        member = (ana, ben)[number % 2]
        shapes[kind] = await member.add(kind)
        await arrange(member, shapes[kind], LAYOUT[kind])
    await ana.saved()
    await ben.saved()
    await agree(ana, ben)
    await ben.drag(shapes["cylinder"], 20, -10)
    await ana.shape(shapes["sphere"]).focus()
    await ana.page.keyboard.press("ArrowRight")
    await expect(ana.page.locator(".tag")).to_have_count(1)
    await shoot(ana, "editing")
    await shoot(ben, "editing-dark")
    await shoot(mia, "phone", full_page=True)

    serving = cluster.named(await ana.instance())
    # The browser loses its network too, or it would be back before the picture is taken.
    await ana.page.context.set_offline(True)
    serving.kill()
    await expect(ana.banner).to_have_text("Reconnecting…")
    await arrange(ana, shapes["ring"], (3.2, -1.2))
    await shoot(ana, "failover-during")
    await ana.page.context.set_offline(False)
    await ana.saved()
    await expect(ana.page.locator("#link-latency")).not_to_have_text("")
    await expect(ana.page.locator(".tag")).to_have_count(0)
    await shoot(ana, "failover-after")


async def main(folder: Path):
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="tandem-screenshots-") as temporary:
        place = Path(temporary)
        cluster = Cluster(place, instances=2, nginx=True, env=page_environment())
        chromium = Chromium(place / "chromium")
        pages = Pages(chromium)
        try:
            await start_site(cluster)
            await chromium.start()
            await take(folder, pages, cluster)
        finally:
            await pages.leave()
            chromium.stop()
            cluster.stop()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]).resolve()))
