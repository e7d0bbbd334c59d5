"""What scripts/chaos.sh runs: experiments, their table, and the page that keeps it."""

import argparse
import asyncio
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "Integration")]

from harness import lanes, table  # noqa: E402
from harness.catalogue import PROMISES, run_promise  # noqa: E402
from harness.result import Result  # noqa: E402
from harness.size import FULL, SMALL, Size  # noqa: E402

SMALL_JOBS = 2
LIMIT = 3_600  # seconds for one promise: several times what the longest takes, so that all end


def options(arguments: list[str]) -> tuple[argparse.Namespace, list[str], Size]:
    parser = argparse.ArgumentParser(prog="scripts/chaos.sh")
    parser.add_argument("promises", nargs="*", default=["all"])
    parser.add_argument("--repeat", type=int)
    parser.add_argument("--users", type=int)
    parser.add_argument("--rooms", type=int)
    parser.add_argument("--jobs", type=int)
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--save", type=Path, help="one promise, its rows as JSON")
    chosen = parser.parse_args(arguments)
    wanted = [one for one in PROMISES if "all" in chosen.promises or one in chosen.promises]
    unknown = set(chosen.promises) - set(PROMISES) - {"all"}
    if unknown:
        parser.error(f"no such promise: {' '.join(sorted(unknown))}")
    for name in ("repeat", "jobs"):
        if (getattr(chosen, name) or 1) < 1:
            parser.error(f"--{name} needs a number from 1")
    try:
        size = (SMALL if chosen.small else FULL).of(chosen.users, chosen.rooms)
    except ValueError as problem:
        parser.error(str(problem))
    return chosen, wanted, size


def report(promise: str, results: list[Result], started: float):
    about = PROMISES[promise].__doc__.split(":", 1)[1].strip()
    print(f"{promise}: {about} ({time.monotonic() - started:.0f} s)")
    for result in results:
        print(f"    {table.line(result)}")
        for why in result.why:
            print(f"    BROKEN: {why}")
        for details in result.details[:1]:
            print(details, file=sys.stderr)
    sys.stdout.flush()


def main(arguments: list[str]) -> int:
    chosen, wanted, size = options(arguments)
    started = time.monotonic()
    if chosen.save:
        (promise,) = wanted
        lanes.save(asyncio.run(run_promise(promise, size, chosen.repeat)), chosen.save)
        return 0
    jobs = chosen.jobs or (SMALL_JOBS if chosen.small else 1)
    passed = [f"--{name}={getattr(chosen, name)}" for name in ("repeat", "users", "rooms")
              if getattr(chosen, name)] + ["--small"] * chosen.small  # fmt: skip
    running = lanes.Lanes(wanted, passed, jobs, LIMIT, progress=True)
    results = []
    try:
        for promise in wanted:
            found = running.results(promise)
            report(promise, found, started)
            results += found
    finally:
        running.stop()
    print()
    print(table.plain(results))
    if chosen.write:
        table.write(results, size)
    broken = [one for one in results if not one.kept]
    print(f"{len(results) - len(broken)} kept, {len(broken)} broken")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
