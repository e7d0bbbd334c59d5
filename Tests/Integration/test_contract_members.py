"""The event contract, rule by rule: joining, names, leaving, the host.

Each test runs on an instance with memory alone and on one with Redis. R… are the rules of the client
contract, C… the failures of the system before.
"""

import asyncio

import pytest

from support.rooms import Refused
from support.scenes import box, creation_editor
from support.waiting import eventually
from support.wire import new_browser

ANONYMOUS = "Anónimo"


# --- joining ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["no-such-room", "x" * 50])
async def test_join_of_a_room_that_is_not_there_is_refused(server, people, name):
    client = await people.room_client(server.url)
    with pytest.raises(Refused) as refusal:
        await client.join(name)
    assert refusal.value.code == "ROOM_NOT_FOUND"


@pytest.mark.parametrize("name", ["ab", "x" * 51, "a b", "{a}", "tandem:{x}:state", "*", 5, None])
@pytest.mark.known_failure("C9")
async def test_C9_join_checks_the_room_id_as_create_does(server, people, name):
    client = await people.room_client(server.url)
    with pytest.raises(Refused) as refusal:
        await client.join(name)
    assert refusal.value.code == "VALIDATION_ERROR"


async def test_a_bare_room_id_is_also_a_join(server, people, room):
    await people.host(server.url, room)
    client = await people.room_client(server.url)
    event = await client.request("join-room", room, replies=("joined-room", "join-room-failed"))
    assert event.name == "joined-room"
    await client.wait("users-list", where=lambda users: len(users) == 2)
    assert ANONYMOUS in client.user_names


@pytest.mark.known_failure("C31")
async def test_R7_one_answer_to_a_join_with_flags_that_are_booleans(server, people, room):
    await people.host(server.url, room, editor=creation_editor(box()))
    guest = await people.room_client(server.url)
    answer = await guest.join(room)
    assert answer["roomId"] == room and answer["isHost"] is False
    assert answer["hasEditor"] is True and answer["userCount"] == 2
    await asyncio.sleep(0.3)
    assert len(guest.named("joined-room")) == 1


async def test_R14_a_second_join_without_password_is_answered_as_the_first(server, people, room):
    host = await people.host(server.url, room, password="secreta")
    guest = await people.guest(server.url, room, "Ben", password="secreta")
    await host.wait("user-joined")
    after = host.mark()
    again = await guest.join(room, "Ben", password=None)
    assert again["isHost"] is False and again["userCount"] == 2
    as_host = await host.join(room, "Host", password=None)
    assert as_host["isHost"] is True
    await host.silence("user-joined", "user-left", after=after, seconds=0.4)
    await eventually(lambda: len(host.users) == 2 and host.host_name == "Host")


@pytest.mark.known_failure("C31")
async def test_R15_the_joiner_hears_answer_scene_members_in_this_order(server, people, room):
    host = await people.host(server.url, room, editor=creation_editor(box()))
    guest = await people.room_client(server.url)
    await host.wait("user-count")  # the last that follows its own creation
    before = host.mark()
    await guest.join(room, "Ben")
    await guest.wait("user-count")
    order = [
        event.name
        for event in guest.events
        if event.name in ("joined-room", "receive-full-editor", "users-list", "user-count")
    ]
    assert order[:4] == ["joined-room", "receive-full-editor", "users-list", "user-count"]
    assert not guest.named("user-joined"), "nobody is told of himself"
    await host.wait("user-count", after=before, where=lambda count: count == 2)
    heard = [event.name for event in host.events[before:]]
    assert heard == ["user-joined", "users-list", "user-count"]
    joined = host.named("user-joined", after=before)[0].arg
    assert joined["userName"] == "Ben" and joined["userId"] == guest.sid
    assert joined["userCount"] == 2


