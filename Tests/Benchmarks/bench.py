"""What scripts/bench.sh runs: measurements, their tables, and the page that keeps them."""

import argparse
import json
import shutil
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "Integration")]

from macro import connections, fanout, latency, machine, page, plan, size  # noqa: E402
from macro.context import Context  # noqa: E402
from macro.servers import compile_floor  # noqa: E402

MEASUREMENTS = {
    "fanout": [fanout.fanout],
    "saturation": [fanout.saturation],
    "latency": [latency.latency],
    "idle": [connections.idle],
    "connect": [connections.connect],
    "cross": [fanout.cross],
    "peer": [fanout.peer, connections.peer],
    "start": [size.start_and_stop],
    "room": [size.large_room],
    "connections": [size.connections],
    "rooms": [size.stored_rooms],
    "scene": [size.scenes],
}

# What --quick leaves out takes long, or needs the peer.
QUICK = [name for name in MEASUREMENTS if name not in ("saturation", "peer")]


def options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/bench.sh")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", type=lambda text: text.split(","))
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--json", type=Path, help="the rows, for programs")
    chosen = parser.parse_args(arguments)
    chosen.only = chosen.only or (QUICK if chosen.quick else list(MEASUREMENTS))
    unknown = set(chosen.only) - set(MEASUREMENTS)
    if unknown:
        parser.error(f"no such measurement: {' '.join(sorted(unknown))}")
    return chosen


def main(arguments: list[str]) -> int:
    chosen = options(arguments)
    folder = Path(tempfile.mkdtemp(prefix="tandem-bench-"))
    context = Context(folder, plan.QUICK if chosen.quick else plan.FULL)
    failed = []
    facts = machine.facts()
    facts.append(("busy before the start", f"{machine.busy_share():.0%} of all cores"))
    _, stolen = machine.times()
    try:
        compile_floor(folder)
        for name in [name for name in MEASUREMENTS if name in chosen.only]:
            for measure in MEASUREMENTS[name]:
                context.say(f"{name}: {measure.__name__}")
                try:
                    measure(context)
                except Exception as problem:
                    failed.append(f"{name}: {type(problem).__name__}: {problem}")
                    context.say(f"FAILED {failed[-1]}")
                if chosen.write:  # at once: what ends this run does not take it along
                    page.write(context.results, facts)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    stolen = machine.times()[1] - stolen
    print(f"stolen by the host: {stolen:.0f} s of CPU")
    print("\n".join(f"{name}: {value}" for name, value in facts))
    print(page.plain(context.results))
    if chosen.json:
        rows = [asdict(one) | {"verdict": one.verdict} for one in context.results]
        chosen.json.write_text(json.dumps({"facts": dict(facts), "rows": rows}, indent=2))
    missed = sum(one.met is False for one in context.results)
    met = sum(one.met is True for one in context.results)
    print(f"\n{met} targets met, {missed} missed")
    for problem in failed:
        print(f"FAILED {problem}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
