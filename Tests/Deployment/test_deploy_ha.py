"""deploy-ha.sh with local processes: what it starts, keeps alive, tells and stops."""

import json
import os
import re
import signal
import socket
import subprocess
import tempfile
import threading
import time

import pytest
import redis
import requests
import socketio

from conftest import INSTANCES, ROOT, living, until
from traffic import Traffic

SERVICES = ("redis", *INSTANCES, "nginx")


@pytest.mark.known_failure("C56")
def test_start_status_stop_and_start_again_with_the_data_kept(deployment):
    started = deployment.run("start")
    assert all(f"{name}" in started.stdout for name in SERVICES)
    rows = deployment.rows()
    assert list(rows) == list(SERVICES)
    assert {name: row[2] for name, row in rows.items()} == {
        "redis": "up", "server-1": "ready", "server-2": "ready", "nginx": "up",
    }
    assert rows["server-2"][1] == str(deployment.ports["server-2"])
    assert rows["server-1"][0] == str(deployment.pid("server-1"))
    store = redis.Redis(port=deployment.redis_port)
    store.set("kept", "yes")
    pids = [deployment.pid(name, kind) for name in SERVICES for kind in ("pid", "supervisor")]

    deployment.run("stop")
    assert [pid for pid in pids if living(pid)] == []
    stopped = deployment.run("status", check=False)
    assert stopped.returncode == 1
    assert stopped.stdout.count("down") == 4

    deployment.run("start")
    assert store.get("kept") == b"yes"


def test_start_twice_leaves_what_runs_alone(deployment):
    deployment.run("start")
    pids = [deployment.pid(name) for name in SERVICES]
    deployment.run("start")
    assert [deployment.pid(name) for name in SERVICES] == pids


@pytest.mark.parametrize("name", SERVICES)
@pytest.mark.known_failure("C55")
def test_a_killed_service_is_back_within_ten_seconds(running, name):
    before = running.pid(name)
    os.kill(before, signal.SIGKILL)
    until(lambda: running.returned(name, before), 10, f"{name} again")
    assert "restarted 1×" in running.rows()[name][3]


def test_a_service_whose_supervisor_was_killed_is_taken_over(deployment):
    deployment.run("start")
    old = deployment.pid("server-1")
    os.kill(deployment.pid("server-1", "supervisor"), signal.SIGKILL)
    assert "no supervisor" in deployment.rows()["server-1"][3]
    deployment.run("start")
    assert deployment.pid("server-1") != old and not living(old)
    assert "no supervisor" not in deployment.rows()["server-1"][3]


def test_stop_never_ends_a_process_that_is_not_its_own(deployment):
    deployment.run("start")
    deployment.run("stop")
    stranger = subprocess.Popen(["sleep", "60"])
    try:
        # As if the number in the file had been given to somebody else since.
        for kind in ("pid", "supervisor"):
            (deployment.state / "run" / f"server-1.{kind}").write_text(f"{stranger.pid} 12345\n")
        deployment.run("stop")
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_a_frozen_instance_is_seen_by_status_and_can_be_stopped(deployment):
    deployment.environment["STOP_TIMEOUT"] = "2"
    deployment.run("start")
    frozen = deployment.pid("server-2")
    os.kill(frozen, signal.SIGSTOP)
    result = deployment.run("status", check=False)
    assert result.returncode == 1
    assert deployment.rows()["server-2"][2] == "not answering"
    deployment.run("stop")
    assert not living(frozen)


def test_a_port_of_somebody_else_is_said_with_the_variable_to_change(deployment):
    with socket.socket() as other:
        other.bind(("127.0.0.1", deployment.redis_port))
        other.listen()
        result = deployment.run("start", check=False)
    assert result.returncode == 4
    assert str(deployment.redis_port) in result.stderr and "REDIS_PORT" in result.stderr


def test_settings_that_an_instance_refuses_are_told_before_anything_starts(deployment):
    result = deployment.run("start", check=False, STAND_IN_REFUSES="1")
    assert result.returncode == 2
    assert "told to refuse" in result.stderr and "server-1" in result.stderr
    assert not (deployment.state / "run" / "redis.pid").exists()


def test_an_instance_that_ends_at_once_is_tried_again_until_it_stays(deployment, tmp_path):
    """As one does whose id is still held by the lease of the killed one before it."""
    deployment.run("start")
    program = deployment.state / "bin" / "tandem"
    text = program.read_text()
    program.write_text(f"#!/bin/sh\ntest -e {tmp_path}/free || exit 2\n" + text)
    os.kill(deployment.pid("server-1"), signal.SIGKILL)
    time.sleep(5)
    assert not deployment.ready("server-1")
    (tmp_path / "free").touch()
    until(lambda: deployment.ready("server-1"), 10, "server-1 ready")


