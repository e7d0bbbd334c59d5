"""python-socketio's last client of Engine.IO 3, in a process of its own.

`scripts/test.sh` puts its packages into a folder beside the others; by hand:

    pip install --target .venv-test/old-clients --no-deps \\
        -r Tests/Integration/requirements-old-clients.txt
"""

import asyncio
import itertools
import json
import os
import sys
import time
from pathlib import Path

from .processes import ROOT
from .stock import TRANSPORTS, Hearing
from .wire import Event

# As a module: a script would find the packages of this folder before those of the language.
PROGRAM = ["-m", "support.old_client"]
HOME = Path(__file__).parents[1]


def packages() -> Path:
    """`TANDEM_OLD_CLIENTS`, else where `scripts/test.sh` puts them."""
    folder = Path(os.environ.get("TANDEM_OLD_CLIENTS") or ROOT / ".venv-test" / "old-clients")
    assert (folder / "socketio").is_dir(), f"no old clients in {folder}; see {__file__}"
    return folder


class OldClient(Hearing):
    """Keeps what the process hears. `transport`: a key of TRANSPORTS."""

    def __init__(self, transport: str = "websocket", reconnection: bool = False):
        super().__init__()
        self.transport = transport
        self.options = ["--reconnect"] if reconnection else []
        self.sid = ""
        self.current_transport = ""
        self._answers: dict[int, asyncio.Future] = {}
        self._numbers = itertools.count(1)
        self._state: asyncio.Future | None = None

    async def connect(self, url: str, room: str | None = None) -> "OldClient":
        """Connected to the main namespace, or refused there: see `refusal`."""
        self.process = await asyncio.create_subprocess_exec(
            sys.executable,
            *PROGRAM,
            *self.options,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env=os.environ | {"PYTHONPATH": str(packages())},
            cwd=HOME,
            limit=1 << 26,
        )
        self._reader = asyncio.ensure_future(self._read())
        address = f"{url}?roomId={room}" if room else url
        await self._command("connect", url=address, transports=TRANSPORTS[self.transport])
        await self.wait("connect", "connect_error", "failed", timeout=20)
        await self.look()
        return self

    @property
    def refusal(self) -> tuple | None:
        """The arguments of `connect_error`."""
        return next((one.args for one in self.events if one.name == "connect_error"), None)

    @property
    def is_connected(self) -> bool:
        names = {event.name for event in self.events}
        return "connect" in names and not names & {"disconnect", "connect_error", "failed"}

    async def look(self):
        """Reads anew what the client takes for its id, and its transport."""
        self._state = asyncio.get_running_loop().create_future()
        await self._command("look")
        state = await asyncio.wait_for(self._state, 10)
        self.sid, self.current_transport = state["sid"], state["transport"]

    async def emit(self, name: str, *args):
        await self._command("emit", name=name, args=args)

    async def call(self, name: str, *args, timeout: float = 10):
        """The answer of the ack callback."""
        number = next(self._numbers)
        self._answers[number] = asyncio.get_running_loop().create_future()
        await self._command("emit", name=name, args=args, call=number)
        answer = await asyncio.wait_for(self._answers[number], timeout)
        return answer[0] if len(answer) == 1 else tuple(answer)

    async def close(self):
        if self.process.returncode is None:
            try:
                await self._command("close")
                await asyncio.wait_for(self.process.wait(), 5)
            except (TimeoutError, ConnectionError):
                self.process.kill()
                await self.process.wait()
        await self._reader

    async def _command(self, do: str, **more):
        self.process.stdin.write(json.dumps({"do": do} | more).encode() + b"\n")
        await self.process.stdin.drain()

    async def _read(self):
        while text := await self.process.stdout.readline():
            line = json.loads(text)
            if "call" in line:
                self._answers.pop(line["call"]).set_result(line["answer"])
            elif "state" in line:
                self._state.set_result(line["state"])
            elif "failed" in line:
                await self.heard(Event(time.monotonic(), "failed", [line["failed"]]))
            else:
                await self.heard(Event(time.monotonic(), line["heard"], line["args"]))
