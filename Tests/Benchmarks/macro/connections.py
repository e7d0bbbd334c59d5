"""What a connection costs: to open, to come and go with, to keep."""

from .context import Context, middle, note_of, paces
from .result import absolute, compared, median, number
from .servers import Embedded, Floor, Peer


def idle(context: Context):
    count = context.plan.idle
    kinds = [Floor, Embedded]
    samples = context.in_turn(kinds, "idle", 1, connections=count, duration=context.plan.seconds)
    mine, theirs = (middle(samples[kind], "bytes_per_connection") for kind in (Embedded, Floor))
    context.add(
        absolute(
            "memory", f"resident memory of one of {count:,} idle connections", mine / 1024,
            "KiB", at_most=4, yardstick=f"{theirs / 1024:.2f} KiB",
        )
    )  # fmt: skip


def connect(context: Context):
    kinds = [Floor, Embedded]
    times = {"duration": context.plan.seconds, "warmup": context.plan.warmup}
    # Enough of them that the start of the process does not count.
    many = {"connections": context.plan.idle}
    for scenario, name, word, wanted, options in (
        ("connect", "connects", "connects", 8_000, many),
        ("churn", "cycles", "connect-join-leave cycles", 5_000, times),
    ):
        samples = context.in_turn(kinds, scenario, **options)
        mine, theirs = (median(paces(samples[kind], name)) for kind in (Embedded, Floor))
        result = absolute(
            "connects", f"{word} a CPU-second", mine, "", at_least=wanted,
            yardstick=number(theirs), note=note_of(samples[Embedded]),
        )  # fmt: skip
        result.ratio = f"{mine / theirs:.2f}"
        context.add(result)


def peer(context: Context):
    samples = context.in_turn(
        [Peer, Embedded], "connect", 1, duration=context.plan.seconds, warmup=context.plan.warmup
    )
    mine, theirs = (paces(samples[kind], "connects") for kind in (Embedded, Peer))
    context.add(compared("peer", "connects a CPU-second", mine, theirs, ""))
