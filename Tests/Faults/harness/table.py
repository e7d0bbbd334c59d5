"""The table: for a terminal, and for docs/FAILURES.md between two markers."""

from support.processes import ROOT

from .result import Result
from .size import Size

PAGE = ROOT / "docs" / "FAILURES.md"
BEGIN = "<!-- scripts/chaos.sh --write: begin -->"
END = "<!-- scripts/chaos.sh --write: end -->"
HEAD = ["promise", "what was done", "bound", "median", "worst", "repeats", "verdict"]


def cells(result: Result) -> list[str]:
    done = result.fault + (f" ({result.means})" if result.means else "")
    return [
        result.promise,
        done,
        result.bound_text,
        result.text(result.median),
        result.text(result.worst),
        str(result.repeats),
        "kept" if result.kept else "BROKEN",
    ]


def line(result: Result) -> str:
    _, done, bound, median, worst, repeats, verdict = cells(result)
    return f"{verdict}: {done}: bound {bound}, median {median}, worst {worst}, {repeats} repeats"


def plain(results: list[Result]) -> str:
    rows = [HEAD] + [cells(one) for one in results]
    widths = [max(len(row[place]) for row in rows) for place in range(len(HEAD))]
    widths[1] = min(widths[1], 72)
    lines = []
    for row in rows:
        done = _wrapped(row[1], widths[1])
        first = [row[0], done[0], *row[2:]]
        lines.append("  ".join(cell.ljust(width) for cell, width in zip(first, widths)).rstrip())
        lines += [" " * (widths[0] + 2) + more for more in done[1:]]
    return "\n".join(lines)


def _wrapped(text: str, width: int) -> list[str]:
    lines = [""]
    for word in text.split():
        if lines[-1] and len(lines[-1]) + 1 + len(word) > width:
            lines.append("")
        lines[-1] += (" " if lines[-1] else "") + word
    return lines


def markdown(results: list[Result]) -> list[str]:
    head = HEAD + ["test"]
    rows = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for result in results:
        test = f"`{result.test}`" if result.test else ""
        rows.append("| " + " | ".join([*cells(result), test]) + " |")
    return rows


def write(results: list[Result], size: Size):
    """Replaces the rows of these promises, and keeps the others."""
    text = PAGE.read_text("utf-8")
    before, rest = text.split(BEGIN)
    old, after = rest.split(END)
    new = markdown(results)
    done = {result.promise for result in results}
    kept = [
        row
        for row in old.splitlines()
        if row.startswith("| P") and row.split("|")[1].strip() not in done
    ]
    rows = sorted(kept + new[2:], key=lambda row: int(row.split("|")[1].strip()[1:]))
    body = "\n".join([*new[:2], *rows])
    PAGE.write_text(f"{before}{BEGIN}\n\n{body}\n\n{END}{after}", "utf-8")
