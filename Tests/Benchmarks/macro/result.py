"""A row of the tables."""

import statistics
from dataclasses import dataclass


@dataclass
class Result:
    """One thing that was measured; texts are as they stand in the table."""

    group: str
    what: str
    measured: str
    yardstick: str = ""
    ratio: str = ""
    target: str = ""
    met: bool | None = None
    note: str = ""

    @property
    def verdict(self) -> str:
        return "" if self.met is None else "met" if self.met else "MISSED"

    def cells(self) -> list[str]:
        note = f"{self.verdict} ({self.note})" if self.verdict and self.note else self.note
        last = note or self.verdict
        return [self.what, self.measured, self.yardstick, self.ratio, self.target, last]


def median(values: list[float]) -> float:
    return statistics.median(values)


def number(value: float) -> str:
    """With three digits that count, and thousands apart."""
    if abs(value) >= 100:
        digits = max(0, len(f"{abs(value):.0f}") - 3)
        return f"{round(value, -digits):,.0f}"
    return f"{value:.2f}" if abs(value) < 10 else f"{value:.1f}"


def microseconds(value: float) -> str:
    return f"{value / 1000:.2f} ms" if value >= 1000 else f"{value:.0f} µs"


def compared(
    group: str, what: str, mine: list[float], theirs: list[float], unit: str,
    at_least: float | None = None, at_most: float | None = None, note: str = "", text=number,
) -> Result:  # fmt: skip
    """A row whose verdict is the median of the ratios of runs that followed one another: what the
    machine did meanwhile, it did to both."""
    ratios = [one / other for one, other in zip(mine, theirs, strict=True)]
    ratio = median(ratios)
    spread = f" ({min(ratios):.2f} to {max(ratios):.2f})" if len(ratios) > 1 else ""
    met, target = None, ""
    if at_least is not None:
        met, target = ratio >= at_least, f"≥ {at_least:.2f} ×"
    if at_most is not None:
        met, target = ratio <= at_most, f"≤ {at_most:.2f} ×"
    unit = f" {unit}" if unit else ""
    values = [text(median(side)) + unit for side in (mine, theirs)]
    return Result(group, what, *values, f"{ratio:.2f}{spread}", target, met, note)


def absolute(
    group: str, what: str, mine: float, unit: str, at_least: float | None = None,
    at_most: float | None = None, yardstick: str = "", note: str = "", text=number,
) -> Result:  # fmt: skip
    """A row whose verdict is the number itself."""
    met, target = None, ""
    if at_least is not None:
        met, target = mine >= at_least, f"≥ {number(at_least)}"
    if at_most is not None:
        met, target = mine <= at_most, f"≤ {number(at_most)}"
    unit = f" {unit}" if unit else ""
    target += unit if target else ""
    return Result(group, what, text(mine) + unit, yardstick, "", target, met, note)
