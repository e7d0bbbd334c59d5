"""`tandem bench` measures, counts every delivery, and fails where one is wrong.

What it measures here is small and on a busy machine: the tests look at what is counted and checked,
never at how fast it was.
"""

import asyncio
import json
import re
import sys

import pytest

from support import http
from support.ports import free_port
from support.processes import ROOT, Cluster, Process, run_tandem
from support.waiting import eventually

# It takes all of a processor that it can get, which others who count seconds would feel.
pytestmark = pytest.mark.alone

SHORT = ["--warmup", "0.2", "--duration", "1", "--settle", "0.5", "--no-progress", "--json", "-"]


# A closed loop is as fast as the machine: faster than any person.
FREE = {"MAX_EVENTS_PER_SECOND": "100000"}


@pytest.fixture(scope="module")
def single(tmp_path_factory):
    """One instance without Redis that lets its clients be fast."""
    with Cluster(
        tmp_path_factory.mktemp("free"), instances=1, redis=False, env=FREE
    ).served() as cluster:
        yield cluster


def load(*arguments, code: int = 0, timeout: float = 100) -> dict:
    done = run_tandem("bench", *SHORT, *[str(one) for one in arguments], timeout=timeout)
    assert done.returncode == code, done.stdout + done.stderr
    report = json.loads(done.stdout)
    assert report["clean"] is (code == 0)
    return report


async def loaded(*arguments, counted: str = "", **options) -> dict:
    """A run's report; of `counted` there is some. A machine that does much else may leave a server
    no time in a whole second: then again, for longer."""
    for seconds in (1, 3, 9, 27):
        length = ["--duration", seconds] if counted else []
        report = await asyncio.to_thread(load, *arguments, *length, **options)
        if not counted or (report[counted] > 0 and report["server_cpu_seconds"] > 0):
            return report
    raise AssertionError(f"no {counted} in 27 seconds: {report}")


def at(instance) -> list:
    return ["--url", instance.url, "--pid", instance.pid]


def assert_nothing_wrong(report: dict):
    for fault in ("missing", "duplicate", "out_of_order", "misdirected", "unmarked", "refused"):
        assert report[fault] == 0, report
    (*_, server) = report["servers"]
    assert server["cpu_seconds"] >= 0 and server["rss_bytes_after"] > 1_000_000


def assert_timed(report: dict):
    times = [report["latency_us"][name] for name in ("p50", "p90", "p99", "p999", "max")]
    assert 0 < times[0] and times == sorted(times), times


# Each scenario


@pytest.mark.parametrize("pace", [["--in-flight", 4], ["--rate", 20]])
async def test_fanout_reaches_every_member_in_closed_and_open_loops(single, pace):
    shape = ["--rooms", 3, "--members", 4, "--senders", 2, "--threads", 2]
    where = at(single.instances[0])
    report = await loaded("fanout", *where, *shape, *pace, counted="deliveries")
    assert_nothing_wrong(report)
    assert_timed(report)
    assert report["clients"] == 12 and report["sent"] > 0
    assert report["deliveries_per_cpu_second"] > 0
    if "--rate" in pace:
        # 3 rooms × 2 senders × 20 in a second, however slow the machine is.
        assert report["sent"] == 120 * report["seconds"]


async def test_ack_times_acknowledgements_and_checks_deliveries_too(single):
    where = at(single.instances[0])
    report = await loaded("ack", *where, "--members", 3, counted="acknowledged")
    assert_nothing_wrong(report)
    assert_timed(report)
    assert report["unacknowledged"] == 0 and report["tool"]["bytes_received"] > 0


async def test_connect_and_idle_count_connections(single):
    where = at(single.instances[0])
    report = await loaded("connect", *where, "--connections", 100, "--concurrency", 20)
    assert report["connects"] == 100 and report["connects_per_cpu_second"] > 0
    assert report["seconds"] > 0
    assert_timed(report)
    report = await loaded("idle", *where, "--connections", 100)
    assert report["clients"] == 100 and "bytes_per_connection" in report


async def test_churn_joins_and_leaves(single):
    shape = ["--concurrency", 4, "--rooms", 2]
    report = await loaded("churn", *at(single.instances[0]), *shape, counted="cycles")
    assert_nothing_wrong(report)
    assert_timed(report)
    assert report["cycles_per_cpu_second"] > 0


async def test_scenes_arrive_whole(single):
    shape = ["--members", 3, "--bytes", 1_200_000, "--duration", 2]
    report = await loaded("scene", *at(single.instances[0]), *shape)
    assert_nothing_wrong(report)
    assert report["corrupted"] == 0 and report["tool"]["bytes_received"] > 1_200_000


async def test_cross_has_senders_here_and_receivers_there(clusters):
    cluster = await clusters(instances=2, env=FREE)
    one, other = cluster.instances
    report = await loaded("cross", *at(one), *at(other), "--members", 4, counted="deliveries")
    assert_nothing_wrong(report)
    assert len(report["servers"]) == 2


