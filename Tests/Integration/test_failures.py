"""The page of faults names tests and metrics that exist; and the fault that no other file has."""

import re
import time

from support import http
from support.line import Line
from support.processes import ROOT
from support.waiting import eventually

WHOLE = (ROOT / "docs/FAILURES.md").read_text("utf-8")
BEGIN, END = (f"<!-- scripts/chaos.sh --write: {word} -->" for word in ("begin", "end"))
MEASURED = WHOLE.split(BEGIN)[1].split(END)[0]
PAGE = WHOLE.replace(f"{BEGIN}{MEASURED}{END}", "")


def rows_of(text: str, head: str) -> list[list[str]]:
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    return [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in lines
        if not line.startswith(f"| {head} ")
    ]


ROWS = rows_of(PAGE, "fault")


def test_every_row_says_what_is_seen_and_which_tests_show_it():
    assert len(ROWS) > 25
    for row in ROWS:
        assert len(row) == 6, row
        fault, seen, _, _, metric, tests = row
        assert fault and seen and re.search(r"`\w+`", tests), row
        assert "tandem_" in metric or metric.startswith("none: ") or not metric, row


def test_every_test_that_the_page_names_exists():
    tests = " ".join(row[5] for row in ROWS) + PAGE.split("## Not proved yet")[1]
    named = {name for name in re.findall(r"`(\w+)`", tests) if name[0].islower()}
    assert len(named) > 30
    python = "".join(path.read_text() for path in (ROOT / "Tests").rglob("test_*.py"))
    swift = "".join(path.read_text() for path in (ROOT / "Tests").rglob("*.swift"))
    missing = [
        name
        for name in sorted(named)
        if f"def {name}(" not in python and f"func {name}(" not in swift
    ]
    assert missing == []


def test_the_table_of_measurements_has_every_promise_and_a_test_for_each_row():
    rows = rows_of(MEASURED, "promise")
    assert [f"P{number}" for number in range(1, 14)] == list(dict.fromkeys(row[0] for row in rows))
    tests = (ROOT / "Tests/Faults/test_promises.py").read_text()
    for row in rows:
        promise, _, _, _, _, _, verdict, test = row
        assert verdict in ("kept", "BROKEN"), row
        assert f"def {test.strip('`')}(" in tests and f"_{promise}_" in test, row


async def test_every_metric_that_the_page_names_is_served(pair):
    named = set(re.findall(r"`(tandem_\w+)`", PAGE))
    assert len(named) > 20

    async def missing():
        text = (await http.get(f"{pair.instances[0].url}/metrics")).text
        return sorted(named - set(re.findall(r"^# TYPE (\w+) ", text, re.MULTILINE)))

    async def complete():
        return await missing() == []

    try:
        await eventually(complete, 8)
    except AssertionError:
        assert await missing() == []


async def test_a_client_whose_network_dies_in_silence_leaves_the_list(
    clusters, people, room, tmp_path
):
    """Nothing closes its connection: only an unanswered ping tells."""
    env = {"PING_INTERVAL": 500, "PING_TIMEOUT": 3000}
    server = (await clusters(instances=1, redis=False, env=env)).instances[0]
    line = Line(tmp_path, server.port)
    await line.start()
    try:
        host = await people.host(server.url, room)
        await people.guest(f"http://127.0.0.1:{line.port}", room, "Ben")
        await host.wait("users-list", where=lambda users: len(users) == 2)
        mark = host.mark()
        line.freeze()
        silent_at = time.monotonic()
        left = await host.wait("user-left", after=mark, timeout=20)
        assert left.arg["userName"] == "Ben" and host.connected
        assert left.at - silent_at < 15, "PING_INTERVAL and ten seconds"
        await host.wait("users-list", after=mark, where=lambda users: len(users) == 1)

        async def is_counted():
            metrics = (await http.get(f"{server.url}/metrics")).text
            return "\ntandem_engine_ping_timeouts_total 1\n" in metrics

        await eventually(is_counted, what="the timeout is counted")
    finally:
        line.kill()
