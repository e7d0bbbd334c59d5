"""Runs test files of several folders side by side: most of them wait most of the time.

    python Tests/side_by_side.py --reports FOLDER SUITE=TESTS…   integration=Tests/Integration, …
    python Tests/side_by_side.py --write REPORT.xml…             Tests/durations.txt, anew

Each file is a pytest of its own, with ports and a temporary folder of its own. The longest begins
first, by Tests/durations.txt; a file that is not in it counts as the longest. Of the files marked
`browser` one runs at a time: a Chromium is work for a core and more. What a test marked `alone`
measures bears no company: those run at the end, one file after the other.

TANDEM_TEST_JOBS: how many files at once; TANDEM_TEST_PORTS: the range that they share. The folder
of reports gets SUITE.xml and SUITE.log. A failure is exit code 1.
"""

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).resolve().parents[1]
DURATIONS = ROOT / "Tests" / "durations.txt"
ALONE = "mark.alone"
BROWSER = "mark.browser"
# Seconds that pytest has to end its tests and what they started, once it is told to.
PATIENCE = 30
NOTHING_COLLECTED = 5


def durations() -> dict[str, float]:
    """Path from the top → seconds."""
    lines = DURATIONS.read_text().splitlines() if DURATIONS.exists() else []
    pairs = [line.split() for line in lines if not line.startswith("#")]
    return {path: float(seconds) for seconds, path in pairs}


@dataclass
class Task:
    """One file, or its tests that need quiet."""

    suite: str
    path: Path
    alone: bool = False
    marks: str = ""
    browses: bool = False
    process: subprocess.Popen | None = None
    started: float = 0
    seconds: float = 0
    code: int | None = None
    slot: int = 0
    reported: bool = False

    @property
    def title(self) -> str:
        return f"{self.suite}: {self.path.name}" + (" (alone)" if self.alone else "")

    @property
    def name(self) -> str:
        return f"{self.suite}-{self.path.stem}" + ("-alone" if self.alone else "")

    @property
    def outcome(self) -> str:
        return f"exit code {self.code}" + ("" if self.reported else ", no report")

    @property
    def passed(self) -> bool:
        fine = self.code == 0 or bool(self.marks) and self.code == NOTHING_COLLECTED
        return fine and self.reported


