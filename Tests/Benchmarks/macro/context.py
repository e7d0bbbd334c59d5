"""What the measurements of one run share."""

import statistics
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from . import tool
from .plan import Plan
from .result import Result
from .servers import Server


@dataclass
class Context:
    folder: Path
    plan: Plan
    results: list[Result] = field(default_factory=list)
    # Deliveries a CPU-second that fan-out found, by server and room size: where a search starts.
    pace: dict[tuple[str, int], float] = field(default_factory=dict)
    started: float = field(default_factory=time.monotonic)

    def say(self, text: str):
        print(f"[{time.monotonic() - self.started:5.0f} s] {text}", file=sys.stderr, flush=True)

    def add(self, result: Result):
        self.results.append(result)
        self.say(" | ".join(cell for cell in result.cells() if cell))

    def sample(self, kind: type[Server], scenario: str, **options) -> tool.Sample:
        """One run on a server of its own."""
        with kind(self.folder) as server:
            return tool.run(scenario, server, **options)

    def in_turn(
        self, kinds: list[type[Server]], scenario: str, repeats: int | None = None, **options
    ) -> dict[type[Server], list[tool.Sample]]:
        """So many runs of each, one kind after the other, so that a machine that gets slower does
        so for all."""
        samples: dict[type[Server], list[tool.Sample]] = {kind: [] for kind in kinds}
        for _ in range(repeats or self.plan.repeats):
            for kind in kinds:
                samples[kind].append(self.sample(kind, scenario, **options))
        return samples


def middle(samples: list[tool.Sample], name: str) -> float:
    return statistics.median(sample[name] for sample in samples)


def paces(samples: list[tool.Sample], counted: str = "deliveries") -> list[float]:
    """So many for each second of the servers' CPU, in each run."""
    return [sample.per_cpu_second(counted) for sample in samples]


def note_of(*groups: list[tool.Sample]) -> str:
    """What a reader has to know of these runs."""
    limited = any(sample.limited_by_tool for group in groups for sample in group)
    return "the tool was the limit" if limited else ""