async def test_R11_the_members_have_string_ids_and_exactly_one_host(server, people, room):
    host = await people.host(server.url, room)
    guests = [await people.guest(server.url, room, f"G{number}") for number in range(4)]
    for client in (host, *guests):
        await client.wait("users-list", where=lambda users: len(users) == 5)
        assert all(isinstance(user["id"], str) and len(user["id"]) >= 8 for user in client.users)
        assert {user["id"] for user in client.users} == {one.sid for one in (host, *guests)}
        assert [user["role"] for user in client.users].count("host") == 1
        assert client.host_name == "Host"


@pytest.mark.known_failure("C21")
async def test_R36_joining_another_room_leaves_the_first(server, people, room):
    first, second = f"{room}-a", f"{room}-b"
    host_a = await people.host(server.url, first)
    host_b = await people.host(server.url, second)
    guest = await people.guest(server.url, first, "Mover")
    await host_a.wait("users-list", where=lambda users: len(users) == 2)
    await guest.join(second, "Mover")
    await host_a.wait("user-left", where=lambda data: data["userName"] == "Mover")
    await eventually(lambda: host_a.user_names == ["Host"])
    after = guest.mark()
    await host_a.add(first, "unseen")
    await host_b.add(second, "seen")
    await guest.wait("receive-editor-object-update", after=after)
    heard = guest.named("receive-editor-object-update", after=after)
    assert [event.arg["objectData"]["object"]["name"] for event in heard] == ["seen"]


async def test_R36_a_refused_join_does_not_cost_the_room_one_is_in(server, people, room):
    mine, other = f"{room}-mine", f"{room}-other"
    await people.host(server.url, other, password="secreta")
    host = await people.host(server.url, mine)
    with pytest.raises(Refused):
        await host.join(other, password="wrong")
    assert (await host.join(mine))["isHost"] is True


# --- names --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "given, shown",
    [
        ("  Ana  ", "Ana"),
        ("<b>\"Ana\"&'x'</b>", "bAnax/b"),
        ("x" * 40, "x" * 30),
        ("", ANONYMOUS),
        ("   ", ANONYMOUS),
        ("<>&", ANONYMOUS),
        (None, ANONYMOUS),
        (5, ANONYMOUS),
        ([], ANONYMOUS),
        ({"a": 1}, ANONYMOUS),
        ("José Ñandú 密", "José Ñandú 密"),
        ("\u202eevil", None),
        ("a\u0000b\u001bc", None),
    ],
)
async def test_names_are_trimmed_cleaned_and_cut(server, people, room, given, shown):
    host = await people.host(server.url, room, name=given)
    await host.wait("users-list")
    name = host.users[0]["name"]
    if shown is None:
        assert "\u0000" not in name and "\u001b" not in name and len(name) <= 30
    else:
        assert name == shown


@pytest.mark.known_failure("C7")
async def test_C7_three_unnamed_visitors_are_three_and_the_first_is_host(server, people, room):
    first = await people.host(server.url, room, name="")
    second = await people.guest(server.url, room, name=None)
    third = await people.guest(server.url, room, name="  ")
    for client in (first, second, third):
        await client.wait("users-list", where=lambda users: len(users) == 3)
        assert client.user_names == [ANONYMOUS] * 3
        hosts = [user["id"] for user in client.users if user["role"] == "host"]
        assert hosts == [first.sid]


@pytest.mark.known_failure("C6")
async def test_C6_a_namesake_of_the_host_is_only_a_guest(server, people, room):
    host = await people.host(server.url, room, name="Ana")
    twin = await people.room_client(server.url)
    assert (await twin.join(room, "Ana"))["isHost"] is False
    with pytest.raises(Refused) as refusal:
        await twin.delete(room)
    assert refusal.value.code == "NOT_HOST"
    await host.wait("users-list", where=lambda users: len(users) == 2)
    assert [user["id"] for user in host.users if user["role"] == "host"] == [host.sid]


