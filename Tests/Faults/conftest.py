"""Runs the experiments that the chosen tests are about, several at a time, at small size."""

import re

import pytest
from harness.lanes import Lanes

JOBS = 2
LIMIT = 240  # seconds for one experiment


def promise_of(name: str) -> str:
    return re.match(r"test_(P\d+)_", name).group(1)


@pytest.fixture(scope="session")
def experiments(request):
    wanted = {promise_of(item.name): None for item in request.session.items}
    lanes = Lanes(list(wanted), ["--small"], JOBS, LIMIT)
    yield lanes
    lanes.stop()


@pytest.fixture
def kept(request, experiments):
    """Asserts that the rows which name this test are within their bounds."""

    def check():
        name = request.node.name
        results = experiments.results(promise_of(name))
        rows = [one for one in results if one.test in (name, "")]
        assert rows, f"no row of {promise_of(name)} names this test"
        for row in rows:
            print(f"{row.fault}: {row.text(row.median)}, worst {row.text(row.worst)}")
            print(*row.details[:2], sep="\n")
            assert row.kept, f"{row.promise}: {row.fault}: {'; '.join(row.why)}"

    return check
