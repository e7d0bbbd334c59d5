"""Known failures of the system before: what it says of itself (C59 to C63).

What other files show as well is marked there; docs/KNOWN-FAILURES.md has the whole list.
"""

import json
import re

import pytest

from support import http
from support.processes import ROOT
from support.scenes import box, creation_editor
from support.waiting import eventually
from support.wire import new_browser

LEVELS = {"trace", "debug", "info", "notice", "warning", "error", "critical"}


async def truth(instance) -> tuple:
    """What the routes say: status, ready, whether Redis is connected, codes of reasons."""
    health = await instance.health()
    ready = await http.status_of(f"{instance.url}/api/ready") == 200
    codes = [reason["code"] for reason in health["reasons"]]
    return health["status"], ready, health["redis"]["connected"], codes


@pytest.mark.known_failure("C59")
async def test_C59_health_follows_what_happens_to_the_instance(clusters):
    cluster = await clusters(instances=1, env={"DRAIN_DELAY": 3000})
    one = cluster.instances[0]

    async def is_now(status, ready, connected):
        told = await truth(one)
        return told[:3] == (status, ready, connected) and (status == "healthy") == (told[3] == [])

    await eventually(lambda: is_now("healthy", True, True), what="healthy")
    cluster.redis.kill()
    # Nobody else reaches Redis either: still the best place to go (docs/decisions/0004).
    await eventually(lambda: is_now("degraded", True, False), 8, what="degraded without Redis")
    await cluster.redis.start()
    await eventually(lambda: is_now("healthy", True, True), 10, what="healthy again")
    cluster.redis.freeze()
    await eventually(lambda: is_now("degraded", True, False), 10, what="degraded: Redis hangs")
    cluster.redis.thaw()
    await eventually(lambda: is_now("healthy", True, True), 10, what="healthy after the hang")
    one.terminate()
    await eventually(lambda: is_now("draining", False, True), 3, what="draining")
    assert await one.ended(20) == 0


@pytest.mark.known_failure("C60")
async def test_C60_every_number_is_that_of_a_reference_count(clusters, people, room):
    cluster = await clusters(instances=2)
    first, second = cluster.instances

    async def told(instance) -> tuple | None:
        """The counts of an instance; None while its three sources, asked one after the other, differ."""
        stats = await http.get_json(f"{instance.url}/api/stats")
        health = await instance.health()
        text = (await http.get(f"{instance.url}/metrics")).text
        gauges = {
            name: int(float(re.search(rf"^tandem_{name} (\S+)$", text, re.MULTILINE)[1]))
            for name in ("clients", "members", "rooms", "redis_connected")
        }
        counts = (gauges["clients"], gauges["members"], gauges["rooms"])
        for source in (stats, health):
            if (source["users"], source["members"], source["rooms"]) != counts:
                return None
        return (*counts, stats["transports"]["websocket"])

    async def becomes(*wanted):
        async def right():
            return [await told(one) for one in cluster.instances] == list(wanted)

        await eventually(right, what=f"{wanted}")

    async def users_in_the_list(name, count):
        async def right():
            rooms = (await http.get_json(f"{second.url}/api/all-rooms"))["rooms"]
            return [one["userCount"] for one in rooms if one["id"] == name] == [count]

        await eventually(right, what=f"{count} members of {name}")

    await becomes((0, 0, 0, 0), (0, 0, 0, 0))
    host = await people.host(first.url, f"{room}-a")
    guest = await people.guest(second.url, f"{room}-a")
    lobby = await people.room_client(second.url)
    other = await people.host(first.url, f"{room}-b")
    await becomes((2, 2, 2, 2), (2, 1, 1, 2))
    await users_in_the_list(f"{room}-a", 2)
    await guest.leave(f"{room}-a")
    await becomes((2, 2, 2, 2), (2, 0, 0, 2))
    await users_in_the_list(f"{room}-a", 1)
    await lobby.join(f"{room}-b")
    await host.join(f"{room}-b")
    await becomes((2, 2, 1, 2), (2, 1, 1, 2))
    await users_in_the_list(f"{room}-b", 3)
    await other.drop()
    await becomes((1, 1, 1, 1), (2, 1, 1, 2))
    await host.close()
    await lobby.close()
    await becomes((0, 0, 0, 0), (1, 0, 0, 1))


@pytest.mark.known_failure("C61")
async def test_C61_the_fields_of_the_list_mean_what_they_say(clusters, people, room):
    cluster = await clusters(instances=2)
    first, second = cluster.instances
    mine = await cluster.room_owned_by(first, f"{room}-mine")
    theirs = await cluster.room_owned_by(second, f"{room}-theirs")
    browser = new_browser()
    host = await people.room_client(first.url, browser=browser)
    await host.create(mine, "Ana", password="secreta", editor=creation_editor(box()))
    await people.host(first.url, theirs, "Ben")

    async def items():
        lists = [
            (await http.get_json(f"{one.url}/api/all-rooms"))["rooms"] for one in (first, second)
        ]
        found = [
            {item["id"]: item for item in rooms if item["id"] in (mine, theirs)} for rooms in lists
        ]
        facts = [
            {name: tuple(item[field] for field in FACTS) for name, item in one.items()}
            for one in found
        ]
        return facts[0] if facts[0] == facts[1] and len(facts[0]) == 2 else None

    async def becomes(wanted):
        async def right():
            return await items() == wanted

        await eventually(right, 12, what=f"{wanted}")

    await becomes(
        {
            mine: (1, True, True, "Ana", "server-1", first.url, True),
            theirs: (1, False, False, "Ben", "server-2", second.url, True),
        }
    )
    guest = await people.guest(second.url, mine, "Cleo", password="secreta")
    await host.drop()
    back = await people.room_client(second.url, browser=browser)
    # Faster than his broken connection is noticed elsewhere, he is a guest until it is.
    await back.join(mine, "Ana")
    await guest.wait(
        "users-list",
        where=lambda users: [("Ana", "host"), ("Cleo", "guest")]
        == sorted((one["name"], one["role"]) for one in users),
    )
    # Each room has one owner, also when that is not the one that made it.
    second.kill()

    async def moved():
        rooms = (await http.get_json(f"{first.url}/api/all-rooms"))["rooms"]
        owners = {item["id"]: item["serverInstance"] for item in rooms}
        return owners.get(theirs) == owners.get(mine) == "server-1"

    await eventually(moved, 12, what="a room of a dead instance has a living owner")
    await browser.close()