@dataclass
class Run:
    reports: Path
    jobs: int
    ports: tuple[int, int]
    folder: Path
    done: list[Task] = field(default_factory=list)

    def log(self, task: Task) -> Path:
        return self.reports / "parts" / f"{task.name}.log"

    def report(self, task: Task) -> Path:
        return self.reports / "parts" / f"{task.name}.xml"

    def start(self, task: Task, slot: int):
        low, high = self.ports
        width = (high - low + 1) // self.jobs
        first = low + slot * width
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
        command += [f"--basetemp={self.folder / task.name}", f"--junitxml={self.report(task)}"]
        command += ["-m", task.marks] if task.marks else []
        # Also when this process is killed, none of them goes on.
        guard = ["setpriv", "--pdeathsig", "INT", "--"] if shutil.which("setpriv") else []
        task.slot, task.started = slot, time.monotonic()
        with open(self.log(task), "wb") as log:
            task.process = subprocess.Popen(
                [*guard, *command, task.path.name],
                cwd=task.path.parent,
                env=os.environ | {"TANDEM_TEST_PORTS": f"{first}-{first + width - 1}"},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def all_of(self, tasks: list[Task], jobs: int):
        waiting, running, free = list(tasks), [], list(range(jobs))
        try:
            while waiting or running:
                while free and (task := next_of(waiting, running)):
                    waiting.remove(task)
                    running.append(task)
                    self.start(task, free.pop(0))
                time.sleep(0.05)
                for task in [one for one in running if one.process.poll() is not None]:
                    running.remove(task)
                    free.append(task.slot)
                    self.ended(task)
        except BaseException:
            end(running)
            raise

    def ended(self, task: Task):
        task.code, task.reported = task.process.returncode, self.report(task).exists()
        task.seconds = time.monotonic() - task.started
        self.done.append(task)
        text = self.log(task).read_text("utf-8", "replace")
        if task.passed:
            last = text.strip().splitlines()[-1:] or [""]
            print(f"  ✓ {task.title}: {last[0]}", flush=True)
            shutil.rmtree(self.folder / task.name, ignore_errors=True)
        else:
            print(f"  ✗ {task.title}, {task.outcome}\n{text}", flush=True)

    def write_reports(self, suites: list[str]):
        for suite in suites:
            tasks = [one for one in self.done if one.suite == suite]
            tasks.sort(key=lambda one: one.name)
            with open(self.reports / f"{suite}.log", "w") as log:
                for task in tasks:
                    log.write(f"── {task.title}, {task.seconds:.0f} s\n")
                    log.write(self.log(task).read_text("utf-8", "replace") + "\n")
            whole = ElementTree.Element("testsuites")
            for task in tasks:
                whole.extend(parts_of(self.report(task), task))
            ElementTree.ElementTree(whole).write(
                self.reports / f"{suite}.xml", encoding="utf-8", xml_declaration=True
            )


def next_of(waiting: list[Task], running: list[Task]) -> Task | None:
    browsing = any(task.browses for task in running)
    return next((task for task in waiting if not (browsing and task.browses)), None)


def parts_of(report: Path, task: Task) -> list[ElementTree.Element]:
    """The test suites of one file's report; an error if it has none."""
    try:
        return ElementTree.parse(report).findall("testsuite")
    except (OSError, ElementTree.ParseError):
        counts = {"tests": "1", "errors": "1", "failures": "0", "skipped": "0"}
        part = ElementTree.Element("testsuite", {"name": task.name} | counts)
        case = ElementTree.SubElement(part, "testcase", {"name": task.path.name})
        ElementTree.SubElement(case, "error", {"message": task.outcome})
        return [part]


def end(tasks: list[Task]):
    """Asks each to end, and its tests to clean up; after a while they have no choice."""
    for task in tasks:
        task.process.send_signal(signal.SIGINT)
    deadline = time.monotonic() + PATIENCE
    for task in tasks:
        try:
            task.process.wait(max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            os.killpg(task.process.pid, signal.SIGKILL)


def tasks_of(suite: str, folder: Path) -> tuple[list[Task], list[Task]]:
    """What may run in company, and what may not."""
    together, alone = [], []
    for path in sorted(folder.glob("test_*.py")):
        text = path.read_text("utf-8")
        marks = "not alone" if ALONE in text else ""
        together.append(Task(suite, path, marks=marks, browses=BROWSER in text))
        if marks:
            alone.append(Task(suite, path, alone=True, marks="alone"))
    return together, alone


def write_durations(reports: list[str]):
    """Tests count for what they took, in whole seconds. Files that are in no report keep theirs."""
    found: dict[str, float] = {}
    for report in reports:
        for case in ElementTree.parse(report).iter("testcase"):
            module = (case.get("classname") or "").split(".")[0]
            for path in (ROOT / "Tests").glob(f"*/{module}.py"):
                name = str(path.relative_to(ROOT))
                found[name] = found.get(name, 0) + float(case.get("time", 0))
    known = {path: taken for path, taken in durations().items() if (ROOT / path).exists()}
    lines = [f"{round(taken)} {path}" for path, taken in (known | found).items()]
    lines.sort(key=lambda line: (-int(line.split()[0]), line.split()[1]))
    head = "# Seconds of each file, written by Tests/side_by_side.py --write: who begins first.\n"
    DURATIONS.write_text(head + "\n".join(lines) + "\n")


def run(reports: Path, suites: dict[str, Path]) -> int:
    jobs = int(os.environ.get("TANDEM_TEST_JOBS") or (os.cpu_count() or 1) + 1)
    low, high = os.environ.get("TANDEM_TEST_PORTS", "21800-22999").split("-")
    (reports / "parts").mkdir(parents=True, exist_ok=True)
    together, alone = [], []
    for suite, folder in suites.items():
        some, others = tasks_of(suite, folder)
        together += some
        alone += others
    known = durations()

    def longest_first(task):
        return -known.get(os.path.relpath(task.path, ROOT), float("inf")), task.name

    this = Run(reports, jobs, (int(low), int(high)), Path(tempfile.mkdtemp(prefix="tandem-tests-")))
    try:
        this.all_of(sorted(together, key=longest_first), jobs)
        this.all_of(alone, 1)
    finally:
        this.write_reports(list(suites))
        failed = [task for task in this.done if not task.passed]
        if failed:
            print(f"What the failed tests left is in {this.folder}")
        else:
            shutil.rmtree(this.folder, ignore_errors=True)
    for suite in suites:
        took = sum(task.seconds for task in this.done if task.suite == suite)
        files = sum(task.suite == suite and not task.alone for task in this.done)
        print(f"  {suite}: {files} files, {took:.0f} s in all")
    for task in failed:
        lines = this.log(task).read_text("utf-8", "replace").splitlines()
        named = [line for line in lines if line.startswith(("FAILED ", "ERROR "))]
        for line in named or [f"{task.path.name}, {task.outcome}"]:
            print(f"  ✗ {task.suite}: {line}")
    return 1 if failed or not this.done else 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--reports", type=Path)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("rest", nargs="+")
    asked = parser.parse_args()
    if asked.write:
        write_durations(asked.rest)
        return 0
    pairs = [one.split("=", 1) for one in asked.rest]
    # Also where a shell has started this in the background, with interrupts ignored.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    try:
        return run(asked.reports.resolve(), {suite: ROOT / folder for suite, folder in pairs})
    except KeyboardInterrupt:
        # As the shell that waits for this process expects it: ended by the signal itself.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
        return 130


if __name__ == "__main__":
    sys.exit(main())
