"""A primary, its replicas and the Sentinels that watch them, as processes of their own."""

import asyncio
from pathlib import Path

from .ports import free_port
from .processes import Process, Redis
from .redis_watch import client
from .waiting import eventually

NAME = "rooms"
# Sentinel looks at everything more often than by default, or a failover would take half a minute.
PERIODS = ("info-period", 500, "publish-period", 300, "ask-period", 200, "ping-period", 200)


class Sentinel(Process):
    """`redis-server --sentinel`, watching one primary."""

    def __init__(self, folder: Path, name: str, primary: int, quorum: int):
        super().__init__(name, folder)
        self.port = free_port()
        self.file = folder / f"{name}.conf"
        self.file.write_text(
            f"port {self.port}\nbind 127.0.0.1\ndir {folder}\n"
            f"sentinel monitor {NAME} 127.0.0.1 {primary} {quorum}\n"
            f"sentinel down-after-milliseconds {NAME} 1000\n"
            f"sentinel failover-timeout {NAME} 2000\n"
            f"sentinel parallel-syncs {NAME} 2\n"
        )

    def start(self):
        self.spawn(["redis-server", self.file, "--sentinel"])

    def ask(self, *question):
        with client(self.port) as store:
            return store.execute_command("SENTINEL", *question)

    def knows(self, replicas: int, sentinels: int) -> bool:
        """Whether it has found the others."""
        try:
            with client(self.port) as store:
                state = store.sentinel_master(NAME)
        except OSError:
            return False
        return (
            state["num-slaves"] >= replicas
            and state["num-other-sentinels"] >= sentinels
            and state["flags"] == "master"
        )


class SentinelSet:
    """One primary, two replicas, three Sentinels."""

    def __init__(self, folder: Path):
        self.folder = folder
        quiet = ("--repl-diskless-sync-delay", "0", "--repl-ping-replica-period", "1")
        primary = Redis(folder, "redis-1", quiet)
        source = ("--replicaof", f"127.0.0.1 {primary.port}")
        others = [Redis(folder, f"redis-{number}", (*quiet, *source)) for number in (2, 3)]
        self.servers = [primary, *others]
        self.sentinels: list[Sentinel] = []

    @property
    def variable(self) -> str:
        """For REDIS_SENTINELS."""
        return f"{NAME}@" + ",".join(f"127.0.0.1:{one.port}" for one in self.sentinels)

    async def start(self):
        await asyncio.gather(*(one.start() for one in self.servers))
        await eventually(self.replicated, 15, what="the replicas are linked")
        self.sentinels = [
            Sentinel(self.folder, f"sentinel-{number}", self.servers[0].port, quorum=2)
            for number in (1, 2, 3)
        ]
        for one in self.sentinels:
            one.start()
        await eventually(
            lambda: all(one.knows(2, 2) for one in self.sentinels), 20, what="Sentinels agree"
        )
        for one in self.sentinels:
            one.ask("DEBUG", *PERIODS)

    def replicated(self) -> bool:
        return all(
            store_info(one, "replication").get("master_link_status") == "up"
            for one in self.servers[1:]
        )

    def cut_off_replicas(self):
        """They hear nothing of the primary from now on, as if the line to them were lost."""
        for one in self.servers[1:]:
            store = client(one.port)
            store.config_set("masteruser", "nobody")
            store.config_set("masterauth", "nothing")
        client(self.servers[0].port).execute_command("CLIENT", "KILL", "TYPE", "replica")

    def primary(self) -> Redis:
        """Whom most Sentinels name."""
        named = [int(one.ask("GET-MASTER-ADDR-BY-NAME", NAME)[1]) for one in self.sentinels]
        port = max(set(named), key=named.count)
        return next(one for one in self.servers if one.port == port)

    def stop(self):
        for one in (*self.sentinels, *self.servers):
            one.kill()


def store_info(server: Redis, section: str) -> dict:
    with client(server.port) as store:
        return store.info(section)


def connected(server: Redis) -> set[str]:
    """The names of the clients that a server has."""
    with client(server.port) as store:
        return {one["name"] for one in store.client_list() if one["name"]}
