"""What scripts/demo-failover.sh runs: edits, kills, watches, compares."""

import argparse
import asyncio
import contextlib
import os
import secrets
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "Tests" / "Integration"))

from support import http  # noqa: E402
from support.acknowledged import Acknowledged, Traffic  # noqa: E402
from support.browser import Chromium, Pages  # noqa: E402
from support.browser_client import SCRIPT, StockPage, client_file  # noqa: E402
from support.editor_client import EditorClient  # noqa: E402
from support.processes import Cluster  # noqa: E402
from support.recovering import RecoveringClient  # noqa: E402
from support.rooms import Refused, RoomClient  # noqa: E402
from support.scenes import box  # noqa: E402
from support.waiting import eventually  # noqa: E402
from support.wire import ConnectRefused, Event, Unreachable, new_browser  # noqa: E402

MOST_SECONDS_AWAY = 3.0
SETTLING = 2.0  # until newcomers have their scene
started = time.monotonic()


def say(text: str, who: str = ""):
    print(f"{time.monotonic() - started:8.3f} s  {who:6} {text}", flush=True)


# --- the set-up under test ---------------------------------------------------------------------------


class Private:
    """Processes of this demo alone."""

    def __init__(self, keep: bool):
        self.folder = Path(tempfile.mkdtemp(prefix="tandem-demo-"))
        self.keep = keep
        self.cluster = Cluster(
            self.folder, instances=2, nginx=True, env={"CORS_ORIGINS": None}
        )

    async def start(self):
        await self.cluster.start()
        self.url = self.cluster.nginx.url
        for one in self.cluster.processes:
            say(f"port {one.port}, process {one.pid}", one.name)

    async def owner(self, room: str) -> str:
        return await self.cluster.instances[0].owner(room)

    def kill(self, name: str) -> int:
        victim = self.cluster.named(name)
        pid = victim.pid
        victim.kill()
        return pid

    def stop(self):
        self.cluster.stop()
        if self.keep:
            say(f"logs: {self.folder}")
        else:
            shutil.rmtree(self.folder, ignore_errors=True)


class Running:
    """What scripts/deploy-ha.sh started on this machine."""

    def __init__(self, url: str):
        self.url = url.rstrip("/")
        self.state = Path(os.environ.get("TANDEM_STATE_DIR") or ROOT / ".tandem")

    async def start(self):
        try:
            status = await http.status_of(self.url + "/api/health")
        except ValueError:
            status = 0
        if status != 200:
            raise SystemExit(f"nobody healthy answers at {self.url}: scripts/deploy-ha.sh start")

    async def owner(self, room: str) -> str:
        answer = await http.get_json(f"{self.url}/api/load-balancer?roomId={room}")
        return answer["owner"]

    def kill(self, name: str) -> int:
        record = self.state / "run" / f"{name}.pid"
        try:
            pid, start = (int(word) for word in record.read_text().split())
            fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        except (OSError, ValueError):
            raise SystemExit(f"no living process is recorded in {record}") from None
        if int(fields[19]) != start:
            raise SystemExit(f"the process of {record} is gone, its number belongs to another")
        os.kill(pid, signal.SIGKILL)
        return pid

    def stop(self):
        pass


# --- the demo ---------------------------------------------------------------------------------------


def narrate(editor: EditorClient):
    """Prints what this editor notices, as it notices it."""
    note = editor._note
    told = {
        "(connecting)": "connects",
        "(connected)": "connected",
        "(disconnected)": "noticed: ",
        "(unreachable)": "no answer: ",
    }

    def narrated(name, argument=None):
        note(name, argument)
        if name in told:
            say(told[name] + (str(argument) if told[name].endswith(": ") else ""), editor.name)

    editor._note = narrated


class Watcher:
    """A member that asks for acknowledgements, and comes back by itself."""

    def __init__(self, url: str, room: str, record: Acknowledged):
        self.url, self.room, self.record = url, room, record
        self.browser = new_browser()
        self.client: RoomClient | None = None
        self.traffic: Traffic | None = None
        self.task: asyncio.Task | None = None

    async def start(self):
        await self._connect()
        self.traffic = Traffic(self.client, self.room, self.record, 0.02, "acked").start()
        self.task = asyncio.create_task(self._stay())

    async def _connect(self):
        client = RoomClient(self.url, browser=self.browser, query={"roomId": self.room})
        await client.connect()
        await client.join(self.room, "Acks", None)
        self.client = client
        if self.traffic:
            self.traffic.client = client

    async def _stay(self):
        while True:
            await self.client.wait_closed(3600)
            while True:
                await asyncio.sleep(0.1)
                try:
                    await self._connect()
                    break
                except Exception:
                    continue

    async def stop(self):
        if self.task:
            self.task.cancel()
        if self.traffic:
            await self.traffic.stop()

    async def close(self):
        if self.client:
            await self.client.close()
        await self.browser.close()


# --- members that miss nothing ---------------------------------------------------------------------

EDIT = "receive-editor-object-update"


