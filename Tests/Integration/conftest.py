"""Running async tests, and the processes and clients that tests ask for."""

import asyncio
import inspect
import itertools
import random

import pytest

from support.browser import Chromium, Pages
from support.browser_client import PageServer
from support.people import People
from support.processes import Cluster

pytest_plugins = ["known_failures"]

DEFAULT_BOUND = 120


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem):
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    wanted = pyfuncitem._fixtureinfo.argnames
    arguments = {name: pyfuncitem.funcargs[name] for name in wanted}
    marker = pyfuncitem.get_closest_marker("bound")
    bound = marker.args[0] if marker else DEFAULT_BOUND

    pages = pyfuncitem.funcargs.get("pages")

    async def run():
        try:
            async with asyncio.timeout(bound):
                await pyfuncitem.obj(**arguments)
            if pages:
                pages.assert_quiet()
        finally:
            for one in (pages, pyfuncitem.funcargs.get("people")):
                if one:
                    await one.leave()

    # A connection to the browser lives on the loop that made it.
    (pages.chromium.runner if pages else asyncio).run(run())
    return True


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if report.failed:
        for value in getattr(item, "funcargs", {}).values():
            cluster = getattr(value, "cluster", value)
            if isinstance(cluster, Cluster):
                for title, text in cluster.logs():
                    report.sections.append((title, text))
    return report


@pytest.fixture
def people():
    return People()


@pytest.fixture(scope="session")
def chromium(tmp_path_factory):
    """The browser of this run, started by the first test that opens a page."""
    browser = Chromium(tmp_path_factory.mktemp("chromium"))
    try:
        with asyncio.Runner() as browser.runner:
            browser.runner.run(browser.start())
            yield browser
            browser.runner.run(browser.disconnect())
    finally:
        browser.stop()


@pytest.fixture
def pages(chromium):
    """Opens pages: `await pages.open(url)`. A page's unexpected complaints fail the test."""
    return Pages(chromium)


@pytest.fixture(scope="session")
def page_server():
    """Serves a page with the stock client to tests that need no page of the product."""
    server = PageServer()
    yield server
    server.stop()


_numbers = itertools.count(random.randrange(10_000, 90_000))


@pytest.fixture
def room():
    """A room id that no other test uses."""
    return f"room-{next(_numbers)}"


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """Two instances, Redis and nginx, shared by the tests of one file: none of them breaks it."""
    with Cluster(tmp_path_factory.mktemp("pair"), instances=2, nginx=True).served() as cluster:
        yield cluster


@pytest.fixture(scope="module")
def single(tmp_path_factory):
    """One instance without Redis, shared by the tests of one file."""
    with Cluster(tmp_path_factory.mktemp("single"), instances=1, redis=False).served() as cluster:
        yield cluster


@pytest.fixture
def clusters(tmp_path):
    """Makes set-ups of a test's own, to be broken at will: `await clusters(instances=2, …)`."""
    made = Clusters(tmp_path)
    yield made
    made.stop()


class Clusters(Cluster):
    """A maker of clusters; for the report of a failure it stands for all that it made."""

    def __init__(self, folder):
        self.folder = folder
        self.made = []

    async def __call__(self, *, start: bool = True, redis_first: bool = True, **options) -> Cluster:
        cluster = Cluster(self.folder / f"cluster-{len(self.made)}", **options)
        self.made.append(cluster)
        if start:
            await cluster.start(redis=redis_first)
        return cluster

    def stop(self):
        for cluster in self.made:
            cluster.stop()

    def logs(self, lines: int = 40):
        return [end for cluster in self.made for end in cluster.logs(lines)]


@pytest.fixture(scope="module", params=["memory", "redis"])
def server(request, tmp_path_factory):
    """One instance, once on each store, for tests of the contract that one instance can show."""
    with Cluster(
        tmp_path_factory.mktemp(request.param), instances=1, redis=request.param == "redis"
    ).served() as cluster:
        yield cluster.instances[0]


@pytest.fixture(scope="module")
def impatient(tmp_path_factory):
    """One instance whose host grace and life of empty rooms are a second and a half."""
    with Cluster(
        tmp_path_factory.mktemp("impatient"),
        instances=1,
        redis=False,
        env={"HOST_GRACE": 1500, "EMPTY_ROOM_TTL": 1500},
    ).served() as cluster:
        yield cluster.instances[0]
