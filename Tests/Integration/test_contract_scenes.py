"""The event contract, rule by rule: the stored scene, edits, snapshots, versions.

Each test runs on an instance with memory alone and on one with Redis.
"""

import pytest

from support.rooms import Refused
from support.scenes import (
    SceneModel,
    box,
    creation_editor,
    editor,
    object_data,
    srgb_integer,
    uuids_in,
)

EDITS = {
    "sync-editor-object-update": {
        "objectData": object_data(box("x", uuid="FUZZ-1")),
        "objectUuid": "FUZZ-1",
        "changeType": "object-added",
    },
    "sync-editor-object-removal": {
        "objectId": "FUZZ-1",
        "objectType": "Mesh",
        "objectName": "x",
        "timestamp": 1,
    },
    "sync-scene-background-update": {"backgroundData": {"type": "Color", "r": 1, "g": 0, "b": 0}},
    "sync-scene-fog-update": {"fogData": None},
    "sync-script-added": {"objectUuid": "FUZZ-1", "script": {"name": "s", "source": "1"}},
    "sync-script-changed": {"objectUuid": "FUZZ-1", "script": {"name": "s", "source": "2"}},
    "sync-script-removed": {"objectUuid": "FUZZ-1", "script": {"name": "s", "source": "2"}},
    "sync-editor-material-update": {
        "materialData": {"uuid": "M-1", "type": "MeshBasicMaterial"},
        "materialUuid": "M-1",
    },
}


def names_in(scene: SceneModel) -> set[str]:
    return {node["name"] for node in scene.objects.values()}


# --- edits ----------------------------------------------------------------------------------------


async def test_an_edit_is_acknowledged_with_its_version_and_shown_to_the_others(
    server, people, room
):
    host = await people.host(server.url, room)
    guest = await people.guest(server.url, room)
    node = box("A")
    answer = await host.put(room, node, "object-added")
    assert answer["ok"] is True and isinstance(answer["version"], int)
    event = await guest.wait("receive-editor-object-update")
    assert event.arg["objectData"] == object_data(node)
    assert event.arg["objectUuid"] == node["uuid"] and event.arg["changeType"] == "object-added"
    assert event.arg["originUserId"] == host.sid
    assert not host.named("receive-editor-object-update")


@pytest.mark.parametrize("event", EDITS)
@pytest.mark.known_failure("C5")
async def test_R37_C5_an_outsider_edits_nothing(server, people, room, event):
    host = await people.host(server.url, room, editor=creation_editor(box("A", uuid="FUZZ-1")))
    outsider = await people.room_client(server.url)
    before = await host.scene(room)
    mark = host.mark()
    answer = await outsider.edit(event, room, EDITS[event])
    assert answer["ok"] is False
    assert answer["error"]["code"] == "USER_NOT_IN_ROOM" and answer["error"]["message"]
    await outsider.request(
        event,
        {"roomId": room} | EDITS[event],
        replies=("editor-sync-error",),
        where=lambda data: data["code"] == "USER_NOT_IN_ROOM",
    )
    assert not [one for one in host.events[mark:] if one.name.startswith("receive-")]
    assert (await host.scene(room)).difference(before) == ""


@pytest.mark.known_failure("C4")
async def test_R37_C4_an_outsider_reads_nothing(server, people, room):
    await people.host(server.url, room, password="secreta", editor=creation_editor(box("private")))
    outsider = await people.room_client(server.url)
    with pytest.raises(Refused) as refusal:
        await outsider.snapshot(room)
    assert refusal.value.code == "USER_NOT_IN_ROOM"
    with pytest.raises(Refused) as refusal:
        await outsider.upload(room, editor(box()))
    assert refusal.value.event == "sync-full-editor-error", "the page waits for this event, 30 s"
    assert refusal.value.code == "USER_NOT_IN_ROOM"
    assert not outsider.named("receive-full-editor")


