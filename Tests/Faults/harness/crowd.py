"""Rooms full of editors that behave as the browser's, and what each room has acknowledged.

At full size they apply a scene at once: hundreds of them share one process here, and what reaches it
late would be dropped by an editor that is busy, as it is not in a browser of its own.
"""

import asyncio
import gc
import time

from support.acknowledged import Acknowledged
from support.editor_client import EditorClient
from support.editor_timing import Timing, hurried
from support.scenes import box
from support.waiting import eventually

from .size import Size
from .stage import Stage, instance_of, new_room

AT_ONCE = 20  # pages that load at the same time
OPENING = 60  # seconds; each password costs its hashing, which is none of the promises
PATIENCE = 5  # times that a person tries to come in while hundreds do
SETTLING = 2.5  # the editor's second join, uploads and snapshot requests
WORTH_KEEPING = ("joined-room", "room-created")


class EditedRoom:
    """One room of editors. Two of them draw; what another was shown counts as acknowledged."""

    def __init__(self, stage: Stage, urls, number: int, count: int, timing: Timing):
        self.stage, self.urls, self.timing = stage, urls, timing
        self.id = new_room("crowd")
        self.password = f"secret-{number}" if number % 2 else None
        self.names = [f"u{number}-{place}" for place in range(count)]
        self.record = Acknowledged()
        self.editors: list[EditorClient] = []
        self._drawn: list[tuple[EditorClient, str]] = []

    @property
    def host(self) -> EditorClient:
        return self.editors[0]

    @property
    def artists(self) -> list[EditorClient]:
        return self.editors[:2]

    async def open(self, gate: asyncio.Semaphore):
        async with gate:
            host = await self._editor(self.names[0])
            await host.add_object("first")
            answer = await host.create_room(self.id, self.password, OPENING)
            assert answer.name == "room-created", answer
            if isinstance(self.urls, str):
                # The creator's socket named no room and is anywhere: bring it to the others.
                await host.lose_network(OPENING)
        await asyncio.gather(*(self._join(gate, name) for name in self.names[1:]))

    async def _editor(self, name: str) -> EditorClient:
        editor = await self.stage.people.editor(self.urls, name, timing=self.timing)
        editor.on_remote_update = lambda data: self.record.received_by_other(data)
        self.editors.append(editor)
        return editor

    async def _join(self, gate, name: str):
        async with gate:
            editor = await self._editor(name)
            for _ in range(PATIENCE):
                answer = await editor.join_room(self.id, self.password, OPENING)
                if answer.name == "joined-room":
                    break
            assert answer.name == "joined-room", answer
            editor.red_notices.clear()

    # --- drawing -----------------------------------------------------------------------------

    async def draw(self, editor: EditorClient, pause: float):
        """One object of this editor, changed again and again, until cancelled."""
        node, kind = box(f"{editor.name} at {time.monotonic():.1f}"), "object-added"
        self._drawn.append((editor, node["uuid"]))
        step = 0
        while True:
            if editor.in_room:
                step += 1
                node = node | {"userData": {"step": step}}
                self.record.sent(node)
                await editor._change(node, kind)
                kind = "general"
            await asyncio.sleep(pause)

    async def clear(self):
        """Takes back what was drawn, and begins a new record."""
        self.record = Acknowledged()
        for editor, uuid in self._drawn:
            await editor.remove_object(uuid)
        self._drawn.clear()

    # --- the truth ---------------------------------------------------------------------------

    def differences(self) -> list[str]:
        """What a member sees that another does not, or lacks of what was acknowledged."""
        found = []
        for editor in self.editors:
            found += [f"{editor.name} lacks {one}" for one in self.record.missing(editor.scene)]
            difference = editor.scene.difference(self.host.scene)
            if difference:
                found.append(f"{editor.name} and {self.host.name} differ: {difference[:300]}")
        return found

    def list_problems(self) -> list[str]:
        """What is wrong with the lists of members. Those who watch are none of this room's."""
        found = []
        for editor in self.editors:
            names = [name for name in editor.user_names if name.startswith("u")]
            if names != sorted(self.names):
                found.append(f"{editor.name} sees {names}, wanted {sorted(self.names)}")
            if editor.host_names != [self.host.name]:
                found.append(f"{editor.name} sees the hosts {editor.host_names}")
        return found

    def complaints(self) -> list[str]:
        found = []
        for editor in self.editors:
            found += [f"{editor.name}: {error}" for error in editor.errors]
            found += [f"{editor.name} saw a red notice: {one!r}" for one in editor.red_notices]
            editor.errors.clear()
            editor.red_notices.clear()
        return found


