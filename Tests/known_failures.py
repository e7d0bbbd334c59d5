"""The 63 known failures of the system before, and the tests that show that they cannot happen here.

docs/KNOWN-FAILURES.md has a row for each. A test names its rows with
`@pytest.mark.known_failure("C13")`. This file is the plugin that carries the marks into the reports
of a run, what the tests of the tests read, and a program:

    python Tests/known_failures.py REPORT.xml…        what a run has proved
    python Tests/known_failures.py --all REPORT.xml…  and every row must be
    python Tests/known_failures.py --write            the names of tests in the page, anew
"""

import ast
import re
import sys
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "KNOWN-FAILURES.md"
FOLDERS = (ROOT / "Tests" / "Integration", ROOT / "Tests" / "Deployment")
ROWS = [f"C{number}" for number in range(1, 64)]
MARK = "known_failure"
LINE = re.compile(r"^\| (C\d+) \| (.+?) \| (.+?) \| (.*?) \|$", re.MULTILINE)


# --- what the sources say ---------------------------------------------------------------------------


def marked_tests() -> dict[str, list[str]]:
    """Row → tests that carry its mark, as `file.py::test`, in the order of the sources."""
    found: dict[str, list[str]] = {}
    for folder in FOLDERS:
        for path in sorted(folder.glob("test_*.py")):
            for node in ast.parse(path.read_text("utf-8")).body:
                for row in _rows_of(node):
                    found.setdefault(row, []).append(f"{path.name}::{node.name}")
    return found


def _rows_of(node) -> list[str]:
    rows = []
    for decorator in getattr(node, "decorator_list", []):
        if isinstance(decorator, ast.Call) and ast.unparse(decorator.func).endswith(f".{MARK}"):
            rows += [argument.value for argument in decorator.args]
    return rows


def page_rows() -> dict[str, tuple[str, str, str]]:
    """Row → what went wrong, what holds here, tests; as the page has it."""
    lines = LINE.findall(PAGE.read_text("utf-8"))
    return {row: (wrong, right, tests) for row, wrong, right, tests in lines}


def tests_cell(row: str, marked: dict[str, list[str]]) -> str:
    """How the page names the tests of a row."""
    return ", ".join(f"`{test.split('::')[1]}`" for test in marked.get(row, []))


def cannot_apply() -> dict[str, str]:
    """Rows without a test, with the reason that stands in the page."""
    prefix = "cannot apply: "
    rows = page_rows().items()
    return {row: tests[len(prefix) :] for row, (_, _, tests) in rows if tests.startswith(prefix)}


# --- the plugin ----------------------------------------------------------------------------------


def pytest_configure(config):
    config.addinivalue_line(
        "markers", f"{MARK}(*rows): rows of docs/KNOWN-FAILURES.md that this test proves"
    )


def pytest_collection_modifyitems(items):
    for item in items:
        for mark in item.iter_markers(MARK):
            for row in mark.args:
                item.user_properties.append((MARK, row))


# --- what a run has proved -------------------------------------------------------------------------


def proved(reports: list[Path]) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """Row → tests that passed, row → tests that did not, parameters left out."""
    passed, failed = {}, {}
    for report in reports:
        for case in ElementTree.parse(report).iter("testcase"):
            bad = any(case.find(kind) is not None for kind in ("failure", "error", "skipped"))
            name = case.get("name").split("[")[0]
            for one in case.iter("property"):
                if one.get("name") == MARK:
                    names = (failed if bad else passed).setdefault(one.get("value"), [])
                    names += [] if name in names else [name]
    return passed, failed


def summary(reports: list[Path], everything: bool) -> tuple[str, bool]:
    """The line for people, and whether all is well."""
    passed, failed = proved(reports)
    reasons = cannot_apply()
    good = [row for row in ROWS if row in passed and row not in failed]
    absent = [row for row in ROWS if row not in passed | failed | reasons]
    tests = {name for row in good for name in passed[row]}
    line = (
        f"known failures: {len(ROWS)} rows, {len(good)} shown not to happen by {len(tests)} tests"
    )
    line += f", {len(reasons)} cannot apply"
    if reasons:
        line += " (" + "; ".join(f"{row}: {why}" for row, why in reasons.items()) + ")"
    if failed:
        line += f"; FAILED: {' '.join(sorted(failed))}"
    if absent:
        line += f"; not in this run: {' '.join(absent)}"
    return line, not failed and not (everything and absent)


def write_page():
    marked = marked_tests()

    def line(match):
        row, wrong, right, tests = match.groups()
        return f"| {row} | {wrong} | {right} | {tests_cell(row, marked) or tests} |"

    PAGE.write_text(LINE.sub(line, PAGE.read_text("utf-8")), "utf-8")


def main(arguments: list[str]) -> int:
    if arguments == ["--write"]:
        write_page()
        return 0
    reports = [Path(one) for one in arguments if not one.startswith("--")]
    line, well = summary([one for one in reports if one.exists()], "--all" in arguments)
    print(line)
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