@pytest.mark.known_failure("C5")
async def test_R37_a_member_of_one_room_is_an_outsider_in_another(server, people, room):
    theirs, mine = f"{room}-theirs", f"{room}-mine"
    victim = await people.host(server.url, theirs)
    member = await people.host(server.url, mine)
    for event, payload in EDITS.items():
        answer = await member.edit(event, theirs, payload)
        assert answer["ok"] is False and answer["error"]["code"] == "USER_NOT_IN_ROOM", event
    mark = victim.mark()
    await member.rename(theirs, "Intruder")
    await victim.silence("user-name-changed", "users-list", after=mark, seconds=0.3)
    assert (await member.leave(theirs))["success"] is False


@pytest.mark.parametrize(
    "event, missing",
    [
        (event, field)
        for event, payload in EDITS.items()
        for field in payload
        if field
        in (
            "objectData",
            "objectUuid",
            "objectId",
            "backgroundData",
            "fogData",
            "script",
            "materialData",
            "materialUuid",
        )
        and (event, field) != ("sync-editor-object-update", "objectUuid")
    ],
)
async def test_an_edit_that_lacks_a_part_is_refused_as_such(server, people, room, event, missing):
    host = await people.host(server.url, room)
    payload = {key: value for key, value in EDITS[event].items() if key != missing}
    answer = await host.edit(event, room, payload)
    assert answer["ok"] is False and answer["error"]["code"] == "MISSING_DATA"
    notice = await host.request(event, {"roomId": room} | payload, replies=("editor-sync-error",))
    assert notice.arg["code"] == "MISSING_DATA" and notice.arg["error"]


@pytest.mark.known_failure("C30")
async def test_C30_a_newcomer_gets_the_sum_of_all_edits(server, people, room):
    first, second = box("first"), box("second")
    host = await people.host(server.url, room, editor=creation_editor(first, second))
    model = SceneModel.of(editor(first, second))
    third = await host.add(room, "third")
    model.update(object_data(third), third["uuid"], "object-added")
    moved = dict(second, matrix=[1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 5, 6, 7, 1], name="moved")
    assert (await host.put(room, moved))["ok"]
    model.update(object_data(moved), moved["uuid"], "general")
    assert (await host.remove(room, first["uuid"]))["ok"]
    model.remove(first["uuid"])
    background = {"type": "Color", "r": 0.5, "g": 0.25, "b": 0.75}
    assert (await host.edit("sync-scene-background-update", room, {"backgroundData": background}))[
        "ok"
    ]
    model.set_background(background)
    fog = {"type": "Fog", "color": {"r": 0.2, "g": 0.4, "b": 0.6}, "near": 1, "far": 50}
    assert (await host.edit("sync-scene-fog-update", room, {"fogData": fog}))["ok"]
    model.set_fog(fog)
    for event, source in (
        ("sync-script-added", "one"),
        ("sync-script-added", "two"),
        ("sync-script-changed", "two, changed"),
    ):
        script = {"name": source.split(",")[0], "source": source}
        answer = await host.edit(event, room, {"objectUuid": third["uuid"], "script": script})
        assert answer["ok"], answer
        (model.change_script if event.endswith("changed") else model.add_script)(
            third["uuid"], script
        )
    guest = await people.guest(server.url, room)
    snapshot = (await guest.wait("receive-full-editor")).arg
    seen = SceneModel.of(snapshot["editorData"])
    assert seen.difference(model) == ""


async def test_background_and_fog_can_be_taken_away_again(server, people, room):
    host = await people.host(
        server.url,
        room,
        editor=creation_editor(
            box(), background=0xFF0000, fog={"type": "FogExp2", "color": 255, "density": 0.1}
        ),
    )
    guest = await people.guest(server.url, room)
    assert (await guest.scene(room)).background == 0xFF0000
    for event, field in (
        ("sync-scene-background-update", "backgroundData"),
        ("sync-scene-fog-update", "fogData"),
    ):
        assert (await host.edit(event, room, {field: None}))["ok"]
        heard = await guest.wait(event.replace("sync-", "receive-"))
        assert heard.arg[field] is None
    scene = await guest.scene(room)
    assert scene.background is None and scene.fog is None


