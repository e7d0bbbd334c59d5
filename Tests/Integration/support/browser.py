"""Headless Chromium, one process for a test run, and the pages that a test opens in it.

Each page is a browser profile of its own (cookies, cache) unless it is told another's. What a page
says on its console as an error, and what its scripts throw, fails the test, unless the test has
said that it expects it.
"""

import asyncio
import contextlib
import re
import shutil
import subprocess
from pathlib import Path

from playwright.async_api import Browser, BrowserContext, Page, async_playwright

from .processes import Process
from .waiting import eventually

# The sandbox does not work for root, nor in most containers; pages are our own. Playwright loses
# sight of a page that comes out of the back/forward cache.
SWITCHES = (
    "--headless=new",
    "--no-sandbox",
    "--no-first-run",
    "--no-default-browser-check",
    "--disable-dev-shm-usage",
    "--disable-backgrounding-occluded-windows",
    "--disable-renderer-backgrounding",
    "--disable-gpu",
    "--disable-breakpad",
    "--disable-back-forward-cache",
    "--disable-extensions",
    "--disable-sync",
    "--disable-component-update",
    "--disable-background-networking",
    "--metrics-recording-only",
    "--mute-audio",
    "--remote-debugging-port=0",
)


class Chromium(Process):
    """The browser's process, and the connection to its debugging port."""

    def __init__(self, folder: Path, without: tuple[str, ...] = ()):
        """`without`: those of SWITCHES that shall not be given."""
        super().__init__("chromium", folder)
        self.switches = [one for one in SWITCHES if one not in without]
        self.profile = folder / "profile"
        # Whose loop the connection lives on: tests with pages run there, one after the other.
        self.runner: asyncio.Runner | None = None
        self._driver = None
        self._browser: Browser | None = None

    @property
    def program(self) -> str:
        for name in ("chromium", "chromium-browser", "google-chrome"):
            if found := shutil.which(name):
                return found
        raise RuntimeError("no Chromium: scripts/test.sh installs it")

    async def start(self):
        shutil.rmtree(self.profile, ignore_errors=True)
        self.spawn([self.program, *self.switches, f"--user-data-dir={self.profile}", "about:blank"])
        await eventually(self._port, 30, what="Chromium's debugging port")

    def _port(self) -> int | None:
        assert self.running, f"Chromium ended with {self.exit_code}:\n{self.log_text()}"
        with contextlib.suppress(OSError, IndexError):
            return int((self.profile / "DevToolsActivePort").read_text().split()[0])
        return None

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self._port()}"

    async def connection(self) -> Browser:
        if self._browser is None:
            self._driver = await async_playwright().start()
            self._browser = await self._driver.chromium.connect_over_cdp(self.address)
        return self._browser

    async def disconnect(self):
        browser, self._browser = self._browser, None
        driver, self._driver = self._driver, None
        with contextlib.suppress(Exception):
            if browser:
                await asyncio.wait_for(browser.close(), 10)
        if driver:
            await asyncio.wait_for(driver.stop(), 10)

    def stop(self):
        """Chromium ends its own children when asked; a kill would leave some to find out."""
        if self.running:
            self.terminate()
            try:
                self.child.wait(10)
            except subprocess.TimeoutExpired:
                self.kill()


class Tab:
    """One page, with what it complained about."""

    def __init__(self, page: Page):
        self.page = page
        self.complaints: list[str] = []
        self._expected: list[re.Pattern] = []
        page.on("console", self._said)
        page.on("pageerror", lambda error: self.complaints.append(f"thrown: {error}"))
        page.on("crash", lambda _: self.complaints.append("the page crashed"))

    def _said(self, message):
        if message.type == "error":
            self.complaints.append(f"console: {message.text} ({message.location.get('url')})")

    @property
    def context(self) -> BrowserContext:
        return self.page.context

    def expects(self, *patterns: str) -> "Tab":
        """Complaints like these, past or to come, are part of the test."""
        self._expected += [re.compile(pattern) for pattern in patterns]
        return self

    @property
    def unexpected(self) -> list[str]:
        return [
            one for one in self.complaints if not any(like.search(one) for like in self._expected)
        ]

    async def devtools(self, method: str, **parameters):
        """A command of the DevTools protocol, for what Playwright has no call."""
        session = await self.context.new_cdp_session(self.page)
        try:
            return await session.send(method, parameters)
        finally:
            with contextlib.suppress(Exception):
                await session.detach()


class Pages:
    """Opens pages, and closes them when the test is over."""

    def __init__(self, chromium: Chromium):
        self.chromium = chromium
        self.tabs: list[Tab] = []
        self._profiles: list[BrowserContext] = []

    async def open(
        self, url: str, *, beside: Tab | None = None, tab: type[Tab] = Tab, **profile
    ) -> Tab:
        """A page at `url`: in the profile of `beside`, else in a new one, with the options of
        Playwright's `new_context` (viewport, locale, …)."""
        if beside:
            context = beside.context
        else:
            context = await (await self.chromium.connection()).new_context(**profile)
            self._profiles.append(context)
        made = tab(await context.new_page())
        self.tabs.append(made)
        await made.page.goto(url)
        return made

    def assert_quiet(self):
        loud = {tab.page.url: tab.unexpected for tab in self.tabs if tab.unexpected}
        assert not loud, f"pages complained: {loud}"

    async def leave(self):
        profiles, self._profiles = self._profiles, []
        for one in profiles:
            with contextlib.suppress(Exception):
                await asyncio.wait_for(one.close(), 10)
