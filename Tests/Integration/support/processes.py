"""Real processes on private ports in a folder of their own: Redis, nginx, Tandem instances.

Only processes started here are signalled, each by its number; all end with the test run, also when
that is killed.
"""

import asyncio
import contextlib
import itertools
import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

from . import http
from .ports import free_port
from .waiting import eventually

ROOT = Path(__file__).resolve().parents[3]


def tandem_binary() -> Path:
    """`TANDEM_BIN`, else what `swift build` made last."""
    named = os.environ.get("TANDEM_BIN")
    if named:
        return Path(named).resolve()
    built = [ROOT / ".build" / kind / "tandem" for kind in ("debug", "release")]
    built = [path for path in built if path.exists()]
    if not built:
        raise RuntimeError("no tandem executable: build it, or name it in TANDEM_BIN")
    return max(built, key=lambda path: path.stat().st_mtime)


_agreements = itertools.count()


class Process:
    """One child process with a log file, restartable with the same arguments."""

    def __init__(self, name: str, folder: Path, parent_death_signal: str = "KILL"):
        self.name = name
        self.folder = folder
        self.folder.mkdir(parents=True, exist_ok=True)
        self.log = folder / f"{name}.log"
        self.child: subprocess.Popen | None = None
        # Words before the command, of programs that become it: `nsenter …`, `env LD_PRELOAD=…`.
        self.wrapper: tuple = ()
        self._parent_death_signal = parent_death_signal
        self._frozen = False

    def spawn(self, command: list, env: dict | None = None, cwd: Path | None = None):
        assert not self.running, f"{self.name} runs already"
        self._frozen = False
        command = [*self.wrapper, *command]
        if shutil.which("setpriv"):
            command = ["setpriv", "--pdeathsig", self._parent_death_signal, "--", *command]
        with open(self.log, "ab") as log:
            self.child = subprocess.Popen(
                [str(part) for part in command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=env,
                cwd=cwd or self.folder,
            )

    @property
    def pid(self) -> int:
        assert self.child is not None, f"{self.name} was never started"
        return self.child.pid

    @property
    def running(self) -> bool:
        return self.child is not None and self.child.poll() is None

    @property
    def exit_code(self) -> int | None:
        return self.child.poll() if self.child else None

    def signal(self, number: int):
        assert self.running, f"{self.name} does not run"
        self.child.send_signal(number)

    def kill(self):
        """kill -9, and gone when this returns."""
        if self.running:
            self.child.kill()
            self.child.wait(10)

    def freeze(self):
        """SIGSTOP, and every thread has stopped when this returns."""
        self.signal(signal.SIGSTOP)
        self._frozen = True
        end = time.monotonic() + 5
        while not self._has_stopped():
            assert time.monotonic() < end, f"{self.name} does not stop"
            time.sleep(0.001)

    def _has_stopped(self) -> bool:
        try:
            stats = [
                (task / "stat").read_text() for task in Path(f"/proc/{self.pid}/task").iterdir()
            ]
        except OSError:  # a thread that has just ended
            return False
        return all(stat.rsplit(")", 1)[1].split()[0] == "T" for stat in stats)

    def thaw(self):
        self.signal(signal.SIGCONT)
        self._frozen = False

    def terminate(self):
        self.signal(signal.SIGTERM)

    async def ended(self, timeout: float) -> int:
        """The exit code (negative: the signal) once the process is gone."""
        await eventually(lambda: not self.running, timeout, what=f"end of {self.name}")
        return self.child.returncode

    def stop(self):
        """The end for a process that a test leaves behind in any state."""
        if not self.running:
            return
        if self._frozen:
            self.thaw()
        self.child.terminate()
        try:
            self.child.wait(3)
        except subprocess.TimeoutExpired:
            self.kill()

    def log_text(self) -> str:
        return self.log.read_text("utf-8", "replace") if self.log.exists() else ""


class Redis(Process):
    def __init__(self, folder: Path, name: str = "redis", options: tuple = ()):
        super().__init__(name, folder)
        self.port = free_port()
        self.options = options
        self.data = folder / f"{name}-data"

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}"

    async def start(self, empty: bool = False):
        if empty:
            shutil.rmtree(self.data, ignore_errors=True)
        self.data.mkdir(exist_ok=True)
        command = ["redis-server", "--port", self.port, "--bind", "127.0.0.1"]
        command += ["--dir", self.data, "--save", "", "--appendonly", "yes"]
        command += ["--appendfsync", "always", "--rdbcompression", "no"]
        command += ["--maxmemory-policy", "noeviction", *self.options]
        self.spawn(command)
        await eventually(self.answers, 20, what=f"{self.name} answers")

    def answers(self) -> bool:
        try:
            return self.command("PING") == b"+PONG"
        except (OSError, ValueError):
            return False

    def command(self, *parts: str) -> bytes:
        """The first line of the reply: enough for what tests ask."""
        wire = f"*{len(parts)}\r\n" + "".join(
            f"${len(part.encode())}\r\n{part}\r\n" for part in parts
        )
        with socket.create_connection(("127.0.0.1", self.port), timeout=5) as connection:
            connection.sendall(wire.encode())
            answer = connection.makefile("rb").readline().rstrip(b"\r\n")
        if not answer:
            raise ValueError("no answer")
        return answer

    def stored_bytes(self) -> bytes:
        """All that Redis has on disk, after a rewrite that leaves nothing out."""
        self.command("SAVE")
        files = [path for path in self.data.rglob("*") if path.is_file()]
        return b"\0".join(path.read_bytes() for path in files)