class Crowd:
    def __init__(self, stage: Stage, size: Size, urls):
        each, more = divmod(size.users, size.rooms)
        self.stage = stage
        timing = hurried(apply_least=0, apply_megabyte=0) if size.is_full else Timing()
        self.rooms = [
            EditedRoom(stage, urls, number, each + (number < more), timing)
            for number in range(size.rooms)
        ]
        self._tasks: list[asyncio.Task] = []

    @classmethod
    async def open(cls, stage: Stage, size: Size, urls) -> "Crowd":
        self = cls(stage, size, urls)
        gate = asyncio.Semaphore(AT_ONCE)
        await asyncio.gather(*(room.open(gate) for room in self.rooms))
        await asyncio.sleep(SETTLING)
        await self.settled(OPENING)
        return self

    @property
    def editors(self) -> list[EditorClient]:
        return [editor for room in self.rooms for editor in room.editors]

    def on(self, instance_name: str) -> list[EditorClient]:
        """Those whose connection this instance holds."""
        return [
            editor
            for editor in self.editors
            if editor.connected and instance_of(editor.socket) == instance_name
        ]

    def draw(self, pause: float):
        for room in self.rooms:
            for editor in room.artists:
                self._tasks.append(asyncio.create_task(room.draw(editor, pause)))

    async def stop_drawing(self):
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        for answer in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(answer, Exception):
                raise answer

    async def settled(self, timeout: float = 15):
        """In every room all see the same, nothing acknowledged is missing, the lists are right."""

        def wrong():
            for room in self.rooms:
                found = room.differences() or room.list_problems()
                if found:
                    return found
            return None

        try:
            await eventually(lambda: not wrong(), timeout, step=0.1, what="one truth everywhere")
        except AssertionError:
            found = wrong()
            assert not found, f"after {timeout} s: {found[:2]}"

    def complaints(self) -> list[str]:
        return [one for room in self.rooms for one in room.complaints()]

    async def clear(self):
        """Forgets what is past, so that many repeats cost no more than one."""
        for room in self.rooms:
            await room.clear()
        for editor in self.editors:
            editor.timeline.clear()
            if editor.socket:
                kept = [one for one in editor.socket.events if one.name in WORTH_KEEPING]
                editor.socket.events[:] = kept
        gc.collect()  # now, and not while times are taken


async def all_back(editors: list[EditorClient], since: float, timeout: float) -> list[float]:
    """Seconds from the fault to each one's answer to its rejoin. Fails when one is not back."""
    left = dict.fromkeys(editors)
    found: dict[EditorClient, float] = {}

    def done():
        for editor in list(left):
            for event in reversed(editor.timeline):
                if event.at <= since:
                    break
                if event.name == "joined-room":
                    found[editor] = event.at - since  # the first is the last one looked at
            if editor in found:
                del left[editor]
        return not left

    try:
        await eventually(done, timeout, step=0.05, what="all back in their rooms")
    except AssertionError:
        names = [editor.name for editor in left]
        raise AssertionError(
            f"{len(names)} of {len(editors)} not back within {timeout} s: {names[:5]}"
        ) from None
    return list(found.values())