FACTS = (
    "userCount",
    "isProtected",
    "hasEditor",
    "host",
    "serverInstance",
    "serverUrl",
    "isAvailable",
)


@pytest.mark.known_failure("C62")
async def test_C62_log_lines_are_structured_levelled_bounded_and_few(clusters, people, room):
    env = {"LOG_FORMAT": "json", "LOG_LEVEL": "info"}
    cluster = await clusters(instances=2, env=env)
    first, second = cluster.instances
    host = await people.host(first.url, room, editor=creation_editor(box("A")))
    guest = await people.guest(second.url, room, "Ben")
    quiet = [len(one.log_text().splitlines()) for one in cluster.instances]
    for number in range(300):
        await host.add(room, f"n{number}")
    for number in range(30):
        await guest.rooms()
        await guest.emit("no-such-event", "x" * 100_000)
    await people.host(first.url, "B" * 45, name="N" * 500_000)
    busy = [len(one.log_text().splitlines()) for one in cluster.instances]
    assert sum(busy) - sum(quiet) < 20, "no line for each message"
    second.kill()
    cluster.redis.kill()
    await eventually(first.degraded, 8)
    await cluster.redis.start()

    async def well():
        return not await first.degraded()

    await eventually(well, 10)
    first.terminate()
    assert await first.ended(20) == 0
    texts = [one.log_text() for one in cluster.instances]
    for line in "".join(texts).splitlines():
        entry = json.loads(line)
        assert {"time", "level", "message"} <= set(entry) and entry["level"] in LEVELS, line
        assert len(line) < 4_000, line[:500]
        assert room not in line or "rooms" not in entry, "no list of rooms in a line"
    levels = {json.loads(line)["level"] for line in texts[0].splitlines()}
    assert levels & {"warning", "error"}, "an outage is more than information"
    cut = texts[1].splitlines()
    assert len(cut) < 30, "nothing is told twice a second"


COMMAND = re.compile(r"^(?:\./)?(scripts/[a-z-]+\.sh|swift [a-z]+|tandem)\b[ ]*(.*)$")


def documented_commands() -> set[str]:
    """Every command of the pages that people read, without its arguments' values."""
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
    found = set()
    for page in pages:
        for block in re.findall(r"```sh\n(.*?)```", page.read_text("utf-8"), re.DOTALL):
            for line in block.splitlines():
                line = line.split(" #")[0].strip()
                if line and not line.startswith("#"):
                    found.add(line)
    return found


def run_in_ci(command: str) -> bool:
    """Whether .ci/run, scripts/test.sh or a test runs it."""
    match = COMMAND.match(command)
    if not match:
        return False
    program, arguments = match.groups()
    words = arguments.split()
    if not program.startswith("swift") and program != "tandem" and not (ROOT / program).exists():
        return False
    ci = (ROOT / ".ci/run").read_text()
    tests = "".join(path.read_text() for path in (ROOT / "Tests").rglob("*.py"))
    steps = (ROOT / "scripts/test.sh").read_text()
    if program == "scripts/deploy-ha.sh":
        return f"deploy {words[0]}" in ci or f'run("{words[0]}"' in tests
    if program == "scripts/rolling-restart.sh":
        return 'script="rolling-restart.sh"' in tests
    if program == "scripts/chaos.sh":  # Tests/Faults are its experiments
        return "faults=Tests/Faults" in steps
    if program == "scripts/test.sh":
        return program in ci
    if program in ("swift run", "tandem"):
        return "swift build" in steps and '"serve"' in tests
    if program in ("swift build", "swift test"):
        return program in steps
    return program in ci or program in steps


@pytest.mark.known_failure("C63")
def test_C63_every_documented_command_is_run_in_ci():
    commands = documented_commands()
    assert len(commands) >= 7 and any("deploy-ha.sh start" in one for one in commands)
    assert run_in_ci("./scripts/deploy-ha.sh start") and run_in_ci("./scripts/test.sh")
    for invented in (
        "./scripts/deploy-all.sh start",
        "npm run dev:ha",
        "./scripts/deploy-ha.sh fly",
    ):
        assert not run_in_ci(invented), "this check cannot fail"
    assert [one for one in sorted(commands) if not run_in_ci(one)] == []


@pytest.mark.known_failure("C63")
def test_C63_every_file_that_a_page_names_exists():
    missing = []
    for page in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]:
        text = page.read_text("utf-8")
        named = re.findall(r"\]\((?!https?:|#)([^)#\s]+)", text)
        for name in named:
            if not (page.parent / name).exists():
                missing.append(f"{page.name}: {name}")
        for name in re.findall(r"`((?:scripts|nginx|docs|Tests)/[A-Za-z0-9_./-]+)`", text):
            if not (ROOT / name).exists():
                missing.append(f"{page.name}: {name}")
    assert missing == []
