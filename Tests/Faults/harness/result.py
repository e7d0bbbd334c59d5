"""What an experiment has found: one row of the table."""

import contextlib
import statistics
import traceback
from dataclasses import dataclass, field

from .stage import Stage


@dataclass
class Result:
    """One fault done to a promise, some times. `bound` is the most that a sample may be, in `unit`:
    "s" for seconds, else what was counted."""

    promise: str
    fault: str
    test: str
    bound: float
    unit: str = "s"
    samples: list[float] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    repeats: int = 0
    means: str = ""  # how the fault was made, where there is more than one way
    details: list[str] = field(default_factory=list)  # for whoever looks for the reason

    @contextlib.contextmanager
    def attempt(self):
        """One repeat. What it throws breaks the promise, and the experiment goes on."""
        self.repeats += 1
        before = len(self.samples)
        try:
            yield self
        except Exception as problem:
            self.broken(f"{type(problem).__name__}: {problem}", traceback.format_exc())
        else:
            if len(self.samples) == before:
                self.broken("nothing was measured")

    def broken(self, problem: str, details: str = ""):
        text = f"repeat {self.repeats}: {problem}"
        self.problems.append(text[:1_000])
        Stage.keeps_logs = True
        if details:
            self.details.append(details)

    def measured(self, *samples: float):
        self.samples += samples

    @property
    def worst(self) -> float | None:
        return max(self.samples, default=None)

    @property
    def median(self) -> float | None:
        return statistics.median(self.samples) if self.samples else None

    @property
    def kept(self) -> bool:
        return bool(self.samples) and not self.problems and self.worst <= self.bound

    @property
    def why(self) -> list[str]:
        """What is wrong, for people; empty when the promise was kept."""
        wrong = list(self.problems)
        if not self.samples:
            wrong.append("nothing was measured")
        elif self.worst > self.bound:
            wrong.append(f"worst {self.text(self.worst)}, bound {self.text(self.bound)}")
        return wrong

    def text(self, value: float | None) -> str:
        if value is None:
            return "–"
        if self.unit == "s":
            return f"{value:.2f} s" if value < 10 else f"{value:.1f} s"
        if self.unit == "×":
            return f"{value:.1f} ×"
        number = f"{value:.0f}" if value == int(value) else f"{value:.1f}"
        return f"{number} {self.unit}"

    @property
    def bound_text(self) -> str:
        if self.unit == "s" and self.bound == int(self.bound):
            return f"{self.bound:.0f} s"
        return self.text(self.bound)
