"""P2: SIGSTOP of an instance, and SIGCONT when its members are elsewhere."""

import asyncio
import time

from support.rooms import RoomClient
from support.scenes import box, object_data
from support.waiting import eventually

from harness.crowd import Crowd, EditedRoom, all_back
from harness.result import Result
from harness.size import Size
from harness.stage import Stage, instance_of, say

REPEATS = 5
NOTICED = 15.0
CLOSED = 5.0
LEAST_INSTANCES = 3  # of two that stay, one alone declares the frozen one dead: both must know it
FALSE_WORDS = ("user-left", "user-joined", "room-deleted", "left-room", "join-room-failed")


async def run(size: Size, repeat: int) -> list[Result]:
    instances = max(size.instances, LEAST_INSTANCES)
    done = f"{size.users} editors in {size.rooms} rooms, {instances} instances behind nginx"
    noticed = Result(
        "P2",
        f"SIGSTOP of an instance: until its editors notice; {done}",
        "test_P2_a_frozen_instance_is_noticed",
        NOTICED,
    )
    woken = Result(
        "P2",
        "SIGCONT after its members were taken over: until it sends those who waited away with "
        "1012; it changes, deletes and says nothing",
        "test_P2_a_woken_instance_changes_nothing",
        CLOSED,
    )
    async with Stage(instances=instances, nginx=True) as stage:
        crowd = await Crowd.open(stage, size, stage.cluster.nginx.url)
        for number in range(repeat):
            with noticed.attempt(), woken.attempt():
                await freeze_once(stage, crowd, noticed, woken)
            say(f"P2 {number + 1}/{repeat}: worst {noticed.text(noticed.worst)}")
            await eventually(stage.cluster.agree, 20, what="all see one another")
    return [noticed, woken]


async def visitor_of(stage: Stage, crowd: Crowd, victim, hit) -> tuple[EditedRoom, RoomClient]:
    """A member on the instance that will be frozen, who is patient. After an earlier freeze it also
    serves rooms of others, to which nginx leads a newcomer elsewhere."""
    for room in crowd.rooms:
        if room.host not in hit:
            continue
        visitor = RoomClient(
            stage.cluster.nginx.url, query={"roomId": room.id}, patience=120, answers_pings=True
        )
        await visitor.connect()
        if instance_of(visitor) == victim.name:
            stage.people.keep(visitor)
            await visitor.join(room.id, "Stubborn", room.password)
            return room, visitor
        await visitor.close()
    raise AssertionError(f"nginx leads nobody to {victim.name}")


async def freeze_once(stage: Stage, crowd: Crowd, noticed: Result, woken: Result):
    await crowd.clear()
    victim = max(stage.instances, key=lambda one: len(crowd.on(one.name)))
    hit = crowd.on(victim.name)
    room, stubborn = await visitor_of(stage, crowd, victim, hit)
    crowd.draw(0.3)
    await asyncio.sleep(0.5)
    frozen_at = time.monotonic()
    victim.freeze()
    try:
        late = box("sent to a frozen instance")
        answer = await stubborn.start_ack(
            "sync-editor-object-update",
            {
                "roomId": room.id,
                "objectData": object_data(late),
                "objectUuid": late["uuid"],
                "changeType": "object-added",
            },
        )
        await eventually(
            lambda: all(editor.heard("(disconnected)") for editor in hit), 30, what="all noticed"
        )
        noticed.measured(
            *(editor.heard("(disconnected)")[0].at - frozen_at for editor in hit)
        )
        await all_back(hit, frozen_at, 15)
        await crowd.stop_drawing()
        await crowd.settled()
        marks = {editor: len(editor.timeline) for editor in crowd.editors}
        mark = stubborn.mark()
        before = room.host.scene.comparable()
        assert late["uuid"] not in before["objects"]
        woken_at = time.monotonic()
        victim.thaw()
        await stubborn.wait_closed(20)
        woken.measured(stubborn.closed_at - woken_at)
    finally:
        await crowd.stop_drawing()
        if victim.running and victim._frozen:
            victim.thaw()
    assert stubborn.close_code == 1012, f"closed with {stubborn.close_code}"
    assert not stubborn.named(*FALSE_WORDS, after=mark), stubborn.events[mark:]
    assert answer.done() and (answer.exception() or answer.result()[0].get("ok") is not True), (
        "a frozen instance acknowledged an edit that it had no right to commit"
    )
    await asyncio.sleep(2)
    for editor, mark in marks.items():
        told = editor.heard(*FALSE_WORDS, "(disconnected)", after=mark)
        assert not told, f"{editor.name} was told {told[:3]}"
    newcomer = await stage.people.guest(victim.url, room.id, "Newcomer", room.password)
    scene = await newcomer.scene(room.id)
    assert scene.comparable()["objects"] == before["objects"], "the woken instance changed a scene"
    await newcomer.close()
    await crowd.settled()
    complaints = crowd.complaints()
    assert not complaints, complaints[:3]