class Instance(Process):
    """One `tandem serve`."""

    def __init__(self, cluster: "Cluster", name: str, folder: Path, env: dict | None = None):
        super().__init__(name, folder)
        self.cluster = cluster
        self.host = "127.0.0.1"
        self.port = free_port()
        self.extra_env = dict(env or {})

    @property
    def upstream(self) -> str:
        return f"{self.host}:{self.port}"

    @property
    def url(self) -> str:
        return f"http://{self.upstream}"

    def environment(self, **more) -> dict:
        env = {
            key: os.environ[key]
            for key in ("PATH", "HOME", "LANG", "LD_LIBRARY_PATH")
            if key in os.environ
        }
        env |= {
            "PORT": str(self.port),
            "HOST": self.host,
            "INSTANCE_ID": self.name,
            "PUBLIC_URL": self.url,
            "CORS_ORIGINS": "http://localhost:5173,https://*.example.org",
            "LOG_LEVEL": "info",
        }
        env |= self.cluster.environment() | self.extra_env | more
        return {key: str(value) for key, value in env.items() if value is not None}

    def launch(self, **more):
        """Starts the process and does not wait for it."""
        self.spawn([tandem_binary(), "serve"], env=self.environment(**more))

    async def start(self, timeout: float = 30, **more):
        self.launch(**more)
        await self.ready(timeout)

    async def ready(self, timeout: float = 30):
        await self._answers("/api/ready", timeout)

    async def serving(self, timeout: float = 30):
        """Alive, ready or not."""
        await self._answers("/api/health", timeout)

    async def _answers(self, path: str, timeout: float):
        async def answers():
            if not self.running:
                raise AssertionError(f"{self.name} ended with {self.exit_code}:\n{self.log_text()}")
            return await http.status_of(self.url + path) == 200

        await eventually(answers, timeout, what=f"200 from {self.name}{path}")

    async def health(self) -> dict:
        return await http.get_json(self.url + "/api/health")

    async def degraded(self) -> bool:
        """What /api/health says of this instance."""
        return (await self.health()).get("status") == "degraded"

    async def owner(self, room: str) -> str:
        answer = await http.get_json(f"{self.url}/api/load-balancer?roomId={room}")
        return answer["owner"]


class Nginx(Process):
    """nginx with the project's own template."""

    def __init__(self, cluster: "Cluster", folder: Path):
        super().__init__("nginx", folder, parent_death_signal="TERM")
        self.cluster = cluster
        self.port = free_port()
        self.configuration = folder / "nginx"
        # All clients of a test run share one address. Empty: as shipped.
        self.limits = {
            "NGINX_HANDSHAKES_PER_SECOND": "5000",
            "NGINX_API_PER_SECOND": "5000",
        }

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def start(self):
        env = os.environ | {
            "CLUSTER_NODES": self.cluster.nodes(),
            "NGINX_PORT": str(self.port),
            "NGINX_HOST": "127.0.0.1",
            **self.limits,
        }
        script = ROOT / "scripts" / "render-nginx.sh"
        command = [
            "bash",
            script,
            "--local",
            "--out",
            self.configuration,
            "--env-file",
            "/dev/null",
        ]
        done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, f"render-nginx.sh: {done.stdout}{done.stderr}"
        (self.folder / "www").mkdir(exist_ok=True)
        program = shutil.which("nginx") or "/usr/sbin/nginx"
        self.spawn([program, "-p", self.configuration, "-c", self.configuration / "nginx.conf"])

        async def answers():
            assert self.running, f"nginx ended with {self.exit_code}:\n{self.log_text()}"
            return await http.status_of(self.url + "/nginx_status") == 200

        await eventually(answers, 20, what="nginx answers")


