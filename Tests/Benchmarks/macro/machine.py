"""What the numbers were measured on."""

import os
import platform
import re
import subprocess
import time
from pathlib import Path

from support.processes import ROOT, tandem_binary


def _said(*command: str) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=ROOT)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return (done.stdout or done.stderr).strip() if done.returncode == 0 else ""


def _cpu() -> str:
    models = re.findall(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return f"{os.cpu_count()} × {models[0] if models else platform.machine()}"


def times() -> tuple[float, float]:
    """Seconds of CPU so far: busy with anything, and stolen by the host."""
    fields = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]
    ticks = [int(field) / os.sysconf("SC_CLK_TCK") for field in fields]
    user, nice, system, _, _, irq, softirq, steal = ticks[:8]
    return user + nice + system + irq + softirq, steal


def busy_share(seconds: float = 2) -> float:
    """How busy the machine is without us, of all its cores."""
    before, _ = times()
    time.sleep(seconds)
    after, _ = times()
    return (after - before) / seconds / (os.cpu_count() or 1)


def facts() -> list[tuple[str, str]]:
    memory = re.search(r"MemTotal:\s+(\d+)", Path("/proc/meminfo").read_text())
    gib = f", {int(memory.group(1)) / 2**20:.0f} GiB" if memory else ""
    commit = _said("git", "rev-parse", "--short", "HEAD")
    changed = _said("git", "status", "--porcelain", "--", "Sources", "Package.swift")
    version = re.search(r"Swift version (\S+)", _said("swift", "--version"))
    redis = re.search(r"v=(\S+)", _said("redis-server", "--version"))
    return [
        ("machine", _cpu() + gib),
        ("kernel", platform.release()),
        ("Swift", version.group(1) if version else "?"),
        ("Redis", redis.group(1) if redis else "?"),
        ("commit", commit + (" and changes on it" if changed else "")),
        ("program", f"{tandem_binary().stat().st_size / 1e6:.0f} MB"),
        ("measured", time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())),
    ]
