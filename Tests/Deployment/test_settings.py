"""One list of settings: the program, the shipped file, the page and the scripts name the same."""

import re

import pytest

from conftest import ROOT

SHIPPED = (ROOT / ".env.ha").read_text()
PAGE = (ROOT / "docs/DEPLOYMENT.md").read_text()
NAME = r"[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)*"
NAMED_IN_FILE = set(re.findall(rf"^#?({NAME})=", SHIPPED, re.MULTILINE))


def names_in_page():
    settings = PAGE.split("\n## Settings\n")[1]
    cells = re.findall(r"^\| (`[^|]*) \|", settings, re.MULTILINE)
    return set(re.findall(rf"`({NAME})`", " ".join(cells)))


def names_in_program():
    source = (ROOT / "Sources/App/tandem/Settings/Variable.swift").read_text()
    return set(re.findall(rf'= "({NAME})"', source))


def names_in_scripts():
    """What scripts read of the user's settings: ${NAME:-…}, : "${NAME:=…}", number NAME."""
    text = "".join(path.read_text() for path in (ROOT / "scripts").rglob("*.sh"))
    text += (ROOT / "docker-compose.yml").read_text()
    found = set(re.findall(rf"(?:\$\{{|number )((?:NGINX|TANDEM|DOCKER|REDIS)_[A-Z_]+)", text))
    found |= set(re.findall(r"\$\{((?:START|STOP)_[A-Z_]+):[-=]", text))
    # Not settings: where tests keep their Python, and what deploy-ha.sh tells compose.
    return found - {"TANDEM_VENV", "TANDEM_PYTHON", "TANDEM_ENV_FILE", "DOCKER_INSTANCES", "DOCKER_SERVICES"}


def test_the_shipped_file_and_the_page_name_the_same_settings():
    assert NAMED_IN_FILE == names_in_page()


def test_every_variable_of_the_program_is_in_the_shipped_file():
    assert names_in_program() and names_in_program() - NAMED_IN_FILE == set()


def test_every_setting_of_the_scripts_is_in_the_shipped_file():
    assert {"NGINX_PORT", "TANDEM_BIN", "START_TIMEOUT", "REDIS_PORT"} <= names_in_scripts()
    assert names_in_scripts() - NAMED_IN_FILE == set()


@pytest.mark.known_failure("C63")
def test_nothing_is_shipped_that_nobody_reads():
    read = names_in_program() | names_in_scripts()
    assert NAMED_IN_FILE - read - {"CLUSTER_NODES"} == set()


def test_every_setting_has_a_comment_and_no_value_has_one_behind_it():
    lines = SHIPPED.splitlines()
    for number, line in enumerate(lines):
        if re.match(rf"#?{NAME}=", line):
            above = lines[number - 1]
            assert above.startswith("#"), f"line {number + 1} has no comment: {line}"
            assert " #" not in line
