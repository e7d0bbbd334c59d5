"""The event contract, rule by rule: order, big scenes, and the editor as it is.

Each test runs on an instance with memory alone and on one with Redis.
"""

import asyncio

from support.editor_timing import hurried
from support.scenes import SceneModel, box, creation_editor, editor
from support.waiting import eventually

# --- busy clients, order ----------------------------------------------------------------------


async def test_R16_R17_a_busy_editor_misses_nothing(server, people, room):
    """The editor drops single edits while it applies a scene, and does not expect a second one."""
    host = await people.host(server.url, room, editor=creation_editor(box("A", uuid="A-1")))
    slow = await people.editor(server.url, "Slow", timing=hurried(apply_least=0.25))
    await slow.join_room(room)
    await asyncio.sleep(2.2)
    for number in range(4):
        await host.upload(
            room, editor(box("A", uuid="A-1"), box(f"v{number}"), padding=str(number) * 1_000_000)
        )
    for number in range(30):
        await host.put(room, box("A", uuid="A-1", userData={"step": number}))
    last = await host.add(room, "last")
    await slow.until(lambda: last["uuid"] in slow.scene.objects, 30, "the last object")
    await eventually(lambda: slow.scene.objects["A-1"].get("userData") == {"step": 29}, 15)
    wanted = await host.scene(room)
    assert slow.scene.difference(wanted) == ""
    assert slow.errors == [] and slow.red_notices == []


async def test_R38_members_see_one_order(server, people, room):
    clients = [await people.host(server.url, room)]
    clients += [await people.guest(server.url, room, f"G{number}") for number in range(3)]
    for client in clients[1:]:
        await client.wait("users-list", where=lambda users: len(users) == 4)

    async def work(client, label):
        for number in range(25):
            await client.put(room, box(f"{label}-{number}", uuid="SHARED"), "object-added")

    await asyncio.gather(*(work(client, label) for label, client in enumerate(clients)))
    orders = []
    for client in clients:
        await eventually(lambda: len(client.named("receive-editor-object-update")) >= 75, 20)
        heard = [
            (event.arg["version"], event.arg["objectData"]["object"]["name"])
            for event in client.named("receive-editor-object-update")
        ]
        assert len(heard) == 75 and heard == sorted(heard)
        orders.append(dict(heard))
    whole = {version: name for order in orders for version, name in order.items()}
    assert len(whole) == 100 and all(order.items() <= whole.items() for order in orders)
    last = whole[max(whole)]
    assert (await clients[0].scene(room)).objects["SHARED"]["name"] == last


# --- what crosses on the wire ----------------------------------------------------------------------


async def test_an_edit_that_crosses_a_full_upload_on_the_wire_is_not_lost(server, people, room):
    """The uploader was sent the edit, but cannot have had it in the scene that he was uploading."""
    for _ in range(5):
        host = await people.host(server.url, room, editor=creation_editor(box("A")))
        guest = await people.guest(server.url, room)
        await asyncio.sleep(0.4)
        acknowledged = await guest.add(room, "acknowledged")
        await host.upload(room, editor(box("A"), box("of the host")))
        scene = await guest.scene(room)
        assert acknowledged["uuid"] in scene.objects, "an acknowledged edit was overwritten"
        await host.delete(room)


async def test_ones_own_edit_that_crosses_a_full_scene_on_the_wire_is_given_back(
    server, people, room
):
    """The editor throws its scene away for one that was sent before its edit was committed."""
    host = await people.host(server.url, room, editor=creation_editor(box("A")))
    guest = await people.guest(server.url, room, "Guest")
    await asyncio.sleep(0.5)
    mark = guest.mark()
    await host.upload(room, editor(box("A"), box("B")))
    await guest.wait("receive-full-editor", after=mark)
    mine = await guest.add(room, "mine")

    def given_back():
        for event in guest.events[mark:]:
            data = event.arg
            if event.name == "receive-full-editor" and data["editorData"]:
                if mine["uuid"] in SceneModel.of(data["editorData"]).objects:
                    return True
            elif event.name == "receive-editor-object-update":
                if data["objectUuid"] == mine["uuid"] and data.get("originUserId") != guest.sid:
                    return True
        return False

    await eventually(given_back, what="the author is shown his own edit again")


# --- two editors as they are -----------------------------------------------------------------------


async def test_two_editors_work_together_and_see_the_same(server, people, room):
    ana = await people.editor(server.url, "Ana")
    first = await ana.add_object("first")
    await ana.create_room(room, "secreta")
    ben = await people.editor(server.url, "Ben")
    answer = await ben.join_room(room, "secreta")
    assert answer.name == "joined-room"
    await asyncio.sleep(1.2)
    second = await ben.add_object("second")
    await ana.until(lambda: second["uuid"] in ana.scene.objects, 10)
    await ana.add_script(first["uuid"], "spin", "rotate()")
    await ana.change_script(first["uuid"], "spin", "rotate(2)")
    await ben.set_background(0.1, 0.2, 0.3)
    await ben.set_fog({"type": "Fog", "color": {"r": 0, "g": 1, "b": 0}, "near": 1, "far": 9})
    await ana.change_object(second, userData={"by": "Ana"})
    third = await ben.add_object("third")
    await ana.until(lambda: third["uuid"] in ana.scene.objects, 10)
    await ana.remove_object(third["uuid"])
    await eventually(lambda: not ana.scene.difference(ben.scene))
    cleo = await people.editor(server.url, "Cleo")
    await cleo.join_room(room, "secreta")
    await asyncio.sleep(2)
    for one in (cleo, ben):
        await eventually(lambda: not one.scene.difference(ana.scene), what=f"{one.name}: the same")
    for editor_client in (ana, ben, cleo):
        await eventually(lambda: editor_client.user_names == ["Ana", "Ben", "Cleo"])
        assert editor_client.errors == [] and editor_client.red_notices == []
        assert editor_client.host_names == ["Ana"]
    # The editor joins again if it was answered within about 0.4 s; each join has one answer.
    joins = len(cleo.heard("> join-room"))
    assert joins in (1, 2)
    await eventually(lambda: len(cleo.heard("joined-room")) == joins)
    assert len(ana.heard("user-joined")) == 2, "and is announced once"