async def test_exponential_fog_is_stored_as_the_editor_reads_it(server, people, room):
    host = await people.host(server.url, room, editor=creation_editor(box()))
    fog = {"type": "FogExp2", "color": {"r": 1, "g": 0, "b": 0.5}, "density": 0.02}
    assert (await host.edit("sync-scene-fog-update", room, {"fogData": fog}))["ok"]
    stored = (await host.scene(room)).fog
    assert stored == {"type": "FogExp2", "color": srgb_integer(1, 0, 0.5), "density": 0.02}


async def test_an_update_keeps_the_children_and_brings_its_assets(server, people, room):
    child = box("child")
    parent = box("parent") | {"children": [child]}
    host = await people.host(server.url, room, editor=creation_editor(parent))
    data = object_data(box("parent, changed", uuid=parent["uuid"], geometry="G-1"))
    data["geometries"] = [{"uuid": "G-1", "type": "BoxGeometry", "width": 2}]
    payload = {"objectData": data, "objectUuid": parent["uuid"], "changeType": "geometry-change"}
    assert (await host.edit("sync-editor-object-update", room, payload))["ok"]
    scene = (await host.snapshot(room))["editorData"]["scene"]
    assert {"uuid": "G-1", "type": "BoxGeometry", "width": 2} in scene["geometries"]
    node = next(one for one in scene["object"]["children"] if one["uuid"] == parent["uuid"])
    assert node["name"] == "parent, changed"
    assert [one["uuid"] for one in node["children"]] == [child["uuid"]]


@pytest.mark.known_failure("C33")
async def test_a_removal_takes_the_subtree_and_wins_over_a_late_update(server, people, room):
    child = box("child")
    parent = box("parent") | {"children": [child]}
    other = box("other")
    host = await people.host(server.url, room, editor=creation_editor(parent, other))
    guest = await people.guest(server.url, room)
    assert (await host.remove(room, parent["uuid"]))["ok"]
    event = await guest.wait("receive-editor-object-removal")
    assert event.arg["objectId"] == parent["uuid"]
    for late in (parent, child):
        assert (await guest.put(room, late, "general"))["ok"] in (True, False)
    assert names_in(await host.scene(room)) == {"other"}


@pytest.mark.known_failure("C33")
async def test_a_removal_of_an_unknown_object_is_relayed_and_succeeds(server, people, room):
    host = await people.host(server.url, room, editor=creation_editor(box()))
    guest = await people.guest(server.url, room)
    assert (await host.remove(room, "NEVER-SEEN"))["ok"] is True
    event = await guest.wait("receive-editor-object-removal")
    assert event.arg["objectId"] == "NEVER-SEEN"


async def test_a_removal_may_name_its_object_as_the_documents_do(server, people, room):
    node = box()
    host = await people.host(server.url, room, editor=creation_editor(node, box("other")))
    guest = await people.guest(server.url, room)
    answer = await host.edit(
        "sync-editor-object-removal", room, {"objectUuid": node["uuid"], "objectType": "Mesh"}
    )
    assert answer["ok"] is True
    event = await guest.wait("receive-editor-object-removal")
    assert event.arg["objectId"] == node["uuid"]


async def test_R12_each_script_is_told_once_and_stored_once(server, people, room):
    node = box()
    host = await people.host(server.url, room, editor=creation_editor(node))
    guest = await people.guest(server.url, room)
    for number in range(5):
        script = {"name": f"s{number}", "source": str(number)}
        payload = {"objectUuid": node["uuid"], "script": script}
        assert (await host.edit("sync-script-added", room, payload))["ok"]
    await guest.wait("receive-script-added", where=lambda data: data["script"]["name"] == "s4")
    told = [event.arg["script"]["name"] for event in guest.named("receive-script-added")]
    assert told == [f"s{number}" for number in range(5)]
    scripts = (await host.scene(room)).scripts[node["uuid"]]
    assert [one["name"] for one in scripts] == told
    removal = {"objectUuid": node["uuid"], "script": {"name": "s2", "source": "2"}}
    assert (await host.edit("sync-script-removed", room, removal))["ok"]
    await guest.wait("receive-script-removed")
    scripts = (await host.scene(room)).scripts[node["uuid"]]
    assert [one["name"] for one in scripts] == ["s0", "s1", "s3", "s4"]


