"""The record of what was acknowledged, to be held against what the room says at the end."""

import asyncio
from datetime import UTC, datetime, timedelta

from .scenes import SceneModel, box, object_data

SLOW = 3.0  # seconds from which a wait for an answer is noted


class Acknowledged:
    """Objects whose last state was acknowledged: by an ack callback, or because another member
    received it. An edit sent later and not acknowledged may be there or not, but never less than
    what was acknowledged before it."""

    def __init__(self):
        self._sent: dict[str, list[dict]] = {}
        self._kept: dict[str, int] = {}  # the place in `_sent` of the newest acknowledged state
        self._removed: set[str] = set()
        self._removal_sent: set[str] = set()
        self.versions: list[int] = []

    @property
    def count(self) -> int:
        return len(self._kept) + len(self._removed)

    def sent(self, node: dict) -> int:
        states = self._sent.setdefault(node["uuid"], [])
        states.append(_own(node))
        return len(states) - 1

    def acknowledged(self, uuid: str, place: int, version: int | None = None):
        self._kept[uuid] = max(place, self._kept.get(uuid, -1))
        if version is not None:
            self.versions.append(version)

    def received_by_other(self, data: dict):
        """Another member was shown this state."""
        node = _own(data.get("object", data))
        states = self._sent.get(node.get("uuid"), [])
        if node in states:
            self.acknowledged(node["uuid"], len(states) - 1 - states[::-1].index(node))

    def sent_removal(self, uuid: str):
        self._removal_sent.add(uuid)

    def acknowledged_removal(self, uuid: str):
        self._removed.add(uuid)

    def missing(self, scene: SceneModel) -> list[str]:
        """What a scene lacks of all this; empty when nothing is lost."""
        lacks = []
        for uuid, place in self._kept.items():
            if uuid in self._removal_sent:
                continue
            allowed = self._sent[uuid][place:]
            found = scene.objects.get(uuid)
            if found not in allowed:
                lacks.append(f"{uuid}: wanted {allowed[0]!r}, found {found!r}")
        lacks += [f"{uuid}: removed, yet there" for uuid in self._removed if uuid in scene.objects]
        return lacks

    def assert_in(self, scene: SceneModel, who: str = "the scene"):
        lacks = self.missing(scene)
        assert (
            not lacks
        ), f"{who} lacks {len(lacks)} of {self.count} acknowledged edits: {lacks[:3]}"


class Traffic:
    """A member that edits at a steady pace with ack callbacks, and notes what was acknowledged.
    `client` may change while it runs (after a reconnection)."""

    def __init__(
        self, client, room: str, record: Acknowledged, pause: float = 0.02, label: str = "t"
    ):
        self.client = client
        self.room = room
        self.record = record
        self.pause = pause
        self.label = label
        self.refusals: list = []
        self.lost = 0  # sent, and the socket closed before the answer
        self.answered = 0
        self.longest_wait = 0.0
        self.slow: list[str] = []  # when, by the clock of the logs, and for how long
        self._pending: set[asyncio.Task] = set()
        self._task: asyncio.Task | None = None

    def start(self) -> "Traffic":
        self._task = asyncio.create_task(self._run())
        return self

    async def stop(self, patience: float = 10):
        """No new edits; waits for the answers that are due."""
        self._task.cancel()
        if self._pending:
            await asyncio.wait(self._pending, timeout=patience)
        unanswered = [task for task in self._pending if not task.done()]
        for task in unanswered:
            task.cancel()
        assert not unanswered, f"{len(unanswered)} edits without an answer in {patience} s"

    async def _run(self):
        number = 0
        node = None
        while True:
            if self.client.connected:
                if node is None or number % 3 == 0:
                    node = box(f"{self.label}-{number}")
                    kind = "object-added"
                else:
                    node = dict(node, userData={"step": number})
                    kind = "general"
                await self._send(node, kind)
                number += 1
            await asyncio.sleep(self.pause)

    async def _send(self, node: dict, kind: str):
        place = self.record.sent(node)
        payload = {
            "roomId": self.room,
            "objectData": object_data(node),
            "objectUuid": node["uuid"],
            "changeType": kind,
        }
        try:
            future = await self.client.start_ack("sync-editor-object-update", payload)
        except (ConnectionError, OSError):
            self.lost += 1
            return
        task = asyncio.create_task(self._await_answer(future, node["uuid"], place))
        self._pending.add(task)
        task.add_done_callback(self._pending.discard)

    async def _await_answer(self, future: asyncio.Future, uuid: str, place: int):
        start = asyncio.get_running_loop().time()
        try:
            answer = (await future)[0]
        except ConnectionError:
            self.lost += 1
            return
        took = asyncio.get_running_loop().time() - start
        self.longest_wait = max(self.longest_wait, took)
        if took > SLOW:
            sent_at = datetime.now(UTC) - timedelta(seconds=took)
            self.slow.append(f"{sent_at:%H:%M:%S.%f}: {took:.1f} s")
        if answer.get("ok") is True:
            self.answered += 1
            self.record.acknowledged(uuid, place, answer.get("version"))
        else:
            self.refusals.append(answer)


def _own(node: dict) -> dict:
    return {key: value for key, value in node.items() if key != "children"}
