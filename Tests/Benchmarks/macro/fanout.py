"""Deliveries a CPU-second: one message in flight, and many; the peer; two instances."""

from .context import Context, note_of, paces
from .result import compared, median
from .servers import Durable, Embedded, Floor, Pair, Peer

PAYLOAD = 200
SATURATED = 16


def _options(context: Context, rooms: int, members: int, in_flight: int) -> dict:
    return {
        "rooms": rooms,
        "members": members,
        "senders": 1,
        "in_flight": in_flight,
        "bytes": PAYLOAD,
        "warmup": context.plan.warmup,
        "duration": context.plan.seconds,
        "settle": context.plan.settle,
    }


def fanout(context: Context):
    """One message in flight a sender, embedded and with Redis."""
    for rooms, members in context.plan.rooms:
        kinds = [Floor, Embedded, Durable]
        samples = context.in_turn(kinds, "fanout", **_options(context, rooms, members, 1))
        rates = {kind: paces(samples[kind]) for kind in kinds}
        for kind in kinds:
            context.pace[kind.name, members] = median(rates[kind])
        context.add(
            compared(
                "fan-out", f"rooms of {members}, embedded", rates[Embedded], rates[Floor],
                "deliveries/CPU-s", at_least=0.80, note=note_of(samples[Embedded]),
            )
        )  # fmt: skip
        context.add(
            compared(
                "fan-out", f"rooms of {members}, with Redis", rates[Durable], rates[Floor],
                "deliveries/CPU-s", at_least=0.60 if members >= 200 else 0.35,
                note=_of_redis(samples[Durable]),
            )
        )  # fmt: skip


def _of_redis(samples) -> str:
    """What Redis itself needed, which is not in the row's number."""
    shares = sorted(sample.redis_cpu_seconds / sample.cpu_seconds for sample in samples)
    return f"Redis itself: {shares[len(shares) // 2]:.2f} × the instance's CPU"


def saturation(context: Context):
    for rooms, members in context.plan.rooms:
        kinds = [Floor, Embedded]
        samples = context.in_turn(kinds, "fanout", **_options(context, rooms, members, SATURATED))
        mine, theirs = (paces(samples[kind]) for kind in (Embedded, Floor))
        context.add(
            compared(
                "saturation", f"rooms of {members}, {SATURATED} in flight", mine, theirs,
                "deliveries/CPU-s", at_least=8, note=note_of(samples[Embedded]),
            )
        )  # fmt: skip


def peer(context: Context):
    """python-socketio on uvicorn, as anyone can install it."""
    for rooms, members in context.plan.rooms:
        kinds = [Peer, Embedded]
        samples = context.in_turn(kinds, "fanout", 1, **_options(context, rooms, members, 1))
        mine, theirs = (paces(samples[kind]) for kind in (Embedded, Peer))
        context.add(
            compared(
                "peer", f"fan-out, rooms of {members}, one in flight", mine, theirs,
                "deliveries/CPU-s", note=note_of(samples[Embedded], samples[Peer]),
            )
        )  # fmt: skip


def cross(context: Context):
    """What a delivery costs when all but the sender are on another instance, CPU of both."""
    for rooms, members in context.plan.cross:
        options = _options(context, rooms, members, 1)
        one, two = [], []
        for _ in range(context.plan.repeats):
            one.append(context.sample(Durable, "fanout", **options))
            two.append(context.sample(Pair, "cross", **options))
        cost = [[1e6 / rate for rate in paces(samples)] for samples in (two, one)]
        context.add(
            compared(
                "cross-instance", f"rooms of {members} on two instances", *cost, "µs/delivery",
                at_most=1.3, note=note_of(one, two),
            )
        )  # fmt: skip
