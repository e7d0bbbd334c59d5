"""nginx's consistent hash, a third time, from its description: for comparison only."""

import bisect
import zlib

POINTS = 160


class Ring:
    """`servers`: (name as the configuration spells it, weight)."""

    def __init__(self, servers: list[tuple[str, int]]):
        points = []
        for name, weight in servers:
            host, _, port = name.rpartition(":")
            base = zlib.crc32(host.encode() + b"\0" + port.encode())
            last = 0
            for _ in range(POINTS * weight):
                last = zlib.crc32(last.to_bytes(4, "little"), base)
                points.append((last, name))
        points.sort(key=lambda point: point[0])
        # Of several servers at one point the first in the sorted order stays.
        before = [None, *(point for point, _ in points)]
        self._points = [point for point, last in zip(points, before) if point[0] != last]
        self._keys = [point for point, _ in self._points]

    def owner(self, key: str) -> str:
        place = bisect.bisect_left(self._keys, zlib.crc32(key.encode()))
        return self._points[place % len(self._points)][1]
