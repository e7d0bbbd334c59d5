"""Fixtures: a folder of its own, ports of its own, and deploy-ha.sh with a stand-in server."""

import os
import pathlib
import shutil
import stat
import subprocess
import sys
import time

import pytest
import requests

from support.ports import free_port

pytest_plugins = ["known_failures"]

ROOT = pathlib.Path(__file__).resolve().parents[2]
HERE = pathlib.Path(__file__).resolve().parent
INSTANCES = ("server-1", "server-2")


def living(pid):
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def until(condition, seconds=10.0, what="the condition"):
    """Waits for a true answer and returns it with the seconds that it took."""
    started = time.monotonic()
    while True:
        answer = condition()
        if answer:
            return answer, time.monotonic() - started
        assert time.monotonic() - started < seconds, f"{what} not within {seconds} s"
        time.sleep(0.05)


class Deployment:
    """One copy of the whole, in its own folder and on its own ports."""

    def __init__(self, folder, **settings):
        self.state = folder / "state"
        one, two, self.nginx_port, self.redis_port = (free_port() for _ in range(4))
        self.ports = dict(zip(INSTANCES, (one, two)))
        program = folder / "tandem"
        program.write_text(f'#!/bin/sh\nexec {sys.executable} {HERE / "stand_in.py"} "$@"\n')
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        nodes = ",".join(
            f"{name}=127.0.0.1:{port}=http://localhost:{port}" for name, port in self.ports.items()
        )
        clean = {k: v for k, v in os.environ.items() if not k.startswith(("NGINX_", "REDIS_"))}
        self.environment = clean | {
            "TANDEM_BIN": str(program),
            "TANDEM_STATE_DIR": str(self.state),
            "CLUSTER_NODES": nodes,
            "NGINX_PORT": str(self.nginx_port),
            "REDIS_PORT": str(self.redis_port),
            "START_TIMEOUT": "40",
            "STOP_TIMEOUT": "5",
            **settings,
        }

    @property
    def url(self):
        return f"http://127.0.0.1:{self.nginx_port}"

    def instance_url(self, name):
        return f"http://127.0.0.1:{self.ports[name]}"

    def run(self, *arguments, check=True, script="deploy-ha.sh", **settings):
        result = subprocess.run(
            [ROOT / "scripts" / script, "--local", *arguments],
            env=self.environment | settings,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert not check or result.returncode == 0, result.stdout + result.stderr
        return result

    def roll(self, *arguments, **options):
        return self.run(*arguments, script="rolling-restart.sh", **options)

    def pid(self, service, kind="pid"):
        """The process of a service, or with kind="supervisor" the one that watches it."""
        return int((self.state / "run" / f"{service}.{kind}").read_text().split()[0])

    def returned(self, service, before):
        """Whether a service runs anew and is well."""
        try:
            pid = self.pid(service)
        except (FileNotFoundError, IndexError):
            return False
        return pid != before and self.rows()[service][2] in ("up", "ready")

    def rows(self):
        """The table of `status`: {service: (pid, port, health, detail)}."""
        lines = self.run("status", check=False).stdout.splitlines()
        assert lines[0].split() == ["SERVICE", "PID", "PORT", "HEALTH", "DETAIL"]
        starts = [lines[0].index(word) for word in lines[0].split()] + [None]
        cells = [
            [line[a:b].strip() for a, b in zip(starts, starts[1:])] for line in lines[1:]
        ]
        return {row[0]: tuple(row[1:]) for row in cells}

    def settle(self):
        """Both instances ready, and nginx has forgotten failures (fail_timeout=3s)."""
        for name in INSTANCES:
            until(lambda: self.ready(name), 20, f"{name} ready")
        time.sleep(3.2)

    def ready(self, name):
        try:
            return requests.get(f"{self.instance_url(name)}/api/ready", timeout=1).ok
        except requests.RequestException:
            return False

    def remove(self):
        if self.state.exists():
            self.run("clean", "--force", check=False)
            shutil.rmtree(self.state, ignore_errors=True)


@pytest.fixture
def deployment(tmp_path):
    tmp_path.chmod(0o755)
    one = Deployment(tmp_path)
    yield one
    one.remove()


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    """A started deployment that the tests of a module share; each leaves it as it found it."""
    one = Deployment(tmp_path_factory.mktemp("running"))
    one.run("start")
    yield one
    one.remove()


@pytest.fixture
def real(tmp_path):
    """A deployment of the program itself, where the others run a stand-in."""
    tmp_path.chmod(0o755)
    built = [ROOT / ".build" / kind / "tandem" for kind in ("debug", "release")]
    program = os.environ.get("TANDEM_BIN") or next(str(path) for path in built if path.exists())
    one = Deployment(tmp_path, TANDEM_BIN=program, STOP_TIMEOUT="20", START_TIMEOUT="30")
    yield one
    one.remove()
