"""The yardstick serves stock clients, and what measures finds what it is there to find."""

import asyncio
import contextlib
import json
import socket
import sys

import pytest
import socketio

from support.processes import ROOT
from support.waiting import eventually

sys.path.append(str(ROOT / "Tests/Benchmarks"))

import micro  # noqa: E402
from macro import page, result  # noqa: E402
from macro.servers import Floor  # noqa: E402


@pytest.fixture
def floor(tmp_path):
    with Floor(tmp_path) as running:
        yield running


async def stock_client(url: str, room: str):
    """In the room, and what it has received since."""
    client, received, joined = socketio.AsyncClient(), [], asyncio.Event()
    client.on("message", lambda *arguments: received.append(arguments))
    client.on("joined", joined.set)
    await client.connect(url, transports=["websocket"])
    await client.emit("join", room)
    await asyncio.wait_for(joined.wait(), 20)
    return client, received


async def test_the_yardstick_sends_a_message_to_all_others_of_the_room_and_to_nobody_else(floor):
    url = floor.urls[0]
    ann, bob, cem = [await stock_client(url, "one") for _ in range(3)]
    dan = await stock_client(url, "two")
    texts = ["x" * size for size in (10, 200, 70_000)]
    for text in texts:
        await ann[0].emit("message", ("one", text))
    await dan[0].emit("message", ("two", "to nobody"))
    expected = [("one", text) for text in texts]
    await eventually(lambda: bob[1] == expected and cem[1] == expected, 20)
    await bob[0].disconnect()
    left = asyncio.Event()
    dan[0].on("left", left.set)
    await dan[0].emit("leave", "two")
    await asyncio.wait_for(left.wait(), 20)
    await ann[0].emit("message", ("one", "last"))
    await eventually(lambda: cem[1][-1] == ("one", "last"), 20)
    assert ann[1] == [] and dan[1] == [] and bob[1] == expected
    for client, _ in (ann, cem, dan):
        await client.disconnect()


HOSTILE = {
    "no HTTP": b"\x00" * 100,
    "an endless request": b"GET /socket.io/?" + b"a" * 20_000,
    "no key": b"GET /socket.io/?transport=websocket HTTP/1.1\r\n\r\n",
    "a short key": b"GET /socket.io/?transport=websocket HTTP/1.1\r\nSec-WebSocket-Key: x\r\n\r\n",
}
UPGRADE = (
    b"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
HOSTILE |= {
    "an unmasked frame": UPGRADE + b"\x81\x0242",
    "a frame of 8 EiB": UPGRADE + b"\x81\xff\x7f" + b"\xff" * 7 + b"0000",
    "a fragment": UPGRADE + b"\x01\x82000042",
    "an unknown opcode": UPGRADE + b"\x8f\x800000",
}


def until_the_end(floor: Floor, sent: bytes):
    """Sends it, and reads until the yardstick has closed."""
    address = ("127.0.0.1", floor.port)
    with socket.create_connection(address, timeout=30) as connection:
        with contextlib.suppress(ConnectionError):
            connection.sendall(sent)
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(4096):
                pass


def test_the_yardstick_outlives_what_is_no_client(floor):
    for name, sent in HOSTILE.items():
        until_the_end(floor, sent)
        assert floor.process.running, f"{name}: {floor.process.log_text()}"
    for name in ("join", "message"):
        for rest in (b"", b'"', b'""]', b"[[[[", b'"' + b"r" * 500 + b'"]'):
            text = b'42["' + name.encode() + b'",' + rest
            header = b"\x81" + (
                bytes([0x80 | len(text)])
                if len(text) < 126
                else b"\xfe" + len(text).to_bytes(2, "big")
            )
            until_the_end(floor, UPGRADE + header + b"\0\0\0\0" + text)
            assert floor.process.running, text
    floor.process.terminate()
    assert floor.process.child.wait(20) == 0


def test_a_case_that_costs_more_than_its_threshold_is_found():
    limits = micro.Cost(1000.0, 2.0).limits()
    assert limits == {"instructions": 1100, "allocations": 2.2}
    assert micro.verdict(micro.Cost(1100, 2.2), limits) == []
    assert micro.verdict(micro.Cost(1101, 2.0), limits) == ["1,101.0 instructions, at most 1,100"]
    assert micro.verdict(micro.Cost(1000, 2.4), limits) == ["2.4 allocations, at most 2.2"]
    assert micro.verdict(micro.Cost(1, 0), None) == ["has no threshold"]


def test_every_micro_benchmark_has_a_threshold():
    named = "".join(path.read_text() for path in (ROOT / "Tests/Benchmarks/Micro").glob("*.swift"))
    thresholds = json.loads(micro.THRESHOLDS.read_text())
    assert len(thresholds) >= 10
    for name, limits in thresholds.items():
        assert f'name: "{name}"' in named, f"{name} is no case"
        assert set(limits) == {"instructions", "allocations"}
    assert named.count("MicroCase(\n") == len(thresholds)


def test_a_row_says_whether_its_target_is_met():
    met = result.compared("fan-out", "a", [80.0, 81.0, 99.0], [100.0] * 3, "", at_least=0.8)
    missed = result.compared("latency", "b", [1600.0], [1000.0], "", at_most=1.5)
    assert (met.verdict, met.ratio, met.target) == ("met", "0.81 (0.80 to 0.99)", "≥ 0.80 ×")
    assert (missed.verdict, missed.ratio) == ("MISSED", "1.60")
    assert result.absolute("memory", "c", 4.1, "KiB", at_most=4).verdict == "MISSED"
    assert result.Result("start", "d", "1 ms").verdict == ""


def test_the_page_keeps_the_rows_that_were_not_measured_again():
    text = "".join(
        f"{begin}\n\n{end}\n" for begin, end in map(page.markers, ("machine", *page.HEADS))
    )
    first = [
        result.compared("fan-out", "rooms of 10", [1.0], [2.0], "", at_least=0.8),
        result.absolute("connects", "connects", 9.0, "", at_least=8),
        result.Result("start", "to the first answer", "50 ms"),
    ]
    second = [result.compared("fan-out", "rooms of 10", [2.0], [2.0], "", at_least=0.8)]
    facts = [("machine", "this one")]
    once = page.changed(text, first, facts)
    twice = page.changed(once, second, facts)
    assert "| fan-out | rooms of 10 | 1.00 | 2.00 | 0.50 | ≥ 0.80 × | MISSED |" in once
    assert "| fan-out | rooms of 10 | 2.00 | 2.00 | 1.00 | ≥ 0.80 × | met |" in twice
    assert "MISSED" not in twice and "- machine: this one" in twice
    row = "| connects | connects | 9.00 |  |  | ≥ 8.00 | met |"
    for kept in (row, "| start | to the first answer | 50 ms"):
        assert kept in once and kept in twice