# --- full uploads -----------------------------------------------------------------------------------


async def test_a_full_upload_replaces_the_scene_and_is_shown_to_the_others(server, people, room):
    host = await people.host(server.url, room, editor=creation_editor(box("old")))
    guest = await people.guest(server.url, room)
    await guest.wait("receive-full-editor")
    mark = guest.mark()
    answer = await host.upload(room, editor(box("new")))
    assert isinstance(answer["version"], int) and answer["version"] > 0
    event = await guest.wait("receive-full-editor", after=mark, timeout=10)
    assert names_in(SceneModel.of(event.arg["editorData"])) == {"new"}
    assert event.arg["hostId"] == host.sid
    await host.silence("receive-full-editor", after=0, seconds=0.2)


@pytest.mark.known_failure("C36")
async def test_R18_C36_the_same_upload_twice_is_acknowledged_twice_and_shown_once(
    server, people, room
):
    host = await people.host(server.url, room, editor=creation_editor(box("old")))
    guest = await people.guest(server.url, room)
    await guest.wait("receive-full-editor")
    mark = guest.mark()
    state = editor(box("new"))
    await host.upload(room, state)
    await guest.wait("receive-full-editor", after=mark)
    mark = guest.mark()
    await host.upload(room, state)
    await guest.silence("receive-full-editor", after=mark, seconds=0.6)


async def test_R22_an_upload_of_one_who_was_not_yet_sent_the_newest_work_overwrites_nothing(
    server, people, room
):
    """A returning editor is held back from single edits while it applies the snapshot; what it
    uploads in that time is older than the room."""
    # Held back for 0.3 s a megabyte: time for what follows, also on a busy machine.
    old = editor(box("old"), padding="x" * 6_000_000)
    host = await people.host(server.url, room)
    await host.upload(room, old)
    witness = await people.guest(server.url, room, "Witness")
    back = await people.guest(server.url, room, "Back")
    await host.add(room, "work")
    assert not back.named("receive-editor-object-update"), "held back while the scene is applied"
    mark = back.mark()
    sent = back.named("receive-full-editor")[-1].arg["version"]
    await back.upload(room, editor(box("stale")))
    assert names_in(await host.scene(room)) == {"old", "work"}
    event = await back.wait("receive-full-editor", after=mark, timeout=20)
    assert event.arg["version"] > sent
    assert names_in(SceneModel.of(event.arg["editorData"])) == {"old", "work"}
    assert len(witness.named("receive-full-editor")) == 1, "the others see nothing of it"


@pytest.mark.parametrize(
    "state",
    [
        None,
        [],
        5,
        "text",
        {},
        {"scene": {}},
        {"camera": {}},
        {"scene": [], "camera": {}},
        {"scene": {"object": None}, "camera": {}},
    ],
)
async def test_an_upload_that_is_no_scene_is_refused_with_its_own_event(
    server, people, room, state
):
    host = await people.host(server.url, room, editor=creation_editor(box("kept")))
    with pytest.raises(Refused) as refusal:
        await host.upload(room, state)
    assert refusal.value.event == "sync-full-editor-error"
    assert refusal.value.code in ("MISSING_DATA", "VALIDATION_ERROR")
    assert names_in(await host.scene(room)) == {"kept"}


# --- snapshots ------------------------------------------------------------------------------------


async def test_R26_an_empty_room_is_answered_in_exactly_one_shape(server, people, room):
    host = await people.host(server.url, room)
    snapshot = await host.snapshot(room)
    assert snapshot["version"] == 0 and snapshot["hostId"] is None
    assert snapshot["isInitialSync"] is True and snapshot["editorData"] is None
    guest = await people.guest(server.url, room)
    for event in guest.named("receive-full-editor"):
        assert (event.arg["version"], event.arg["hostId"], event.arg["editorData"]) == (
            0,
            None,
            None,
        )


