"""Free ports for the processes of a test run."""

import os
import random
import socket

_given: set[int] = set()


def port_range() -> tuple[int, int]:
    """The range to draw from: below the system's own ephemeral ports, so that no outgoing
    connection takes a listener's port while it restarts."""
    low, high = os.environ.get("TANDEM_TEST_PORTS", "21800-22999").split("-")
    return int(low), int(high)


def free_port() -> int:
    """A port of the range on which nobody listens, never given twice in one run."""
    low, high = port_range()
    candidates = [port for port in range(low, high + 1) if port not in _given]
    random.shuffle(candidates)
    for port in candidates:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        _given.add(port)
        return port
    raise RuntimeError(f"no free port between {low} and {high}")
