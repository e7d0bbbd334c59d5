"""Instances that crash, freeze, or are asked to go; configuration that cannot work."""

import asyncio
import time

import pytest

from support import http
from support.acknowledged import Acknowledged, Traffic
from support.processes import run_tandem
from support.scenes import box, creation_editor, object_data
from support.waiting import eventually
from support.wire import Unreachable, new_browser


def those_on(cluster, victim, *editors) -> list:
    """On a busy machine nginx may pass over the ring's choice: two members at two instances."""
    return [one for one in editors if instance_of(cluster, one) is victim]


def instance_of(cluster, editor):
    return cluster.named(editor.socket.open_packet["sid"].rpartition(".")[0])


def seconds_to_return(editor, fault_at: float) -> float:
    """From the fault to the answer to the rejoin."""
    return next(event.at for event in editor.heard("joined-room") if event.at > fault_at) - fault_at


async def two_editors(people, url, room, record, password=None):
    """Two editors in one room; what one sees of the other counts as acknowledged."""
    ana = await people.editor(url, "Ana")
    await ana.add_object("first")
    assert (await ana.create_room(room, password)).name == "room-created"
    ben = await people.editor(url, "Ben")
    assert (await ben.join_room(room, password)).name == "joined-room"
    if isinstance(url, str):
        # The creator's socket named no room and is anywhere: bring it to the room's instance.
        await ana.lose_network()
        assert ana.is_host
    ana.on_remote_update = record.received_by_other
    ben.on_remote_update = record.received_by_other
    await asyncio.sleep(2.2)  # second join, both uploads, both snapshot requests
    return ana, ben


async def converged(editor, checker, room):
    """The editor comes to show what the room holds."""

    async def same():
        return not editor.scene.difference(await checker.scene(room))

    await eventually(same, 15, what=f"{editor.name} shows what the room holds")


async def edit_for(editor, record, seconds, pause=0.05):
    end = time.monotonic() + seconds
    number = 0
    while time.monotonic() < end:
        node = box(f"{editor.name}-{number}")
        if editor.in_room:
            record.sent(node)
            await editor._change(node, "object-added")
        number += 1
        await asyncio.sleep(pause)


@pytest.mark.bound(90)
async def test_P1_after_kill_9_both_editors_are_back_in_3_seconds_with_every_acknowledged_edit(
    clusters, people, room
):
    cluster = await clusters(instances=2, nginx=True)
    record, callbacks = Acknowledged(), Acknowledged()
    ana, ben = await two_editors(people, cluster.nginx.url, room, record, "secreta")
    observer = await people.guest(cluster.nginx.url, room, "Obs", "secreta", query={"roomId": room})
    traffic = Traffic(observer, room, callbacks, 0.02, "obs").start()
    working = [asyncio.create_task(edit_for(one, record, 2.5)) for one in (ana, ben)]
    await asyncio.sleep(1)
    victim = instance_of(cluster, ana)
    shaken = those_on(cluster, victim, ana, ben)
    killed_at = time.monotonic()
    victim.kill()
    for editor in shaken:
        await editor.until(
            lambda: [e for e in editor.heard("joined-room") if e.at > killed_at], 10, "back"
        )
        assert seconds_to_return(editor, killed_at) < 3
    await asyncio.gather(*working)
    await traffic.stop()
    assert record.count >= 10 and callbacks.count >= 10, "the test would prove nothing"
    survivor = cluster.others(victim)[0]
    checker = await people.guest(survivor.url, room, "Check", "secreta")
    scene = await checker.scene(room)
    record.assert_in(scene, "the room")
    callbacks.assert_in(scene, "the room")
    assert callbacks.versions == sorted(callbacks.versions)
    for editor in (ana, ben):
        # What it returned to, its own snapshot request and its held-back edits: then it has all.
        await converged(editor, checker, room)
        record.assert_in(editor.scene, editor.name)
        callbacks.assert_in(editor.scene, editor.name)
        assert editor.errors == []
        assert editor.red_notices == []
    await eventually(lambda: ana.user_names == ["Ana", "Ben", "Check"], 15)
    assert ana.host_names == ben.host_names == ["Ana"]
    assert ana.is_host and not ben.is_host


@pytest.mark.bound(90)
async def test_P1_editors_with_two_urls_and_no_proxy_return_too(clusters, people, room):
    cluster = await clusters(instances=2)
    room = await cluster.room_owned_by(cluster.instances[0], room)
    urls = [one.url for one in cluster.instances]
    record = Acknowledged()
    ana, ben = await two_editors(people, urls, room, record)
    await edit_for(ana, record, 0.5)
    await asyncio.sleep(0.2)
    victim = next(one for one in cluster.instances if one.url == ana.socket.url)
    killed_at = time.monotonic()
    victim.kill()
    for editor in (ana, ben):
        await editor.until(
            lambda: [e for e in editor.heard("joined-room") if e.at > killed_at], 10, "back"
        )
        assert seconds_to_return(editor, killed_at) < 3
    await eventually(lambda: not ana.scene.difference(ben.scene) and not record.missing(ben.scene))
    record.assert_in(ana.scene, "Ana")
    assert record.count >= 5
    for editor in (ana, ben):
        assert editor.errors == [] and editor.red_notices == []
        assert len(editor.heard("(connecting)", after=0)) < 12, "no storm of connections"
    await eventually(lambda: ben.user_names == ["Ana", "Ben"], 15)
    assert ben.host_names == ["Ana"]


