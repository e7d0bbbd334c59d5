"""P1: `kill -9` of an instance under a crowd of editors."""

import asyncio
import time

from support.acknowledged import Acknowledged, Traffic

from harness.crowd import Crowd, all_back
from harness.result import Result
from harness.size import Size
from harness.stage import Stage, say

REPEATS = 100
BOUND = 3.0
WATCHER = "acked"
NEWCOMERS = 5  # rooms whose state at the server is looked at in each repeat


async def run(size: Size, repeat: int) -> list[Result]:
    result = Result(
        "P1",
        f"kill -9 of the instance with most of {size.users} editors in {size.rooms} rooms, "
        f"{size.instances} instances behind nginx, half of the rooms with a password",
        "test_P1_editors_of_a_killed_instance_are_back_with_everything",
        BOUND,
    )
    async with Stage(instances=size.instances, nginx=True) as stage:
        crowd = await Crowd.open(stage, size, stage.cluster.nginx.url)
        for number in range(repeat):
            with result.attempt():
                await kill_once(stage, crowd, result, size.pause)
            if number + 1 < repeat:
                await stage.bring_all_back()
            say(f"P1 {number + 1}/{repeat}: worst {result.text(result.worst)}")
            if len(result.problems) >= 3:
                break
    return [result]


async def kill_once(stage: Stage, crowd: Crowd, result: Result, pause: float):
    await crowd.clear()
    victim = max(stage.instances, key=lambda one: len(crowd.on(one.name)))
    hit = crowd.on(victim.name)
    others = [editor for editor in crowd.editors if editor not in hit]
    assert hit and len(hit) + len(others) == len(crowd.editors)
    watched = [room for room in crowd.rooms if room.host in hit][:NEWCOMERS]
    callbacks = {room: Acknowledged() for room in watched}
    watchers = [await watch(stage, room, record) for room, record in callbacks.items()]
    crowd.draw(pause)
    await asyncio.sleep(1)
    killed_at = time.monotonic()
    victim.kill()
    result.measured(*await all_back(hit, killed_at, 20))
    await asyncio.sleep(0.5)
    await crowd.stop_drawing()
    for watcher in watchers:
        await watcher.stop()
        await watcher.client.close()
    await crowd.settled()
    for room, record in callbacks.items():
        newcomer = await stage.people.guest(
            stage.cluster.nginx.url, room.id, "Newcomer", room.password, query={"roomId": room.id}
        )
        scene = await newcomer.scene(room.id)
        record.assert_in(scene, "a newcomer's scene")
        room.record.assert_in(scene, "a newcomer's scene")
        assert record.count and room.record.count, "nothing was acknowledged: nothing is proved"
        assert record.versions == sorted(record.versions)
        # Or the scenes of these rooms would grow with each repeat, and with them all that follows.
        for uuid, node in scene.objects.items():
            if node["name"].startswith(WATCHER):
                assert (await newcomer.remove(room.id, uuid)).get("ok") is True
        await newcomer.close()
        stage.people.clients.remove(newcomer)
    lost = [one.name for one in others if one.heard("(disconnected)")]
    assert not lost, f"members of other instances were cut: {lost[:5]}"
    complaints = crowd.complaints()
    assert not complaints, complaints[:3]


async def watch(stage: Stage, room, record: Acknowledged) -> Traffic:
    """A member that asks for acknowledgements, on the instance that will be killed."""
    client = await stage.people.guest(
        stage.cluster.nginx.url, room.id, "Watcher", room.password, query={"roomId": room.id}
    )
    stage.people.clients.remove(client)
    return Traffic(client, room.id, record, 0.03, WATCHER).start()