def versions(events: list[Event]) -> list[int]:
    """The edits that a member was shown, each by its version."""
    return [event.arg["version"] for event in events if event.name == EDIT]


class Reference(RoomClient):
    """A member of an instance that stays: it is shown everything."""

    @classmethod
    async def enter(cls, setup, room: str) -> "Reference":
        owner = await setup.owner(room)
        nodes = (await http.get_json(setup.url + "/api/instance"))["nodes"]
        self = cls(next(node["url"] for node in nodes if node["id"] != owner))
        await self.connect()
        await self.join(room, "Reference")
        return self


class ByHand:
    """Resumes as the protocol says: its session's id and the last offset in CONNECT."""

    name = "ByHand"

    def __init__(self, url: str, room: str):
        self.url, self.room = url, room
        self.client = RecoveringClient(url, room)
        self.task: asyncio.Task | None = None

    async def enter(self):
        await self.client.connect()
        await self.client.join(self.room, self.name)
        self.task = asyncio.create_task(self._stay())

    async def _stay(self):
        while True:
            await self.client.wait_closed(3600)
            while True:
                try:
                    self.client = await self.client.resume(self.url)
                    break
                except (Unreachable, ConnectRefused, OSError):
                    await asyncio.sleep(0.1)
            say("resumed" if self.client.recovered else "back, not recovered", self.name)

    async def recovered(self) -> bool:
        return self.client.recovered

    async def shown(self) -> list[int]:
        return versions(self.client.events)

    async def close(self):
        if self.task:
            self.task.cancel()
        await self.client.close()


class InBrowser:
    """The stock JavaScript client in Chromium, with no line of its own for what was missed."""

    name = "Browser"

    def __init__(self, url: str, room: str):
        self.url, self.room = url, room
        self.folder = Path(tempfile.mkdtemp(prefix="tandem-demo-chromium-"))
        self.chromium = Chromium(self.folder)
        self.pages = Pages(self.chromium)

    async def enter(self):
        await self.chromium.start()
        # Of the same origin as nginx, whatever origins are allowed beside it.
        self.tab = await self.pages.open(self.url + "/api/health", tab=StockPage)
        for script in (client_file(), SCRIPT):
            await self.tab.page.add_script_tag(content=script.read_text("utf-8"))
        options = {
            "transports": ["websocket"],
            "query": {"roomId": self.room, "recovery": "1"},
            "reconnectionDelay": 100,
            "reconnectionDelayMax": 500,
        }
        opened = await self.tab.run("open", self.url, options)
        assert opened["name"] == "(connect)", opened
        await self.tab.join(self.room, self.name)

    async def recovered(self) -> bool:
        connects = await self.tab.page.evaluate(
            "client.events.filter((one) => one.name === '(connect)').map((one) => one.args[2])"
        )
        return len(connects) > 1 and all(connects[1:])

    async def shown(self) -> list[int]:
        return await self.tab.page.evaluate(
            f"client.of('{EDIT}').map((data) => data.version)"
        )

    async def close(self):
        await self.pages.leave()
        await self.chromium.disconnect()
        self.chromium.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


async def missed_nothing(member, reference: Reference, since: int) -> tuple[int, int, list[str]]:
    """How many edits after version `since` it missed and how many it was shown twice; what is
    wrong. (Edits made while a scene is on its way to a newcomer reach him merged.)"""
    whole = [one for one in versions(reference.events) if one > since]

    async def has_the_last():
        return whole[-1] in await member.shown()

    with contextlib.suppress(AssertionError):
        await eventually(has_the_last, 5)
    mine = [one for one in await member.shown() if one > since]
    missed = sorted(set(whole) - set(mine))
    twice = len(mine) - len(set(mine))
    problems = []
    if missed or twice:
        problems.append(f"{member.name} missed {len(missed)} and was shown {twice} twice")
    if mine != sorted(mine):
        problems.append(f"{member.name} was shown edits out of order")
    if not await member.recovered():
        problems.append(f"{member.name} was not recovered")
    say(f"{len(mine)} edits shown, missed {len(missed)}, twice {twice}", member.name)
    return len(missed), twice, problems


async def draw(editor: EditorClient, record: Acknowledged, end: float):
    number = 0
    while time.monotonic() < end:
        if editor.in_room:
            node = box(f"{editor.name} {number}")
            record.sent(node)
            await editor._change(node, "object-added")
            number += 1
        await asyncio.sleep(0.05)


