"""The tables: for a terminal, and for docs/PERFORMANCE.md between two markers."""

from support.processes import ROOT

from .result import Result

PAGE = ROOT / "docs" / "PERFORMANCE.md"
HEADS = {
    "targets": ["what", "Tandem", "yardstick", "ratio", "target", "verdict"],
    "size": ["what", "measured", "compared with", "ratio", "bound", "verdict"],
    "peer": ["what", "Tandem", "python-socketio", "ratio", "", ""],
}
TABLE_OF = {
    "fan-out": "targets",
    "saturation": "targets",
    "latency": "targets",
    "memory": "targets",
    "connects": "targets",
    "cross-instance": "targets",
    "start": "size",
    "one room": "size",
    "many connections": "size",
    "many rooms": "size",
    "scenes": "size",
    "peer": "peer",
}
TITLES = {
    "targets": "Against the yardstick",
    "size": "Size",
    "peer": "Against python-socketio on uvicorn",
}


def rows_of(table: str, results: list[Result]) -> list[list[str]]:
    """Group and cells of each row."""
    chosen = [one for one in results if TABLE_OF[one.group] == table]
    return [[one.group, *one.cells()] for one in chosen]


def plain(results: list[Result]) -> str:
    lines = []
    for table, head in HEADS.items():
        rows = rows_of(table, results)
        if not rows:
            continue
        rows = [["", *head], *rows]
        widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
        lines += ["", TITLES[table]]
        for row in rows:
            cells = [cell.ljust(width) for cell, width in zip(row, widths)]
            lines.append("  " + "  ".join(cells).rstrip())
    return "\n".join(lines)


def markers(name: str) -> tuple[str, str]:
    return tuple(f"<!-- scripts/bench.sh --write: {name} {word} -->" for word in ("begin", "end"))


def markdown(head: list[str], rows: list[list[str]]) -> str:
    lines = ["| " + " | ".join(["", *head]) + " |", "|" + "---|" * (len(head) + 1)]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)])


def between(text: str, name: str, body: str) -> str:
    """The text with what stands between the markers of that name replaced."""
    begin, end = markers(name)
    before, rest = text.split(begin)
    _, after = rest.split(end)
    return f"{before}{begin}\n\n{body}\n\n{end}{after}"


def kept(text: str, name: str) -> list[list[str]]:
    """The rows that stand there."""
    begin, end = markers(name)
    old = text.split(begin)[1].split(end)[0].splitlines()
    rows = [line for line in old if line.startswith("| ") and not line.startswith("|  |")]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]


def changed(text: str, results: list[Result], facts: list[tuple[str, str]]) -> str:
    """The page with the tables' rows replaced; groups of which nothing was measured stay."""
    text = between(text, "machine", "\n".join(f"- {name}: {value}" for name, value in facts))
    measured = {one.group for one in results}
    for table, head in HEADS.items():
        rows = [row for row in kept(text, table) if row[0] not in measured]
        rows += rows_of(table, results)
        rows.sort(key=lambda row: list(TABLE_OF).index(row[0]))
        text = between(text, table, markdown(head, rows))
    return text


def write(results: list[Result], facts: list[tuple[str, str]]):
    PAGE.write_text(changed(PAGE.read_text("utf-8"), results, facts), "utf-8")
