"""Delivery latency while half of a core is busy, at a steady rate that waits for nobody."""

from dataclasses import dataclass

from .context import Context, note_of
from .fanout import PAYLOAD
from .result import compared, median, microseconds
from .servers import Durable, Embedded, Floor, Server

ROOMS, MEMBERS = 100, 10
HALF, NEAR, FAR = 0.5, 0.04, 0.1


@dataclass
class Load:
    """Messages a second, of all rooms together."""

    rate: float
    share: float

    @property
    def distance(self) -> float:
        return abs(self.share - HALF)


def _sample(context: Context, kind: type[Server], rate: float):
    return context.sample(
        kind, "fanout", rooms=ROOMS, members=MEMBERS, senders=1, rate=round(rate / ROOMS, 3),
        bytes=PAYLOAD, warmup=context.plan.warmup, duration=context.plan.seconds,
        settle=context.plan.settle,
    )  # fmt: skip


def _share(sample) -> float:
    return sample.cpu_seconds / sample["seconds"]


def half_busy(context: Context, kind: type[Server]) -> Load:
    """The rate at which a server keeps half of its core busy."""
    pace = context.pace.get((kind.name, MEMBERS), 60_000)
    rate = HALF * pace / (MEMBERS - 1)
    tried = []
    for _ in range(context.plan.searches):
        load = Load(rate, _share(_sample(context, kind, rate)))
        context.say(f"{kind.name}: {load.rate:.0f} messages/s keep {load.share:.0%} busy")
        tried.append(load)
        if load.distance <= NEAR:
            break
        rate = load.rate * min(max(HALF / max(load.share, 0.05), 0.4), 2.5)
    return min(tried, key=lambda load: load.distance, default=Load(rate, 0))


def latency(context: Context):
    loads = {kind: half_busy(context, kind) for kind in (Floor, Embedded, Durable)}
    runs: dict[str, list] = {"floor": []}
    for _ in range(context.plan.repeats):
        runs["floor"].append(_sample(context, Floor, loads[Floor].rate))
        for kind in (Embedded, Durable):
            runs.setdefault(kind.name, []).append(_sample(context, kind, loads[kind].rate))
            same = f"floor at the rate of {kind.name}"
            runs.setdefault(same, []).append(_sample(context, Floor, loads[kind].rate))

    def p99(name: str) -> list[float]:
        return [sample["latency_us"]["p99"] for sample in runs[name]]

    for kind, bound in ((Embedded, 1.5), (Durable, 2.5)):
        share = median([_share(sample) for sample in runs[kind.name]])
        word = f"p99 at {share:.0%} of a core, {kind.name}"
        result = compared(
            "latency", f"{word}; yardstick at its own {HALF:.0%}", p99(kind.name), p99("floor"),
            "", at_most=bound, text=microseconds, note=note_of(runs[kind.name]),
        )  # fmt: skip
        if abs(share - HALF) > FAR:
            result.met, result.note = None, "not measured: half of a core was not reached"
        context.add(result)
        context.add(
            compared(
                "latency", f"the same; yardstick at the same {loads[kind].rate:,.0f} messages/s",
                p99(kind.name), p99(f"floor at the rate of {kind.name}"), "", text=microseconds,
            )
        )  # fmt: skip