@pytest.mark.bound(120)
@pytest.mark.known_failure("C29", "C52")
async def test_P2_C29_a_frozen_instance_is_noticed_and_wakes_without_harm(clusters, people, room):
    cluster = await clusters(instances=2, nginx=True)
    frozen, other = cluster.instances
    room = await cluster.room_owned_by(frozen, room)
    host = await people.host(other.url, room, "Host", editor=creation_editor(box("A")))
    browser = new_browser()
    sleeper = await people.room_client(frozen.url, browser=browser, patience=3600)
    await sleeper.join(room, "Sleeper")
    ghost = await people.editor(cluster.nginx.url, "Ghost")
    await ghost.join_room(room)
    await asyncio.sleep(0.7)
    everybody = ["Ghost", "Host", "Sleeper"]
    await eventually(lambda: host.user_names == everybody, 5)
    start = host.mark()
    born = (await http.get_json(f"{frozen.url}/api/live"))["incarnation"]
    assert (
        ghost.socket.open_packet["pingInterval"] + ghost.socket.open_packet["pingTimeout"] <= 15_000
    )
    frozen_at = time.monotonic()
    frozen.freeze()
    await ghost.until(lambda: ghost.heard("(disconnected)"), 16, "noticed")
    await ghost.until(
        lambda: [e for e in ghost.heard("joined-room") if e.at > frozen_at + 1], 8, "back"
    )
    await host.wait(
        "users-list",
        timeout=8,
        after=0,
        where=lambda users: ghost.socket_id in {user["id"] for user in users},
    )
    await host.add(room, "while frozen")
    assert sleeper.connected and host.user_names == everybody
    mark = host.mark()
    frozen.thaw()
    assert await sleeper.wait_closed(8) == "transport close", "no DISCONNECT packet"
    assert sleeper.close_code == 1012

    async def back():
        try:
            return await people.room_client(frozen.url, browser=browser)
        except Unreachable:
            return None

    sleeper = await eventually(back, 5, 0.1)
    await sleeper.join(room, "Sleeper")
    await asyncio.sleep(4)
    told = ("user-left", "user-joined", "room-deleted")
    assert host.named(*told, after=start) == [], "everybody came back, and nobody says otherwise"
    assert len(host.named("users-list", after=mark)) == 1, "of the Sleeper's return"
    assert host.user_names == everybody and host.connected and ghost.connected
    awake = await http.get_json(f"{frozen.url}/api/live")
    assert awake["incarnation"] != born, "it goes on as another"
    metrics = (await http.get(f"{frozen.url}/metrics")).text
    assert "\ntandem_fenced_total 1\n" in metrics
    assert "\ntandem_members_swept_total 0\n" in metrics, "it removed nobody"
    await host.add(room, "awake")
    await sleeper.wait("receive-editor-object-update")
    await browser.close()
    checker = await people.guest(frozen.url, room, "Check")
    names = {node["name"] for node in (await checker.scene(room)).objects.values()}
    assert names == {"A", "while frozen", "awake"}
    assert ghost.errors == []


@pytest.mark.bound(90)
@pytest.mark.known_failure("C37")
async def test_P10_R19_a_drained_instance_closes_transports_and_exits_0(clusters, people, room):
    cluster = await clusters(instances=2, nginx=True)
    record = Acknowledged()
    ana, ben = await two_editors(people, cluster.nginx.url, room, record)
    leaving = instance_of(cluster, ana)
    (staying,) = cluster.others(leaving)
    raw = await people.guest(leaving.url, room, "Raw")
    neighbour = await people.host(staying.url, f"{room}-other")
    traffic_record = Acknowledged()
    traffic = Traffic(raw, room, traffic_record, 0.02, "raw").start()
    await edit_for(ana, record, 0.5)
    mark = neighbour.mark()
    shaken = those_on(cluster, leaving, ana, ben)
    asked_at = time.monotonic()
    leaving.terminate()
    code = await leaving.ended(30)
    await traffic.stop()
    assert code == 0
    assert raw.close_reason == "transport close", "no DISCONNECT packet"
    assert raw.close_code in (1012, 1001)
    for editor in shaken:
        await editor.until(
            lambda: [e for e in editor.heard("joined-room") if e.at > asked_at], 10, "back"
        )
        reasons = [event.arg for event in editor.heard("(disconnected)") if event.at > asked_at]
        assert reasons == ["transport close"], "one reconnection"
        lost_at = editor.heard("(disconnected)")[-1].at
        assert seconds_to_return(editor, lost_at) < 3
    scene = await (await people.guest(staying.url, room, "Check")).scene(room)
    record.assert_in(scene)
    traffic_record.assert_in(scene)
    assert neighbour.connected
    told = [event.name for event in neighbour.events[mark:]]
    assert "server-shutdown" not in told and "user-left" not in told
    for editor in (ana, ben):
        assert editor.errors == [] and editor.red_notices == []


