"""How much of everything."""

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Size:
    name: str
    users: int
    rooms: int
    instances: int

    def __post_init__(self):
        if self.users < 2 * self.rooms or self.rooms < 1:
            raise ValueError("a room needs at least two users")

    @property
    def is_full(self) -> bool:
        return self.name == "full"

    @property
    def pause(self) -> float:
        """Seconds between two edits of one member who edits."""
        return 0.5 if self.is_full else 0.1

    def of(self, users: int | None, rooms: int | None) -> "Size":
        rooms = rooms or (self.rooms if users is None else min(self.rooms, max(1, users // 2)))
        return replace(self, users=users or max(self.users, 2 * rooms), rooms=rooms)


SMALL = Size("small", users=12, rooms=3, instances=2)
FULL = Size("full", users=500, rooms=50, instances=3)
