"""What lies in Redis and what passes through it, for tests that look for what must not be there."""

import socket
import threading

import redis


def client(port: int, **options) -> redis.Redis:
    return redis.Redis(port=port, socket_timeout=5, **options)


def stored_values(port: int) -> dict[bytes, bytes]:
    """Every key with all that it holds, as one run of bytes each."""
    store = client(port)
    return {key: repr_of(store, key) for key in store.scan_iter()}


def repr_of(store: redis.Redis, key: bytes) -> bytes:
    kind = store.type(key)
    if kind == b"hash":
        parts = [part for pair in store.hgetall(key).items() for part in pair]
    elif kind == b"stream":
        parts = [p for _, fields in store.xrange(key) for pair in fields.items() for p in pair]
    elif kind == b"string":
        parts = [store.get(key) or b""]
    elif kind == b"none":
        parts = []
    else:
        raise AssertionError(f"{key}: nobody has taught this test to read a {kind}")
    return b"\0".join(parts)


class Monitor:
    """All commands that a Redis is sent while this is open, as MONITOR tells them."""

    def __init__(self, port: int):
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=5)
        self._socket.sendall(b"*1\r\n$7\r\nMONITOR\r\n")
        assert self._socket.recv(5) == b"+OK\r\n"
        self._socket.settimeout(None)
        self._heard = bytearray()
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def _listen(self):
        try:
            while data := self._socket.recv(65_536):
                self._heard += data
        except OSError:
            pass

    @property
    def heard(self) -> bytes:
        return bytes(self._heard)

    def close(self):
        self._socket.close()
