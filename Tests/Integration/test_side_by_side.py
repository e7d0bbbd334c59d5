"""Files that run side by side are counted, reported and ended as one run."""

import os
import signal
import subprocess
import sys
import time
from xml.etree import ElementTree

from support.processes import ROOT
from support.waiting import eventually

PROGRAM = ROOT / "Tests" / "side_by_side.py"
OVERLAP = """
import pathlib, time

def test_{me}_meets_{other}():
    here = pathlib.Path(__file__).parent
    (here / "{me}").touch()
    end = time.monotonic() + 30
    while not (here / "{other}").exists():
        assert time.monotonic() < end, "the other does not run"
        time.sleep(0.05)
"""
# Named so that this file itself counts for none.
QUIET = """
import os, pathlib, pytest

HERE = pathlib.Path(__file__).parent

def test_in_company():
    (HERE / "ports").write_text(os.environ["TANDEM_TEST_PORTS"])

@pytest.mark.{alone}
def test_alone():
    assert all((HERE / name).exists() for name in ("one", "two", "ports")), "not at the end"
"""


BROWSES = """
import pathlib, pytest, time

pytestmark = pytest.mark.{browser}

def test_nobody_else_browses():
    here = pathlib.Path(__file__).parent / "browsing"
    here.touch(exist_ok=False)
    time.sleep(0.5)
    here.unlink()
"""


def begin(tmp_path, files: dict[str, str]) -> subprocess.Popen:
    folder = tmp_path / "tests"
    folder.mkdir(exist_ok=True)
    (folder / "pytest.ini").write_text("[pytest]\nmarkers =\n    alone: a\n    browser: b\n")
    for name, text in files.items():
        (folder / f"test_{name}.py").write_text(text)
    env = os.environ | {
        "TANDEM_TEST_JOBS": "2", "TANDEM_TEST_PORTS": "20000-20099", "TMPDIR": str(tmp_path)
    }
    return subprocess.Popen(
        [sys.executable, PROGRAM, "--reports", tmp_path / "reports", f"made={folder}"],
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def counts(tmp_path) -> dict[str, int]:
    suites = ElementTree.parse(tmp_path / "reports" / "made.xml").findall("testsuite")
    names = ("tests", "failures", "errors", "skipped")
    return {name: sum(int(one.get(name)) for one in suites) for name in names}


def test_files_run_at_once_with_their_own_ports_and_what_needs_quiet_at_the_end(tmp_path):
    both = {"one": OVERLAP.format(me="one", other="two")}
    both["two"] = OVERLAP.format(me="two", other="one")
    run = begin(tmp_path, both | {"quiet": QUIET.format(alone="alone")})
    said, _ = run.communicate(timeout=50)
    assert run.returncode == 0, said
    assert counts(tmp_path) == {"tests": 4, "failures": 0, "errors": 0, "skipped": 0}
    assert (tmp_path / "tests" / "ports").read_text() in ("20000-20049", "20050-20099")
    assert "made: test_quiet.py (alone): 1 passed" in said
    assert list(tmp_path.glob("tandem-tests-*")) == [], "nothing is left"


def test_a_failure_and_a_file_that_ends_without_a_report_fail_the_run(tmp_path):
    bad = "def test_bad(tmp_path):\n    (tmp_path / 'kept').touch()\n    assert 1 == 2\n"
    gone = "import os\n\ndef test_gone():\n    os._exit(0)\n"
    fine = "def test_fine():\n    pass\n"
    run = begin(tmp_path, {"bad": bad, "gone": gone, "fine": fine, "empty": "\n"})
    said, _ = run.communicate(timeout=50)
    assert run.returncode == 1
    assert counts(tmp_path) == {"tests": 3, "failures": 1, "errors": 1, "skipped": 0}
    assert "assert 1 == 2" in said and "✓ made: test_fine.py: 1 passed" in said
    assert "✗ made: FAILED test_bad.py::test_bad" in said
    for name in ("gone", "empty"):
        assert f"✗ made: test_{name}.py, exit code" in said, said
    assert list(tmp_path.glob("tandem-tests-*/made-test_bad/test_bad0/kept")), "for a look at it"


def test_of_the_files_that_browse_one_runs_at_a_time(tmp_path):
    browses = BROWSES.format(browser="browser")
    run = begin(tmp_path, {"first": browses, "second": browses})
    said, _ = run.communicate(timeout=50)
    assert run.returncode == 0, said


async def test_an_interrupted_run_ends_its_tests_and_their_processes(tmp_path):
    waits = f"""
import subprocess, time

def test_waits():
    child = subprocess.Popen(["sleep", "600"])
    try:
        open("{tmp_path}/child", "w").write(str(child.pid))
        time.sleep(600)
    finally:
        child.kill()
        child.wait()
"""
    run = begin(tmp_path, {"waits": waits})
    found = tmp_path / "child"
    await eventually(lambda: found.exists() and found.read_text(), 30, what="the test runs")
    started = time.monotonic()
    run.send_signal(signal.SIGINT)
    run.communicate(timeout=40)
    assert run.returncode == -signal.SIGINT, "as a shell expects it"
    assert time.monotonic() - started < 25
    assert not os.path.exists(f"/proc/{found.read_text()}")
