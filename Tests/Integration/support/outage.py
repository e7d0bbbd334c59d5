"""Work that goes on while Redis fails, and what must hold of it."""

import asyncio

from . import http
from .acknowledged import Acknowledged, Traffic
from .scenes import box, creation_editor
from .waiting import eventually

HEALTHY_AGAIN = 10
VERSIONED = ("receive-full-editor", "receive-editor-object-update", "receive-editor-object-removal")


class Work:
    """One room with a member on each instance; both edit."""

    @classmethod
    async def start(cls, cluster, people, room):
        self = cls()
        self.cluster, self.people, self.room = cluster, people, room
        first, second = cluster.instances
        self.record = Acknowledged()
        self.host = await people.host(
            first.url, room, "Host", password="secreta", editor=creation_editor(box("A"))
        )
        self.guest = await people.guest(second.url, room, "Guest", "secreta")
        self.clients = [self.host, self.guest]
        self.traffics = [
            Traffic(client, room, self.record, 0.03, f"t{number}").start()
            for number, client in enumerate(self.clients)
        ]
        await asyncio.sleep(0.5)
        return self

    @property
    def answered(self) -> list[int]:
        return [traffic.answered for traffic in self.traffics]

    async def stop(self):
        for traffic in self.traffics:
            await traffic.stop()

    def assert_undisturbed(self):
        self.cluster.assert_all_alive()
        for client in self.clients:
            assert client.connected, f"a socket closed: {client.close_reason}"
        for traffic in self.traffics:
            assert traffic.lost == 0
            assert traffic.refusals == [], traffic.refusals[:3]
            slow = [*traffic.slow[:3], *traffic.slow[-3:]]
            assert traffic.longest_wait < 5, f"every request within 5 s (R35): {slow}"

    def assert_versions_rise(self):
        """A full scene comes with a version above all that its member was told before (R23), and
        what is told of one object rises (R24)."""
        for client in self.clients:
            highest, objects = -1, {}
            for event in client.named(*VERSIONED):
                version = event.arg["version"]
                if event.name == "receive-full-editor":
                    assert version > highest, f"scene {version} after {highest}"
                else:
                    uuid = event.arg.get("objectUuid") or event.arg.get("objectId")
                    assert version > objects.get(uuid, -1), f"{uuid}: {version} after {objects}"
                    objects[uuid] = version
                highest = max(highest, version)
            assert highest > 0, "it was told nothing"

    def scenes_told(self, since: list[int]) -> list[int]:
        """How many full scenes each member was sent after its mark."""
        return [
            len(client.named("receive-full-editor", after=mark))
            for client, mark in zip(self.clients, since)
        ]

    def marks(self) -> list[int]:
        return [client.mark() for client in self.clients]

    async def assert_converged(self):
        """A newcomer on each instance sees all that was ever acknowledged, and the same, and the
        members are those who were there."""
        await self.assert_all_there()
        await eventually(lambda: self.host.user_names == ["Guest", "Host", "New0", "New1"], 15)
        assert self.host.host_name == "Host"

    async def assert_all_there(self):
        scenes = []
        for number, one in enumerate(self.cluster.instances):
            newcomer = await self.people.guest(one.url, self.room, f"New{number}", "secreta")
            scene = await newcomer.scene(self.room)
            self.record.assert_in(scene, f"a newcomer on {one.name}")
            scenes.append(scene)
        assert scenes[0].difference(scenes[1]) == ""
        for client in self.clients:
            seen = await client.scene(self.room)
            assert seen.difference(scenes[0]) == ""


async def told_degraded(cluster, wanted: bool = True) -> bool:
    states = [await one.degraded() for one in cluster.instances]
    return all(state == wanted for state in states)


async def ready_everywhere(cluster) -> bool:
    states = [await http.status_of(one.url + "/api/ready") for one in cluster.instances]
    return states == [200, 200] and await told_degraded(cluster, False)