@pytest.mark.known_failure("C16")
async def test_C16_a_new_name_is_seen_by_all(server, people, room):
    host = await people.host(server.url, room)
    guest = await people.guest(server.url, room, "Ben")
    await host.wait("users-list", where=lambda users: len(users) == 2)
    after = host.mark()
    mine = guest.mark()
    await guest.rename(room, "  <Benjamin> ")
    changed = await host.wait("user-name-changed", after=after)
    assert changed.arg["userName"] == "Benjamin" and changed.arg["oldName"] == "Ben"
    assert changed.arg["userId"] == guest.sid
    for client, since in ((host, after), (guest, mine)):
        # What its own join has still to bring may come before.
        await client.wait(
            "users-list",
            after=since,
            where=lambda users: {user["name"] for user in users} == {"Benjamin", "Host"},
        )
        assert client.user_names == ["Benjamin", "Host"]
    assert not guest.named("user-name-changed")


# --- leaving, losing the connection, deleting -----------------------------------------------------


async def test_leave_is_answered_and_the_others_are_told(server, people, room):
    host = await people.host(server.url, room)
    guest = await people.guest(server.url, room, "Ben")
    await host.wait("users-list", where=lambda users: len(users) == 2)
    after = host.mark()
    answer = await guest.leave(room)
    assert answer["success"] is True and answer["roomId"] == room
    left = await host.wait("user-left", after=after)
    assert left.arg["userName"] == "Ben" and left.arg["userId"] == guest.sid
    assert left.arg["userCount"] == 1
    await host.wait("users-list", after=after)
    assert host.user_names == ["Host"]
    mark = guest.mark()
    await host.add(room, "after")
    await guest.silence("receive-editor-object-update", "users-list", after=mark, seconds=0.3)


@pytest.mark.parametrize("payload", ["other-room", "", None, 5, {"roomId": "other-room"}])
@pytest.mark.known_failure("C22")
async def test_C22_leaving_a_room_one_is_not_in_is_answered_with_false(
    server, people, room, payload
):
    client = await people.room_client(server.url)
    event = await client.request("leave-room", payload, replies=("left-room",))
    assert event.arg["success"] is False


@pytest.mark.known_failure("C19")
async def test_C19_a_lost_connection_is_told_to_the_others(server, people, room):
    host = await people.host(server.url, room)
    guest = await people.guest(server.url, room, "Ben")
    await host.wait("users-list", where=lambda users: len(users) == 2)
    after = host.mark()
    await guest.drop()
    await host.wait("user-left", after=after)
    await host.wait("users-list", after=after, where=lambda users: len(users) == 1)
    await host.wait("user-count", after=after, where=lambda count: count == 1)


@pytest.mark.known_failure("C28")
async def test_R9_a_deletion_reaches_the_members_and_nobody_else(server, people, room):
    host = await people.host(server.url, room, "Ana")
    guest = await people.guest(server.url, room)
    lobby = await people.room_client(server.url)
    elsewhere = await people.host(server.url, f"{room}-other")
    answer = await host.delete(room)
    assert answer["roomId"] == room and answer["deletedByHost"] is True
    assert answer["hostName"] == "Ana" and isinstance(answer["message"], str)
    assert (await guest.wait("room-deleted")).arg["roomId"] == room
    await asyncio.sleep(0.3)
    assert not lobby.named("room-deleted") and not elsewhere.named("room-deleted")
    assert room not in [item["id"] for item in await lobby.rooms()]
    for client in (lobby, guest):
        with pytest.raises(Refused) as refusal:
            await client.join(room)
        assert refusal.value.code == "ROOM_NOT_FOUND"


@pytest.mark.known_failure("C28")
async def test_C28_former_members_of_a_deleted_room_hear_nothing_more(server, people, room):
    host = await people.host(server.url, room)
    guest = await people.guest(server.url, room)
    await host.delete(room)
    await guest.wait("room-deleted")
    assert (await guest.put(room, box()))["ok"] is False
    await host.create(room, "Ana")
    mark = guest.mark()
    await host.add(room, "new life")
    await guest.silence("receive-editor-object-update", "users-list", after=mark, seconds=0.3)


@pytest.mark.known_failure("C34")
async def test_C34_a_new_room_of_an_old_name_starts_empty(server, people, room):
    host = await people.host(server.url, room, editor=creation_editor(box("private")))
    await host.add(room, "private too")
    await host.delete(room)
    other = await people.host(server.url, room, "New")
    snapshot = await other.snapshot(room)
    assert snapshot["editorData"] is None and snapshot["version"] == 0


