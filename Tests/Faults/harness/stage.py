"""The processes and clients of one experiment, in a folder of their own, gone when it is over."""

import itertools
import os
import random
import shutil
import sys
import tempfile
import time
from pathlib import Path

from support import http
from support.people import People
from support.processes import Cluster, Instance
from support.waiting import eventually

LEAST_ROOM = 2**30  # bytes

_rooms = itertools.count(random.randrange(10_000, 90_000))


def new_room(prefix: str = "room") -> str:
    """A room id that no other experiment uses."""
    return f"{prefix}-{next(_rooms)}"


def say(text: str):
    """Progress, for people who wait."""
    print(f"      {time.strftime('%H:%M:%S')}  {text}", file=sys.stderr, flush=True)


def new_folder() -> Path:
    """In memory where there is room: each commit waits until Redis has written it to a disk that
    others may keep busy for seconds, and how long that takes is none of the promises. Redis keeps
    its file over a kill -9 all the same."""
    memory = Path("/dev/shm")
    has_room = memory.is_dir() and shutil.disk_usage(memory).free > LEAST_ROOM
    return Path(tempfile.mkdtemp(prefix="tandem-faults-", dir=memory if has_room else None))


class Stage:
    """`async with Stage(instances=2, nginx=True) as stage:`; options are those of Cluster."""

    keeps_logs = False  # something was not as promised

    def __init__(self, *, start: bool = True, **options):
        self.folder = new_folder()
        self.cluster = Cluster(self.folder, **options)
        for one in self.cluster.instances:
            if "LOG_LEVEL" in os.environ:
                one.extra_env["LOG_LEVEL"] = os.environ["LOG_LEVEL"]
        self.people = People()
        self.more = []  # other processes to end
        self._start = start

    async def __aenter__(self) -> "Stage":
        if self._start:
            try:
                await self.cluster.start()
            except BaseException:
                await self.__aexit__(*sys.exc_info())
                raise
        return self

    async def __aexit__(self, kind, problem, trace):
        await self.people.leave()
        self.cluster.stop()
        for process in self.more:
            process.stop()
        if kind is None and not Stage.keeps_logs:
            shutil.rmtree(self.folder, ignore_errors=True)
        else:
            print(f"      logs are kept in {self.folder}", file=sys.stderr)

    @property
    def instances(self) -> list[Instance]:
        return self.cluster.instances

    async def is_degraded(self, wanted: bool = True) -> bool:
        """What every instance says of itself."""
        states = [await one.degraded() for one in self.instances if one.running]
        return all(state == wanted for state in states)

    async def is_well(self) -> bool:
        """Every instance is ready, and healthy."""
        for one in self.instances:
            if await http.status_of(one.url + "/api/ready") != 200:
                return False
        return await self.is_degraded(False)

    async def bring_all_back(self):
        """Those that were killed; none if the attempt failed before."""
        for instance in self.instances:
            if not instance.running:
                await self.bring_back(instance)

    async def bring_back(self, instance: Instance):
        """Starts a killed instance, and waits until all know it."""
        await instance.start()
        await eventually(self.cluster.agree, 20, what="every instance knows every other")
        self.cluster.note_pids()


def instance_of(socket) -> str:
    """Which instance holds a connection: the first part of its session's id."""
    return socket.open_packet["sid"].rsplit(".", 1)[0]
