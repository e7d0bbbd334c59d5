"""One ring: what Tandem names as a room's owner is what a real nginx chooses (promise P12)."""

import collections
import random
import socket

import pytest

from ring.nginx_ring import Case, NginxRing, Server
from support.ports import free_port
from support.processes import run_tandem

SEED = 20_261_121
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-"


def room_ids(count: int = 2_500) -> list[str]:
    """Ids of every allowed length, with the vectors of the contract among them."""
    chance = random.Random(SEED)
    fixed = [
        "sala-demo",
        "room_abc123xyz",
        "room1",
        "room2",
        "proyecto-1",
        "proyecto-2",
        "Sala_Grande-01",
        "x" * 50,
    ]
    made = {"".join(chance.choices(ALPHABET, k=3 + number % 48)) for number in range(count)}
    return fixed + sorted(made)


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
        return True
    except OSError:
        return False


def at(host: str, weight: int = 1, down: bool = False) -> Server:
    return Server(f"{host}:{free_port()}", weight, down)


def make_cases(folder) -> list[Case]:
    local = "127.0.0.1"
    cases = [
        Case("two", [at(local) for _ in range(2)]),
        Case("three", [at(local) for _ in range(3)]),
        Case("five", [at(local) for _ in range(5)]),
        Case("weights", [at(local, 3), at(local), at(local, 2)]),
        Case("heavy", [at(local, 100), at(local, 37), at(local, 250), at(local, 11)]),
        Case("names", [at("localhost"), at("127.0.0.2"), at("LOCALHOST", 2), at(local)]),
        Case(
            "sockets",
            [Server(f"unix:{folder}/a.sock"), Server(f"unix:{folder}/b.sock", 2), at(local)],
        ),
        Case("one-down", [at(local), at(local, down=True), at(local), at(local)]),
    ]
    if has_ipv6():
        cases.append(Case("ipv6", [at("[::1]"), at("[::1]"), at(local)]))
    return cases


@pytest.fixture(scope="module")
def nginx(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ring")
    ring = NginxRing(folder, make_cases(folder))
    ring.start()
    try:
        yield ring
    finally:
        ring.stop()


def owners_by_tandem(case: Case, ids: list[str], folder) -> dict[str, str]:
    file = folder / "ids.txt"
    file.write_text("".join(f"{room}\n" for room in ids))
    down = ["--down", case.down] if case.down else []
    done = run_tandem("ring", "--nodes", case.nodes, "--ids-from", str(file), *down)
    assert done.returncode == 0, done.stderr
    return dict(line.split("\t") for line in done.stdout.splitlines())


@pytest.mark.parametrize(
    "name", ["two", "three", "five", "weights", "heavy", "names", "sockets", "one-down", "ipv6"]
)
@pytest.mark.known_failure("C47")
def test_the_ring_names_the_owner_that_nginx_chooses(name, nginx, tmp_path):
    case = next((one for one in nginx.cases if one.name == name), None)
    if case is None:
        pytest.skip("this machine has no IPv6 loopback")

    ids = room_ids()
    assert len(ids) >= 2_000
    chosen = nginx.owners(case, ids)
    named = owners_by_tandem(case, ids, tmp_path)
    different = [
        (room, chosen[room], named.get(room)) for room in ids if chosen[room] != named.get(room)
    ]
    assert not different, f"{len(different)} of {len(ids)} differ, the first: {different[:5]}"
    share = collections.Counter(chosen.values())
    assert set(share) == {one.name for one in case.servers if not one.down}, share


def test_a_weight_that_nginx_refuses_is_refused(tmp_path):
    file = tmp_path / "ids.txt"
    file.write_text("room1\n")
    done = run_tandem("ring", "--nodes", "a:1=0,b:2", "--ids-from", str(file))
    assert done.returncode != 0
    assert "a:1=0" in done.stderr
