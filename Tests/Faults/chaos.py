"""What scripts/chaos.sh runs: experiments, their table, and the page that keeps it."""

import argparse
import asyncio
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "Integration")]

from harness import table  # noqa: E402
from harness.catalogue import PROMISES, run_promise  # noqa: E402
from harness.size import FULL, SMALL  # noqa: E402


def main(arguments: list[str]) -> int:
    options = argparse.ArgumentParser(prog="scripts/chaos.sh")
    options.add_argument("promises", nargs="*", default=["all"])
    options.add_argument("--repeat", type=int)
    options.add_argument("--users", type=int)
    options.add_argument("--rooms", type=int)
    options.add_argument("--small", action="store_true")
    options.add_argument("--write", action="store_true")
    chosen = options.parse_args(arguments)
    wanted = list(PROMISES) if "all" in chosen.promises else chosen.promises
    unknown = [one for one in wanted if one not in PROMISES]
    if unknown or (chosen.repeat is not None and chosen.repeat < 1):
        options.error(f"unknown promise {unknown}" if unknown else "--repeat needs a number from 1")
    try:
        size = (SMALL if chosen.small else FULL).of(chosen.users, chosen.rooms)
    except ValueError as problem:
        options.error(str(problem))

    results = []
    for promise in wanted:
        started = time.monotonic()
        print(f"{promise}: {PROMISES[promise].__doc__.split(':', 1)[1].strip()}", flush=True)
        found = asyncio.run(run_promise(promise, size, chosen.repeat))
        results += found
        for result in found:
            print(f"      {table.line(result)}", flush=True)
            for why in result.why:
                print(f"      BROKEN: {why}", flush=True)
            for details in result.details[:1]:
                print(details, file=sys.stderr)
        print(f"      {time.monotonic() - started:.0f} s", flush=True)
    print()
    print(table.plain(results))
    if chosen.write:
        table.write(results, size)
    broken = [one for one in results if not one.kept]
    print(f"{len(results) - len(broken)} kept, {len(broken)} broken")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
