"""A network of its own for one instance, joined to ours by a pair of virtual cards, so that packets
can be dropped in either direction without anybody being told.

The namespace belongs to a process that sleeps, and goes with it, however this run ends. Needs root;
see `Link.problem`.
"""

import os
import shutil
import subprocess
import time
from pathlib import Path

from support.processes import Process

TABLE = "ip tandem_faults"
TRIAL = "ip link add name td0 type veth peer name td1 && nft list tables"


def run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=10)
    if done.returncode:
        raise OSError(f"{' '.join(command)}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


class Link(Process):
    """`inside` is the instance's address, `outside` ours."""

    _made = 0

    def __init__(self, folder: Path):
        Link._made += 1
        super().__init__(f"network-{Link._made}", folder)
        # A /30 of a private range, by this process's number: several runs at once do not meet.
        number = (os.getpid() * 8 + Link._made) % 16_000
        net = f"10.231.{number // 64}"
        self.outside, self.inside = f"{net}.{number % 64 * 4 + 1}", f"{net}.{number % 64 * 4 + 2}"
        self.card = f"td{os.getpid() % 100_000}x{Link._made}"

    @staticmethod
    def problem() -> str:
        """Why this machine has none of this; empty where it works."""
        for tool in ("ip", "nft", "unshare", "nsenter"):
            if not shutil.which(tool, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin"):
                return f"there is no {tool}"
        if os.geteuid() != 0:
            return "not root"
        done = subprocess.run(
            ["unshare", "--net", "sh", "-c", TRIAL],
            capture_output=True,
            text=True,
        )
        return done.stderr.strip() if done.returncode else ""

    def start(self):
        ours = os.readlink("/proc/self/ns/net")
        self.spawn(["unshare", "--net", "--", "sleep", "infinity"])
        end = time.monotonic() + 5
        while True:
            theirs = os.readlink(f"/proc/{self.pid}/ns/net")
            if "sleep" in Path(f"/proc/{self.pid}/comm").read_text() and theirs != ours:
                break
            assert self.running and time.monotonic() < end, "no namespace"
            time.sleep(0.01)
        run("ip", "link", "add", self.card, "type", "veth", "peer", "name", "out", "netns",
            str(self.pid))  # fmt: skip
        run("ip", "addr", "add", f"{self.outside}/30", "dev", self.card)
        run("ip", "link", "set", self.card, "up")
        self.within("ip", "addr", "add", f"{self.inside}/30", "dev", "out")
        self.within("ip", "link", "set", "out", "up")
        self.within("ip", "link", "set", "lo", "up")

    @property
    def entry(self) -> tuple:
        """Words before a command that is to live inside."""
        return ("nsenter", f"--net=/proc/{self.pid}/ns/net", "--")

    def within(self, *command: str) -> str:
        return run(*self.entry, *command)

    # --- faults: what goes to or comes from a port of ours vanishes ----------------------------

    def drop(self, port: int, *, requests: bool = True, replies: bool = True):
        self.heal()
        rules = []
        if requests:
            rules.append(f"chain out {{ type filter hook output priority 0; "
                         f"tcp dport {port} drop; }}")  # fmt: skip
        if replies:
            rules.append(f"chain in {{ type filter hook input priority 0; "
                         f"tcp sport {port} drop; }}")  # fmt: skip
        self.within("nft", "\n".join([f"table {TABLE} {{", *rules, "}"]))

    def unplug(self):
        """The whole network of the instance is gone."""
        self.within("ip", "link", "set", "out", "down")

    def heal(self):
        if TABLE in self.within("nft", "list", "tables"):
            self.within("nft", "delete", "table", *TABLE.split())
        self.within("ip", "link", "set", "out", "up")
