"""rolling-restart.sh: one instance after the other. What clients see of it is in test_deploy_ha.py."""

import pytest

from conftest import INSTANCES

SERVICES = ("redis", *INSTANCES, "nginx")


def test_all_are_restarted_in_turn_and_only_while_the_others_are_well(deployment):
    def pids():
        return [deployment.pid(name) for name in SERVICES]

    def changed(before):
        return [name for name, old in zip(SERVICES, before) if deployment.pid(name) != old]

    deployment.run("start")
    before = pids()
    done = deployment.roll("--timeout", "20")
    assert changed(before) == list(INSTANCES), "nginx and Redis stay"
    assert done.stdout.index("server-1   ready") < done.stdout.index("server-2 stopped")
    assert "Restarted server-1 server-2 in" in done.stdout

    before = pids()
    alone = ["--instance", "server-1", "--timeout", "8"]
    done = deployment.roll(*alone, check=False, STAND_IN_IS_ALONE="1")
    assert done.returncode == 1 and "stopped after server-1" in done.stderr
    assert "server-1 is not ready, or does not reach Redis" in done.stderr
    assert changed(before) == ["server-1"]

    before = pids()
    done = deployment.roll("--instance", "server-2", check=False)
    assert done.returncode == 1 and "nothing was restarted" in done.stderr
    assert "server-1 is not ready, or does not reach Redis" in done.stderr
    assert changed(before) == []


def test_where_nothing_runs_it_says_so(deployment):
    done = deployment.roll(check=False)
    assert done.returncode == 1 and "nothing runs here" in done.stderr
    assert not deployment.state.exists()


@pytest.mark.parametrize(
    "arguments", [["--instance", "server-7"], ["--timeout", "soon"], ["sideways"], ["--instance"]]
)
def test_wrong_use_says_why(deployment, arguments):
    done = deployment.roll(*arguments, check=False)
    assert done.returncode in (1, 2) and arguments[0].strip("-") in done.stderr


def test_help_names_every_option_and_exit_code(deployment):
    text = deployment.roll("--help").stdout
    for word in ("--instance", "--timeout", "--docker", "--env-file", "Exit codes: 0"):
        assert word in text