class Cluster:
    """Some instances with the same Redis (or none) and an nginx in front (or none)."""

    def __init__(
        self,
        folder: Path,
        instances: int = 2,
        redis: bool = True,
        nginx: bool = False,
        env: dict | None = None,
    ):
        self.folder = Path(folder)
        self.env = dict(env or {})
        self.redis = Redis(self.folder) if redis else None
        names = [f"server-{number + 1}" for number in range(instances)]
        self.instances = [Instance(self, name, self.folder) for name in names]
        self.nginx = Nginx(self, self.folder) if nginx else None
        self._born: dict[str, int] = {}

    def nodes(self) -> str:
        return ",".join(f"{one.name}={one.upstream}={one.url}" for one in self.instances)

    def environment(self) -> dict:
        env = {}
        if self.redis:
            env["REDIS_URL"] = self.redis.url
            env["CLUSTER_NODES"] = self.nodes()
        return env | self.env

    async def start(self, redis: bool = True) -> "Cluster":
        if self.redis and redis:
            await self.redis.start()
        for one in self.instances:
            one.launch()
        for one in self.instances:
            await (one.ready() if redis or not self.redis else one.serving())
        if self.nginx:
            await self.nginx.start()
        if self.redis and redis and len(self.instances) > 1:
            await eventually(self.agree, 20, what="every instance knows every other")
        self.note_pids()
        return self

    async def agree(self) -> bool:
        """All instances see one another ready and name the same owners, everybody of something.

        Without the first, the answer could be that of instances which have not heard of one another
        yet and name who would own a room. Each call asks for other rooms: now and then one instance
        owns twelve in a row.
        """
        for one in self.instances:
            nodes = (await http.get_json(one.url + "/api/instance"))["nodes"]
            if any(node["state"] != "ready" for node in nodes):
                return False
        rooms = [f"agreement-{next(_agreements)}" for _ in range(12)]
        views = [[await one.owner(room) for room in rooms] for one in self.instances]
        names = {one.name for one in self.instances}
        return all(view == views[0] for view in views) and set(views[0]) == names

    @property
    def processes(self) -> list[Process]:
        return [one for one in (self.nginx, *self.instances, self.redis) if one]

    def note_pids(self):
        self._born = {one.name: one.pid for one in self.instances if one.running}

    def assert_all_alive(self):
        """No instance that was noted has ended or been started anew."""
        for one in self.instances:
            if one.name in self._born:
                assert one.running, f"{one.name} ended with {one.exit_code}"
                assert one.pid == self._born[one.name], f"{one.name} was started anew"

    @contextlib.contextmanager
    def served(self):
        """The cluster started, for tests that share it and leave every instance alive."""
        try:
            asyncio.run(self.start())
            yield self
            self.assert_all_alive()
        finally:
            self.stop()

    def named(self, name: str) -> Instance:
        return next(one for one in self.instances if one.name == name)

    def others(self, instance: Instance) -> list[Instance]:
        return [one for one in self.instances if one is not instance]

    async def serving(self, room: str) -> Instance:
        """The instance to which nginx sends this room."""
        return self.named(await self.instances[0].owner(room))

    async def room_owned_by(self, instance: Instance, prefix: str) -> str:
        """A room id that the ring gives to this instance."""
        asked = next(one for one in self.instances if one.running)
        for number in range(200):
            room = f"{prefix}-{number}"
            if await asked.owner(room) == instance.name:
                return room
        raise AssertionError(f"the ring gives none of 200 rooms to {instance.name}")

    def stop(self):
        """At once: nobody waits for a drain."""
        for one in (*self.instances, self.redis):
            if one:
                one.kill()
        if self.nginx:
            self.nginx.stop()

    def logs(self, lines: int = 40) -> list[tuple[str, str]]:
        """The end of each log, for the report of a failed test."""
        ends = []
        for one in self.processes:
            text = "\n".join(one.log_text().splitlines()[-lines:])
            state = "running" if one.running else f"ended with {one.exit_code}"
            ends.append((f"{one.name} ({state}) {one.log}", text))
        return ends


def run_tandem(*arguments: str, env: dict | None = None, timeout: float = 60):
    """One run of the executable to its end."""
    clean = {
        key: os.environ[key] for key in ("PATH", "HOME", "LD_LIBRARY_PATH") if key in os.environ
    }
    return subprocess.run(
        [str(tandem_binary()), *arguments],
        env=clean | (env or {}),
        capture_output=True,
        text=True,
        timeout=timeout,
    )