@pytest.mark.known_failure("C56")
def test_a_rolling_restart_loses_no_request(deployment):
    deployment.run("start")
    pids = [deployment.pid(name) for name in SERVICES]
    failures, requested, stop = [], [0], threading.Event()

    def ask():
        while not stop.is_set():
            try:
                answer = requests.get(f"{deployment.url}/api/instance", timeout=5)
                if answer.status_code != 200:
                    failures.append(answer.status_code)
            except requests.RequestException as error:
                failures.append(error)
            requested[0] += 1
            time.sleep(0.02)

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        deployment.run("restart")
    finally:
        stop.set()
        asking.join()
    assert failures == [] and requested[0] > 20
    after = [deployment.pid(name) for name in SERVICES]
    changed = [a != b for a, b in zip(pids, after)]
    assert changed == [False, True, True, False], "nginx reloads, Redis stays"


def test_one_named_service_is_restarted(deployment):
    deployment.run("start")
    pids = {name: deployment.pid(name) for name in SERVICES}
    deployment.run("restart", "redis")
    assert {name for name in SERVICES if deployment.pid(name) != pids[name]} == {"redis"}
    unknown = deployment.run("restart", "server-7", check=False)
    assert unknown.returncode == 2 and "server-1" in unknown.stderr


def test_two_copies_run_side_by_side(running, deployment):
    deployment.run("start")
    assert deployment.run("status").returncode == 0
    deployment.run("stop")
    assert running.run("status").returncode == 0


@pytest.mark.known_failure("C54")
def test_redis_evicts_nothing_and_writes_a_log(running):
    store = redis.Redis(port=running.redis_port)
    settings = store.config_get("maxmemory-policy", "appendonly", "appendfsync", "bind")
    assert settings == {
        "maxmemory-policy": "noeviction",
        "appendonly": "yes",
        "appendfsync": "everysec",
        "bind": "127.0.0.1",
    }


def test_a_redis_password_is_asked_for_and_status_knows_it(deployment):
    deployment.environment["REDIS_PASSWORD"] = "se cret'\"\\&1"
    deployment.run("start")
    with pytest.raises(redis.exceptions.AuthenticationError):
        redis.Redis(port=deployment.redis_port).ping()
    assert redis.Redis(port=deployment.redis_port, password="se cret'\"\\&1").ping()
    assert (deployment.state / "redis" / "redis.conf").stat().st_mode & 0o077 == 0


def test_a_redis_elsewhere_is_not_started_here(deployment):
    deployment.environment["REDIS_URL"] = "redis://127.0.0.1:1/0"
    deployment.run("start")
    assert list(deployment.rows()) == ["redis", *INSTANCES, "nginx"]
    assert deployment.rows()["redis"][2] == "external"
    assert not (deployment.state / "run" / "redis.pid").exists()


def test_logs_show_one_service_or_all(running):
    running.run("logs")
    alone = running.run("logs", "redis", "--lines", "5")
    assert "Redis" in alone.stdout or "Ready" in alone.stdout
    assert len(alone.stdout.splitlines()) <= 5


def test_clean_asks_and_deletes_what_it_made_only(deployment):
    deployment.run("start")
    (deployment.state / "mine.txt").write_text("kept")
    asked = deployment.run("clean", check=False)
    assert asked.returncode == 2 and (deployment.state / "redis").exists()
    pid = deployment.pid("redis")
    deployment.run("clean", "--force")
    assert not living(pid)
    assert [path.name for path in deployment.state.iterdir()] == ["mine.txt"]


@pytest.mark.parametrize(
    "arguments", [["dance"], ["start", "stop"], [], ["start", "--sideways"], ["start", "monitor"]]
)
def test_wrong_use_is_exit_code_two_and_says_why(deployment, arguments):
    result = deployment.run(*arguments, check=False)
    assert result.returncode == 2 and result.stderr.startswith("error:")


def test_bad_cluster_nodes_are_named(deployment):
    for text in ["server-1", "a=b=c", "a=h:1=u,a=h:2=u", "a=h:1=u=0", ""]:
        result = deployment.run("start", check=False, CLUSTER_NODES=text or ",")
        assert result.returncode == 2 and "CLUSTER_NODES" in result.stderr


def test_the_environment_wins_over_the_file_and_the_file_is_never_executed(deployment, tmp_path):
    trap = tmp_path / "executed"
    file = tmp_path / "settings"
    file.write_text(f'NGINX_PORT=1\nNGINX_API_PER_SECOND="7"\nLOG_LEVEL=$(touch {trap})\n')
    deployment.run("start", "--env-file", str(file))
    rendered = (deployment.state / "nginx" / "nginx.conf").read_text()
    assert f"listen 127.0.0.1:{deployment.nginx_port} " in rendered
    assert "rate=7r/s" in rendered
    assert not trap.exists()


