"""How much is measured."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Plan:
    repeats: int
    warmup: float
    seconds: float
    """Of each run."""
    settle: float
    """Between the last join and the first message: a member that was sent a scene is given time to
    apply it, and meanwhile only the newest state of an object."""
    rooms: tuple[tuple[int, int], ...]
    """(rooms, members of each) of the fan-out; about as many members in all."""
    cross: tuple[tuple[int, int], ...]
    idle: int
    """Connections that do nothing."""
    connections: int
    """As many as the descriptors allow."""
    searches: int
    """Runs in search of the rate that keeps a core half busy; 0 takes the first guess."""
    stored_rooms: int
    large_room: int
    scene_megabytes: tuple[int, ...]
    starts: int


FULL = Plan(
    repeats=3,
    warmup=1,
    seconds=4,
    settle=1.5,
    rooms=((100, 10), (5, 200), (1, 1000)),
    cross=((20, 50), (5, 200)),
    idle=10_000,
    connections=19_000,
    searches=5,
    stored_rooms=100_000,
    large_room=5_000,
    scene_megabytes=(1, 5, 15),
    starts=10,
)

# So that the script cannot rot: numbers of it say little.
QUICK = Plan(
    repeats=1,
    warmup=0.2,
    seconds=0.6,
    settle=1,
    rooms=((10, 10),),
    cross=((2, 50),),
    idle=500,
    connections=1_000,
    searches=0,
    stored_rooms=500,
    large_room=500,
    scene_megabytes=(1,),
    starts=2,
)