async def test_only_the_host_deletes(server, people, room):
    await people.host(server.url, room)
    guest = await people.guest(server.url, room)
    stranger = await people.room_client(server.url)
    for client in (guest, stranger):
        with pytest.raises(Refused) as refusal:
            await client.delete(room)
        assert refusal.value.code == "NOT_HOST" and refusal.value.answer["error"]
    with pytest.raises(Refused) as refusal:
        await stranger.delete("no-such-room")
    assert refusal.value.code == "ROOM_NOT_FOUND"


# --- the host's role, the life of a room -----------------------------------------------------------


@pytest.mark.known_failure("C18")
async def test_C18_a_host_whose_connection_was_cut_is_host_again(server, people, room):
    browser = new_browser()
    host = await people.room_client(server.url, browser=browser)
    await host.create(room, "Ana", password="secreta")
    guest = await people.guest(server.url, room, "Ben", password="secreta")
    await host.drop()
    await guest.wait("user-left")
    back = await people.room_client(server.url, browser=browser, room=room)
    assert (await back.join(room, "Ana", password=None))["isHost"] is True
    await guest.wait("users-list", where=lambda users: len(users) == 2)
    await eventually(lambda: guest.host_name == "Ana")
    await back.close()
    await browser.close()


@pytest.mark.known_failure("C6")
async def test_the_role_of_an_absent_host_is_kept_for_him(server, people, room):
    host = await people.host(server.url, room, "Ana")
    await people.guest(server.url, room, "Ben")
    await host.drop()
    thief = await people.room_client(server.url)
    assert (await thief.join(room, "Ana"))["isHost"] is False
    with pytest.raises(Refused) as refusal:
        await thief.delete(room)
    assert refusal.value.code == "NOT_HOST"


@pytest.mark.known_failure("C17")
async def test_C17_a_host_who_leaves_hands_over_to_the_oldest_member(server, people, room):
    host = await people.host(server.url, room, "Ana")
    oldest = await people.guest(server.url, room, "Ben")
    youngest = await people.guest(server.url, room, "Cleo")
    await host.leave(room)
    for client in (oldest, youngest):
        await client.wait("users-list", where=lambda users: len(users) == 2)
        await eventually(lambda: client.host_name == "Ben")
    assert (await oldest.delete(room))["roomId"] == room


@pytest.mark.known_failure("C17")
async def test_C17_after_the_grace_time_the_oldest_member_is_host(impatient, people, room):
    host = await people.host(impatient.url, room, "Ana")
    oldest = await people.guest(impatient.url, room, "Ben")
    youngest = await people.guest(impatient.url, room, "Cleo")
    await host.drop()
    await youngest.wait("users-list", where=lambda users: len(users) == 2)
    await eventually(lambda: youngest.host_name == "Ben")
    assert (await oldest.join(room, "Ben"))["isHost"] is True


@pytest.mark.known_failure("C15")
async def test_an_empty_room_lives_for_its_time_and_then_ends(impatient, people, room):
    host = await people.host(impatient.url, room, "Ana", editor=creation_editor(box("kept")))
    lobby = await people.room_client(impatient.url)
    await host.leave(room)
    assert room in [item["id"] for item in await lobby.rooms()]

    async def gone():
        return room not in [item["id"] for item in await lobby.rooms()]

    await eventually(gone, 15, step=0.2)
    with pytest.raises(Refused) as refusal:
        await lobby.join(room)
    assert refusal.value.code == "ROOM_NOT_FOUND"


@pytest.mark.known_failure("C26")
async def test_a_room_with_a_member_outlives_the_time_of_empty_rooms(impatient, people, room):
    host = await people.host(impatient.url, room)
    await asyncio.sleep(3.5)
    assert room in [item["id"] for item in await host.rooms()]
    assert (await host.join(room))["isHost"] is True