async def demo(setup, seconds: int) -> tuple[list[str], str]:
    """What went wrong, and the last line."""
    await setup.start()
    room = f"demo-{secrets.token_hex(3)}"
    seen, acked = Acknowledged(), Acknowledged()
    ana, ben = (EditorClient([setup.url], name) for name in ("Ana", "Ben"))
    watcher = Watcher(setup.url, room, acked)
    resuming = [ByHand(setup.url, room), InBrowser(setup.url, room)]
    others: list[RoomClient] = []
    try:
        for editor in (ana, ben):
            narrate(editor)
            editor.on_remote_update = seen.received_by_other
            await editor.open()
        await ana.add_object("first")
        answer = await ana.create_room(room)
        say(f"{answer.name} {room}", "Ana")
        answer = await ben.join_room(room)
        say(f"{answer.name} {room}", "Ben")
        # A creator's connection names no room, so nginx may have sent it to another instance.
        say("her connection is cut once: it comes back where the room is", "Ana")
        await ana.lose_network()
        await watcher.start()
        reference = await Reference.enter(setup, room)
        others.append(reference)
        for member in resuming:
            await member.enter()
            say("joined-room, with connection state recovery", member.name)
        await asyncio.sleep(SETTLING)
        since = max(versions(reference.events))
        end = time.monotonic() + seconds
        drawing = [asyncio.create_task(draw(one, seen, end)) for one in (ana, ben)]
        await asyncio.sleep(seconds / 2)
        owner = await setup.owner(room)
        say(f"{seen.count} edits seen by the other, {acked.count} acknowledged by callback")
        killed_at = time.monotonic()
        pid = setup.kill(owner)
        say(f"kill -9 {pid} ({owner}, which serves the room)")
        await asyncio.gather(*drawing)
        problems = []
        for editor in (ana, ben):
            problems += await away(editor, killed_at)
        await asyncio.sleep(2)
        await watcher.stop()
        missed = twice = 0
        for member in resuming:
            lacks, doubles, found = await missed_nothing(member, reference, since)
            missed, twice, problems = missed + lacks, twice + doubles, problems + found
        problems += await compare(setup, room, ana, ben, seen, acked)
        return problems, f"missed {missed}, duplicated {twice}"
    finally:
        await watcher.stop()
        for client in (ana, ben, watcher, *resuming, *others):
            await client.close()


async def away(editor: EditorClient, killed_at: float) -> list[str]:
    def back():
        return [event for event in editor.heard("joined-room") if event.at > killed_at]

    def after(name):
        found = [event.at - killed_at for event in editor.heard(name) if event.at > killed_at]
        return found[-1] if found else float("nan")

    try:
        await editor.until(back, 20, "back in the room")
    except AssertionError:
        if not [event for event in editor.heard("(disconnected)") if event.at > killed_at]:
            return [f"{editor.name} was not on the killed instance: nginx chose another owner"]
        return [f"{editor.name} did not come back within 20 s"]
    total = back()[0].at - killed_at
    say(
        f"noticed after {after('(disconnected)'):.3f} s, connected after "
        f"{after('(connected)'):.3f} s, in the room after {total:.3f} s",
        editor.name,
    )
    return [] if total < MOST_SECONDS_AWAY else [f"{editor.name} was away for {total:.1f} s"]


async def compare(setup, room, ana, ben, seen, acked) -> list[str]:
    problems = []
    newcomer = RoomClient(setup.url, query={"roomId": room})
    try:
        await newcomer.connect()
        await newcomer.join(room, "Newcomer")
        scene = await newcomer.scene(room)
        with_both = [("Ana", ana.scene), ("Ben", ben.scene), ("newcomer", scene)]
        for who, theirs in with_both:
            for record, what in ((seen, "seen by another"), (acked, "acknowledged")):
                missing = record.missing(theirs)
                if missing:
                    problems.append(
                        f"{who} lacks {len(missing)} edits that were {what}: {missing[0]}")
            difference = theirs.difference(scene)
            if difference:
                problems.append(f"{who} sees another scene: {difference[:300]}")
        try:
            await eventually(lambda: ana.host_names == ["Ana"], 10)
        except AssertionError:
            problems.append(f"the host is {ana.host_names}, not Ana")
        for editor in (ana, ben):
            problems += [f"{editor.name}: {error}" for error in editor.errors]
            problems += [f"{editor.name} saw a red notice: {one!r}" for one in editor.red_notices]
        say(
            f"{len(scene.objects)} objects; of {seen.count} edits seen by another and {acked.count} "
            f"acknowledged by callback, {'none is missing' if not problems else 'see below'}"
        )
    finally:
        await newcomer.close()
    if seen.count < 10 or acked.count < 10:
        problems.append("too few edits to prove anything")
    return problems


def main() -> int:
    options = argparse.ArgumentParser()
    options.add_argument("--attach", action="store_true")
    options.add_argument("--url", default=f"http://localhost:{os.environ.get('NGINX_PORT', 8080)}")
    options.add_argument("--seconds", type=int, default=8)
    options.add_argument("--keep", action="store_true")
    chosen = options.parse_args()
    # A stop by `timeout` or Ctrl-C still ends the private processes.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))
    setup = Running(chosen.url) if chosen.attach else Private(chosen.keep)
    last = ""
    try:
        problems, last = asyncio.run(demo(setup, chosen.seconds))
    except (AssertionError, Refused, Unreachable, OSError) as failure:
        problems = [f"{type(failure).__name__}: {failure}"]
    finally:
        setup.stop()
    for problem in problems:
        say(f"PROBLEM: {problem}")
    say("failed" if problems else "the room lived on")
    if last:
        print(last, flush=True)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