async def test_R27_a_snapshot_has_no_origin_and_an_edit_has_its_senders_id(server, people, room):
    host = await people.host(server.url, room, editor=creation_editor(box()))
    guest = await people.guest(server.url, room)
    await guest.add(room, "mine")
    assert "originUserId" not in await guest.snapshot(room)
    assert "originUserId" not in (await guest.wait("receive-full-editor")).arg
    event = await host.wait("receive-editor-object-update")
    assert event.arg["originUserId"] == guest.sid


@pytest.mark.parametrize(
    "history", [None, {}, [], "x", {"undos": None}, {"undos": [1], "redos": [2]}]
)
async def test_R28_a_snapshot_never_makes_the_editor_throw(server, people, room, history):
    host = await people.host(server.url, room)
    state = editor(box("A"), scripts={}) | {"history": history, "scripts": None}
    try:
        await host.upload(room, state)
    except Refused as refusal:
        assert refusal.event == "sync-full-editor-error"
        await host.upload(room, editor(box("A")))
    guest = await people.guest(server.url, room)
    data = (await guest.wait("receive-full-editor")).arg["editorData"]
    assert names_in(SceneModel.of(data)) == {"A"}
    assert "scene" in data and "camera" in data and isinstance(data["scripts"], dict)


async def test_R29_scripts_survive_in_the_editor_that_is_sent_a_snapshot(server, people, room):
    child = box("child")
    parent = box("parent") | {"children": [child]}
    scripts = {uuid: [{"name": "s", "source": uuid}] for uuid in (parent["uuid"], child["uuid"])}
    host = await people.host(server.url, room)
    await host.upload(room, editor(parent, scripts=scripts))
    guest = await people.guest(server.url, room)
    data = (await guest.wait("receive-full-editor")).arg["editorData"]
    assert uuids_in(data["object"]) >= set(scripts)
    assert SceneModel.of(data).scripts == scripts


async def test_R30_what_is_sent_is_not_larger_than_what_was_uploaded(server, people, room):
    state = editor(box("A"), padding="x" * 500_000)
    host = await people.host(server.url, room)
    await host.upload(room, state)
    data = (await host.snapshot(room))["editorData"]
    assert len(str(data)) < 0.6 * len(str(state))


# --- versions --------------------------------------------------------------------------------------


async def test_R24_versions_rise_with_every_stored_change_and_stay_safe_integers(
    server, people, room
):
    host = await people.host(server.url, room, editor=creation_editor(box()))
    versions = [(await host.snapshot(room))["version"]]
    for number in range(10):
        versions.append((await host.put(room, box(f"n{number}"), "object-added"))["version"])
    versions.append((await host.snapshot(room))["version"])
    assert versions[:-1] == sorted(set(versions[:-1])) and versions[-1] >= versions[-2]
    assert all(isinstance(version, int) and 0 < version < 2**53 for version in versions)


async def test_R23_versions_rise_over_all_rooms_that_a_client_visits(server, people, room):
    rooms = [f"{room}-{number}" for number in range(3)]
    for one in rooms:
        host = await people.host(server.url, one, editor=creation_editor(box("A")))
        await host.add(one, "B")
    visitor = await people.room_client(server.url)
    for one in [*rooms, *rooms]:
        mark = visitor.mark()
        await visitor.join(one)
        await visitor.wait("receive-full-editor", after=mark)
    versions = [event.arg["version"] for event in visitor.named("receive-full-editor")]
    assert versions == sorted(set(versions)), "an equal or smaller one is ignored by the editor"


async def test_R25_a_snapshot_after_ones_own_upload_is_newer_than_all_before(server, people, room):
    host = await people.host(server.url, room, editor=creation_editor(box()))
    guest = await people.guest(server.url, room)
    first = (await guest.wait("receive-full-editor")).arg["version"]
    answer = await guest.upload(room, editor(box("new")))
    assert answer["version"] > first
    await host.add(room, "more")
    assert (await guest.snapshot(room))["version"] > answer["version"] - 1
