"""A wall clock that can be moved under a running process, by libfaketime (Debian: libfaketime).

Monotonic clocks are left alone, as a real jump of the wall clock leaves them.
"""

import os
from pathlib import Path

from support.processes import Process

LIBRARIES = ("/usr/lib/*/faketime/libfaketime.so.1", "/usr/lib/faketime/libfaketime.so.1")


def library() -> str:
    for pattern in LIBRARIES:
        for path in sorted(Path("/").glob(pattern[1:])):
            return str(path)
    raise FileNotFoundError("libfaketime is not installed: apt-get install libfaketime")


class FakeClock:
    """The wall clock of one process."""

    def __init__(self, process: Process, folder: Path):
        self.file = folder / f"{process.name}.clock"
        self.jump(0)
        process.wrapper = (
            "env",
            # With glibc's malloc in front: jemalloc, which Redis is linked to, asks for the time
            # while libfaketime is still being set up.
            f"LD_PRELOAD={library()}:libc.so.6",
            f"FAKETIME_TIMESTAMP_FILE={self.file}",
            "FAKETIME_NO_CACHE=1",
            "DONT_FAKE_MONOTONIC=1",
        )

    def jump(self, seconds: int):
        """From now on the clock is that much ahead of the true time (behind, if negative)."""
        new = self.file.with_suffix(".new")
        new.write_text(f"{seconds:+d}\n")
        os.replace(new, self.file)
