"""Rooms whose members are on every instance and ask for acknowledgements."""

import asyncio
import gc
import time

from support.acknowledged import Acknowledged, Traffic
from support.rooms import Refused, RoomClient
from support.scenes import box, creation_editor
from support.waiting import eventually

from .crowd import AT_ONCE, PATIENCE
from .size import Size
from .stage import Stage, new_room

LONGEST_ANSWER = 5.0


class MeetingRoom:
    """Members on all instances in turn; the first of each of two instances edits."""

    def __init__(self, stage: Stage, number: int, count: int):
        self.stage = stage
        self.id = new_room("meeting")
        self.password = f"secret-{number}" if number % 2 else None
        self.names = [f"m{number}-{place}" for place in range(count)]
        order = [stage.instances[(number + n) % len(stage.instances)] for n in range(count)]
        self.places = dict(zip(self.names, order))
        self.record = Acknowledged()
        self.clients: dict[str, RoomClient] = {}
        self.traffics: list[Traffic] = []

    async def open(self, gate: asyncio.Semaphore):
        async with gate:
            first, *others = self.names
            people = self.stage.people
            self.clients[first] = await people.host(
                self.places[first].url,
                self.id,
                first,
                self.password,
                editor=creation_editor(box("A")),
            )
            for name in others:
                self.clients[name] = await self._guest(name)

    async def _guest(self, name: str) -> RoomClient:
        """While hundreds come in, a person tries again who is told that it was in vain."""
        client = await self.stage.people.room_client(self.places[name].url)
        for attempt in range(PATIENCE):
            try:
                answer = await client.join(self.id, name, self.password)
                break
            except Refused as refusal:
                if refusal.code != "JOIN_ERROR" or attempt == PATIENCE - 1:
                    raise
        if answer["hasEditor"]:
            await client.wait("receive-full-editor")
        return client

    @property
    def host_name(self) -> str:
        return self.names[0]

    def start_traffic(self, pause: float):
        self.record = Acknowledged()
        self.traffics = [
            Traffic(self.clients[name], self.id, self.record, pause, name).start()
            for name in self.names[:2]
        ]

    async def views(self) -> dict:
        """The scene as each instance that serves a member tells it."""
        found = {}
        for name, client in self.clients.items():
            instance = self.places[name]
            if instance.running and client.connected and instance.name not in found:
                found[instance.name] = await client.scene(self.id)
        return found

    async def problems(self) -> list[str]:
        """What differs between instances, or is missing of what was acknowledged."""
        views = await self.views()
        (first, scene), *others = views.items()
        found = [f"{self.id} on {first} lacks {one}" for one in self.record.missing(scene)]
        for name, other in others:
            difference = other.difference(scene)
            if difference:
                found.append(f"{self.id} on {name} and {first} differ: {difference[:300]}")
        return found

    def list_problems(self) -> list[str]:
        wanted = sorted(self.names)
        return [
            f"{name} sees {client.user_names} with host {client.host_name}, wanted {wanted}"
            for name, client in self.clients.items()
            if client.connected
            and (client.user_names != wanted or client.host_name != self.host_name)
        ]


class Meeting:
    def __init__(self, stage: Stage, size: Size):
        each, more = divmod(size.users, size.rooms)
        self.stage = stage
        self.rooms = [
            MeetingRoom(stage, number, max(2, each + (number < more)))
            for number in range(size.rooms)
        ]

    @classmethod
    async def open(cls, stage: Stage, size: Size) -> "Meeting":
        self = cls(stage, size)
        gate = asyncio.Semaphore(AT_ONCE)
        await asyncio.gather(*(room.open(gate) for room in self.rooms))
        return self

    @property
    def clients(self) -> list[RoomClient]:
        return [client for room in self.rooms for client in room.clients.values()]

    @property
    def traffics(self) -> list[Traffic]:
        return [traffic for room in self.rooms for traffic in room.traffics]

    @property
    def acknowledged(self) -> int:
        return sum(room.record.count for room in self.rooms)

    def start_traffic(self, pause: float):
        for client in self.clients:
            kept = [one for one in client.events if one.name == "users-list"][-1:]
            client.events[:] = kept
        gc.collect()  # now, and not while times are taken
        for room in self.rooms:
            room.start_traffic(pause)

    async def stop_traffic(self):
        for traffic in self.traffics:
            await traffic.stop()

    def longest_answer(self) -> float:
        return max(traffic.longest_wait for traffic in self.traffics)

    def assert_undisturbed(self, *cut_off):
        """No process ended, no socket closed, every edit was answered in time and with `ok`.
        Members on an instance of `cut_off` may have been asked to reconnect."""
        self.stage.cluster.assert_all_alive()
        for room in self.rooms:
            for name, client in room.clients.items():
                if room.places[name] not in cut_off:
                    assert client.connected, f"a socket closed: {client.close_reason}"
            for traffic in room.traffics:
                if room.places[traffic.label] not in cut_off:
                    assert traffic.lost == 0, f"{traffic.lost} edits without an answer"
                    assert traffic.refusals == [], f"refused: {traffic.refusals[:2]}"
                assert traffic.longest_wait < LONGEST_ANSWER, (
                    f"an answer after {traffic.longest_wait:.1f} s on "
                    f"{room.places[traffic.label].name}"
                )

    async def converged(self, since: float, timeout: float = 30) -> float:
        """Seconds until every room is the same on all instances, complete, with the right list."""
        left = list(self.rooms)

        async def done():
            while left:
                if left[0].list_problems() or await left[0].problems():
                    return False
                left.pop(0)
            return True

        try:
            await eventually(done, timeout, step=0.1, what="one truth")
        except AssertionError:
            found = left[0].list_problems() or await left[0].problems()
            raise AssertionError(f"no one truth within {timeout} s: {found[:2]}") from None
        return time.monotonic() - since

    async def edits_go_on(self, seconds: float = 1.0):
        """Every editing member goes on getting answers."""
        before = {one: one.answered for one in self.traffics if one.client.connected}
        await asyncio.sleep(seconds)
        await eventually(
            lambda: all(one.answered > then for one, then in before.items()),
            LONGEST_ANSWER,
            what="answers to every editing member",
        )