async def test_R20_an_instance_that_drains_refuses_new_websockets_at_once_with_503(
    clusters, people
):
    cluster = await clusters(instances=1, redis=False, env={"DRAIN_DELAY": 4000})
    one = cluster.instances[0]
    await people.room_client(one.url)
    one.terminate()

    async def not_ready():
        return await http.status_of(one.url + "/api/ready") == 503

    await eventually(not_ready, 3)
    delays = []
    for _ in range(3):
        start = time.monotonic()
        with pytest.raises(Unreachable) as refusal:
            await people.room_client(one.url)
        delays.append(time.monotonic() - start)
        assert refusal.value.status == 503
    assert sorted(delays)[1] < 1, delays
    assert await one.ended(20) == 0


async def test_a_second_sigterm_does_not_change_the_exit_code(clusters):
    cluster = await clusters(instances=1, redis=False)
    one = cluster.instances[0]
    one.terminate()
    await asyncio.sleep(0.3)
    one.terminate()
    assert await one.ended(15) == 0


async def test_an_edit_acknowledged_while_draining_is_kept(clusters, people, room):
    cluster = await clusters(instances=2)
    leaving, staying = cluster.instances
    client = await people.host(leaving.url, room)
    leaving.terminate()
    kept = []
    while client.connected:
        node = box(f"n{len(kept)}")
        payload = {
            "objectData": object_data(node),
            "objectUuid": node["uuid"],
            "changeType": "object-added",
        }
        try:
            answer = await client.edit("sync-editor-object-update", room, payload)
        except (ConnectionError, OSError):
            break
        if answer["ok"]:
            kept.append(node["uuid"])
        await asyncio.sleep(0.02)
    assert await leaving.ended(20) == 0 and len(kept) > 5
    scene = await (await people.guest(staying.url, room, "Check")).scene(room)
    assert set(kept) <= set(scene.objects)


BAD_CONFIGURATIONS = [
    ({"PORT": "notaport"}, ["PORT"]),
    ({"PORT": "70000"}, ["PORT"]),
    (
        {"PORT": "-1", "PING_INTERVAL": "soon", "REDIS_URL": "http://x"},
        ["PORT", "PING_INTERVAL", "REDIS_URL"],
    ),
    ({"CLUSTER_NODES": "server-1"}, ["CLUSTER_NODES"]),
    (
        {"CLUSTER_NODES": "server-1=127.0.0.1:3001=http://a,server-1=127.0.0.1:3002=http://b"},
        ["CLUSTER_NODES"],
    ),
    ({"PUBLIC_URL": "not a url"}, ["PUBLIC_URL"]),
    ({"TRUSTED_PROXIES": "300.1.2.3"}, ["TRUSTED_PROXIES"]),
    (
        {"MAX_HTTP_BUFFER_SIZE": "0", "HOST_GRACE": "-5", "LOG_LEVEL": "shouting"},
        ["MAX_HTTP_BUFFER_SIZE", "HOST_GRACE", "LOG_LEVEL"],
    ),
    ({"REDIS_PORT": "99999999999999999999", "REDIS_HOST": "127.0.0.1"}, ["REDIS_PORT"]),
]


@pytest.mark.parametrize("env, named", BAD_CONFIGURATIONS)
@pytest.mark.parametrize("command", ["serve", "check-config"])
def test_a_bad_configuration_ends_with_2_and_every_problem(env, named, command):
    done = run_tandem(command, env=env)
    output = done.stdout + done.stderr
    assert done.returncode == 2, output
    for name in named:
        assert name in output, f"{name} is not named in: {output}"


def test_a_secret_in_a_bad_configuration_is_not_printed():
    done = run_tandem(
        "check-config",
        env={"REDIS_URL": "redis://:hush-hush@127.0.0.1:notaport", "ADMIN_TOKEN": "quiet-please"},
    )
    assert done.returncode == 2
    assert "hush-hush" not in done.stdout + done.stderr
    assert "quiet-please" not in done.stdout + done.stderr


async def test_a_port_in_use_ends_the_start_with_an_error_that_names_it(single):
    one = single.instances[0]
    done = await asyncio.to_thread(
        run_tandem, "serve", env={"PORT": str(one.port), "HOST": "127.0.0.1"}
    )
    assert done.returncode not in (0, None)
    assert str(one.port) in done.stdout + done.stderr
    assert (await one.health())["status"] in ("healthy", "degraded")