@pytest.mark.bound(110)
async def test_failover_tells_when_all_is_whole_again(clusters):
    cluster = await clusters(instances=2)
    one, other = cluster.instances
    urls = ["--url", one.url, "--url", other.url, "--pid", other.pid]
    shape = ["--members", 4, "--senders", 2, "--rate", 10, "--duration", 8]
    kill = ["--kill", one.pid, "--kill-after", 1]
    report = await loaded("failover", *urls, *shape, *kill)
    assert_nothing_wrong(report)
    assert report["moved"] == report["returned"] == 2
    # The contract's client is not back before 100 ms and 500 ms have passed.
    assert 0.6 <= report["whole_after_seconds"] < 20
    assert not one.running


# Any Socket.IO server, and faults

GENERIC = [
    *("--join", '["join","{room}"]', "--joined", "joined"),
    *("--emit", '["message",{"room":"{room}","text":"{payload}"}]', "--receive", "message"),
]


@pytest.fixture
def other_server(tmp_path):
    """Starts a python-socketio server, sound or with a fault; gives its URL."""
    started = []

    async def start(fault: str = "") -> list:
        server = Process(f"server-{fault or 'sound'}", tmp_path)
        started.append(server)
        port = free_port()
        program = ROOT / "Tests/Integration/servers/misbehaving.py"
        server.spawn([sys.executable, program, port, *([fault] if fault else [])])
        url = f"http://127.0.0.1:{port}"

        async def answers():
            assert server.running, server.log_text()
            return await http.status_of(f"{url}/socket.io/?EIO=4&transport=polling") == 200

        await eventually(answers, 30)
        return ["--url", url, "--pid", server.pid]

    yield start
    for server in started:
        server.kill()


async def test_any_socketio_server_can_be_measured(other_server):
    where = await other_server()
    report = await loaded("fanout", *where, *GENERIC, "--members", 3, counted="deliveries")
    assert_nothing_wrong(report)
    report = await loaded("ack", *where, *GENERIC, "--members", 2, counted="acknowledged")
    assert_nothing_wrong(report)


@pytest.mark.parametrize(
    "fault, counts",
    [
        ("drop", {"missing": 2, "duplicate": 0, "out_of_order": 0}),
        ("repeat", {"missing": 0, "duplicate": 2, "out_of_order": 0}),
        ("swap", {"missing": 0, "duplicate": 0, "out_of_order": 2}),
    ],
)
async def test_a_delivery_that_is_wrong_fails_the_run(other_server, fault, counts):
    where = await other_server(fault)
    # A hundred messages in all at the least: 200 in a second, on schedule.
    report = await loaded("fanout", *where, *GENERIC, "--members", 3, "--rate", 200, code=1)
    assert {name: report[name] for name in counts} == counts


# What it refuses


@pytest.mark.parametrize(
    "arguments, expected",
    [
        (["fanout", "--url", "https://127.0.0.1"], "TLS"),
        (["fanout", "--members", "1"], "--members"),
        (["fanout", "--senders", "20"], "--senders"),
        (["fanout", "--in-flight", "2", "--rate", "2"], "--rate"),
        (["fanout", "--emit", "[1]", "--receive", "x"], "--emit"),
        (["fanout", "--pid", "999999999"], "999999999"),
        (["cross"], "--url"),
        (["failover", "--url", "http://127.0.0.1:1", "--url", "http://127.0.0.1:2"], "--kill"),
        (["idle", "--connections", "9000000"], "open files"),
    ],
)
def test_what_makes_no_sense_is_refused_with_a_reason(arguments, expected):
    done = run_tandem("bench", *arguments)
    assert done.returncode == 2, done.stdout + done.stderr
    assert expected in done.stderr, done.stderr


def test_a_server_that_is_not_there_is_named():
    port = free_port()
    done = run_tandem("bench", "fanout", "--url", f"http://127.0.0.1:{port}")
    assert done.returncode == 1 and f"127.0.0.1:{port}" in done.stderr


async def test_a_limit_of_the_server_is_named_by_its_variable(clusters):
    env = {"MAX_EVENTS_PER_SECOND": "5", "MAX_CONNECTIONS": "30"}
    cluster = await clusters(instances=1, redis=False, env=env)
    where = ["--url", cluster.instances[0].url, "--no-progress"]
    done = await asyncio.to_thread(run_tandem, "bench", "fanout", *where, "--in-flight", "40")
    assert done.returncode == 1 and "MAX_EVENTS_PER_SECOND" in done.stderr, done.stderr
    done = await asyncio.to_thread(run_tandem, "bench", "idle", *where)
    assert done.returncode == 1 and "MAX_CONNECTIONS" in done.stderr, done.stderr


# What its page says


def test_every_field_of_the_page_is_in_the_result_and_every_option_in_the_help():
    page = (ROOT / "docs/BENCHMARKING.md").read_text("utf-8")
    sources = "".join(
        path.read_text() for path in (ROOT / "Sources/Shell/LoadTool/Report").glob("*.swift")
    )
    result = page.split("## The result")[1]
    fields = re.findall(r"^\| `([a-z0-9_]+)`", result, re.MULTILINE)
    assert len(fields) > 15
    assert [name for name in fields if f'"{name}"' not in sources] == []
    told = run_tandem("bench", "--help").stdout
    options = set(re.findall(r"`(--[a-z-]+)", page))
    assert len(options) > 15
    assert [name for name in sorted(options) if name not in told] == []
