"""Counts instructions and allocations of the cases in Micro, and compares with thresholds.json.

    scripts/bench.sh --micro [--update] [CASE…]

Both are counted from outside, in two runs of few and of many iterations: the difference is what an
iteration costs, without start and preparation. Instructions by callgrind, in user space, so the
machine's load does not matter; allocations by Micro/allocations.c.
"""

import argparse
import json
import math
import os
import re
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
THRESHOLDS = HERE / "thresholds.json"
# Above what was measured; less is noise between builds.
MARGIN = 1.10
COLLECTED = re.compile(r"Collected : (\d+)")


@dataclass
class Case:
    name: str
    few: int
    many: int
    unit: str


@dataclass
class Cost:
    """Of one iteration."""

    instructions: float
    allocations: float

    def limits(self) -> dict:
        return {
            "instructions": math.ceil(round(self.instructions * MARGIN, 6)),
            "allocations": max(0.1, math.ceil(round(self.allocations * MARGIN * 10, 6)) / 10),
        }


class Counter:
    """The program, without the symbols that valgrind cannot read, and how it is counted."""

    def __init__(self, program: Path, folder: Path):
        self.folder = folder
        self.program = folder / "micro-benchmarks"
        self.counter = folder / "allocations.so"
        subprocess.run(["strip", "-o", self.program, program], check=True)
        compiler = os.environ.get("CC", "cc")
        source = HERE / "Micro" / "allocations.c"
        subprocess.run(
            [compiler, "-O2", "-shared", "-fPIC", "-o", self.counter, source], check=True
        )

    def cases(self) -> list[Case]:
        done = subprocess.run([self.program], check=True, capture_output=True, text=True)
        rows = [line.split(" ", 3) for line in done.stdout.splitlines()]
        return [Case(name, int(few), int(many), unit) for name, few, many, unit in rows]

    def cost(self, case: Case) -> Cost:
        span = case.many - case.few
        counted = [
            (self._instructions(case.name, count), self._allocations(case.name, count))
            for count in (case.few, case.many)
        ]
        return Cost(*((many - few) / span for few, many in zip(*counted)))

    def _run(self, before: list, name: str, count: int, **more) -> str:
        command = [*before, self.program, "--case", name, "--iterations", count]
        done = subprocess.run(
            [str(part) for part in command],
            env=os.environ | {"SWIFT_DETERMINISTIC_HASHING": "1"} | more,
            capture_output=True,
            text=True,
            timeout=300,
        )
        if done.returncode != 0:
            raise RuntimeError(f"{name}: exit code {done.returncode}\n{done.stderr[-2000:]}")
        return done.stderr

    def _instructions(self, name: str, count: int) -> int:
        before = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null"]
        return int(COLLECTED.search(self._run(before, name, count)).group(1))

    def _allocations(self, name: str, count: int) -> int:
        file = self.folder / f"{name}-{count}"
        self._run([], name, count, LD_PRELOAD=str(self.counter), ALLOCATIONS_FILE=str(file))
        return int(file.read_text().split()[0])


def verdict(cost: Cost, limits: dict | None) -> list[str]:
    """What is wrong; nothing if all is well."""
    if limits is None:
        return ["has no threshold"]
    return [
        f"{getattr(cost, what):,.1f} {what}, at most {limits[what]:,}"
        for what in ("instructions", "allocations")
        if getattr(cost, what) > limits[what]
    ]


def row(case: Case, cost: Cost, limits: dict | None) -> str:
    limit = limits or {"instructions": 0, "allocations": 0}
    return (
        f"{case.name:22} {cost.instructions:12,.0f} {limit['instructions']:12,}"
        f" {cost.allocations:9,.1f} {limit['allocations']:9,}  {case.unit}"
    )


def measure(counter: Counter, wanted: list[str], jobs: int) -> dict[str, tuple[Case, Cost]]:
    cases = counter.cases()
    unknown = set(wanted) - {case.name for case in cases}
    if unknown:
        raise SystemExit(f"no such case: {' '.join(sorted(unknown))}")
    chosen = [case for case in cases if not wanted or case.name in wanted]
    with ThreadPoolExecutor(jobs) as pool:
        costs = pool.map(counter.cost, chosen)
        return {case.name: (case, cost) for case, cost in zip(chosen, costs)}


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="scripts/bench.sh --micro")
    parser.add_argument("cases", nargs="*", metavar="CASE")
    parser.add_argument("--update", action="store_true", help="write thresholds.json anew")
    parser.add_argument("--program", type=Path, required=True)
    parser.add_argument("--thresholds", type=Path, default=THRESHOLDS)
    chosen = parser.parse_args(arguments)
    known = json.loads(chosen.thresholds.read_text()) if chosen.thresholds.exists() else {}
    with tempfile.TemporaryDirectory(prefix="tandem-micro-") as folder:
        counter = Counter(chosen.program, Path(folder))
        found = measure(counter, chosen.cases, os.cpu_count() or 1)
    if chosen.update:
        known |= {name: cost.limits() for name, (_, cost) in found.items()}
        chosen.thresholds.write_text(json.dumps(known, indent=2) + "\n")
    print(f"{'case':22} {'instructions':>12} {'at most':>12} {'allocs':>9} {'at most':>9}")
    wrong = []
    for name, (case, cost) in found.items():
        print(row(case, cost, known.get(name)))
        wrong += [f"{name}: {problem}" for problem in verdict(cost, known.get(name))]
    for problem in wrong:
        print(f"EXCEEDED {problem}")
    if wrong:
        print("If that is the price of something: scripts/bench.sh --micro --update, and say so.")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