def test_docker_is_refused_clearly_where_there_is_none(deployment, tmp_path):
    result = subprocess.run(
        [ROOT / "scripts/deploy-ha.sh", "start", "--docker"],
        env=deployment.environment | {"DOCKER_HOST": f"unix://{tmp_path}/none.sock"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert result.returncode in (1, 3)
    assert re.search("docker", result.stderr, re.IGNORECASE)


class Probe(threading.Thread):
    """Asks nginx for one path, over and over, and keeps what was no 200."""

    def __init__(self, url):
        super().__init__()
        self.url, self.failures, self.asked, self.over = url, [], 0, threading.Event()

    def run(self):
        while not self.over.is_set():
            try:
                answer = requests.get(self.url, timeout=5)
                if answer.status_code != 200:
                    self.failures.append(answer.status_code)
            except requests.RequestException as error:
                self.failures.append(error)
            self.asked += 1
            self.over.wait(0.05)

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.join()


@pytest.mark.known_failure("C55", "C56")
def test_C55_C56_a_killed_instance_returns_and_a_rolling_restart_keeps_rooms_and_no_probe_fails(
    real,
):
    real.run("start")
    with socketio.SimpleClient(reconnection=False) as host:
        host.connect(f"{real.url}?roomId=kept", transports=["websocket"])
        host.emit("create-room", {"roomId": "kept", "userName": "Ana", "password": "secreta"})
        while host.receive(timeout=10)[0] != "room-created":
            pass
    for name in INSTANCES:
        before = real.pid(name)
        os.kill(before, signal.SIGKILL)
        until(lambda: real.returned(name, before), 10, f"{name} back")
    real.settle()
    redis_pid = real.pid("redis")
    with (
        Probe(f"{real.url}/api/health") as health,
        Probe(f"{real.url}/api/all-rooms") as rooms,
        Traffic(real) as traffic,
    ):
        real.roll("--timeout", "40")
    traffic.assert_a_roll_cost_one_reconnection_for_each_instance()
    assert (health.failures, rooms.failures) == ([], [])
    assert health.asked > 50 and rooms.asked > 50
    assert real.pid("redis") == redis_pid
    listed = requests.get(f"{real.url}/api/all-rooms", timeout=5).json()["rooms"]
    assert ("kept", True) in [(room["id"], room["isProtected"]) for room in listed]


@pytest.mark.known_failure("C55")
def test_C55_every_service_of_the_containers_returns_by_itself_and_redis_has_a_volume():
    done = subprocess.run(
        ["docker-compose", "--env-file", ".env.ha", "config"],
        cwd=ROOT, capture_output=True, text=True, timeout=60,
    )
    assert done.returncode == 0, done.stderr
    part = done.stdout.split("services:\n")[1]
    blocks = re.split(r"^  (?=\S)", re.split(r"^(?=\S)", part, flags=re.M)[0], flags=re.M)[1:]
    services = {block.partition(":")[0]: block for block in blocks}
    assert set(services) >= {"nginx", "redis", *INSTANCES}
    for name, block in services.items():
        assert "    restart: unless-stopped\n" in block, name
    assert re.search(r"volumes:\n +- \w[\w-]*:/data", services["redis"]), services["redis"]
    assert "noeviction" in services["redis"]
    # Volumes go only where somebody has asked for that and confirmed it.
    lines = [
        (path.name, line.strip())
        for path in (ROOT / "scripts").rglob("*.sh")
        for line in path.read_text().splitlines()
        if re.search(r"\b(system|volume) (prune|rm)\b|\bdown\b.* (-v|--volumes)\b", line)
    ]
    assert lines == [("docker.sh", "compose --profile monitor down --volumes --remove-orphans")]
    clean = re.search(r"^docker_clean\(\) \{\n(.*?)^\}", docker_functions(), re.M | re.S)[1]
    assert "down --volumes" in clean


def docker_functions():
    return (ROOT / "scripts/lib/docker.sh").read_text()


@pytest.mark.known_failure("C49")
def test_C49_nginx_accepts_every_shape_of_its_shipped_configuration():
    done = subprocess.run(
        [ROOT / "scripts/check-nginx.sh"], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr
    shapes = ("local", "docker", "three-weighted", "behind-proxies", "origins", "open-to-all", "tls")
    for shape in shapes:
        assert re.search(rf"✓.* {shape}\b", done.stdout), f"{shape}: {done.stdout}"
    broken = "upstream x { hash $a consistent; server 127.0.0.1:1; server 127.0.0.1:2 backup; }"
    refused = judge(f"events {{}}\nhttp {{ {broken} }}\n")
    assert refused.returncode != 0 and "backup" in refused.stderr, "what the old one shipped"


def judge(configuration):
    with tempfile.NamedTemporaryFile("w", suffix=".conf") as file:
        file.write(configuration)
        file.flush()
        path = os.environ["PATH"] + ":/usr/sbin"
        return subprocess.run(
            ["nginx", "-t", "-c", file.name], capture_output=True, text=True, timeout=20,
            env=os.environ | {"PATH": path},
        )
