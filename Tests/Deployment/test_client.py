"""fetch-client.sh: where the stock browser client comes from, and what is done without it."""

import os
import subprocess
import zipfile

import pytest

from conftest import ROOT

NAME = "socket.io.min.js"
CLIENT = "/*!\n * Socket.IO v4.8.1\n * Released under the MIT License.\n */\n!function(){}();\n"
OFFLINE = {"PIP_INDEX_URL": "http://127.0.0.1:9/", "PIP_RETRIES": "0"}


@pytest.fixture
def no_npm(tmp_path):
    """An npm that reaches nothing either."""
    return stand_in_npm(tmp_path / "no-npm", "echo 'no registry'; exit 1")


def fetch(folder, **settings):
    return subprocess.run(
        [ROOT / "scripts/fetch-client.sh", str(folder)],
        env=os.environ | OFFLINE | settings,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )


def stand_in_npm(folder, command):
    folder.mkdir()
    program = folder / "npm"
    program.write_text(f"#!/bin/sh\n{command}\n")
    program.chmod(0o755)
    return {"PATH": f"{folder}:{os.environ['PATH']}"}


def npm_with(folder, client):
    """An npm that packs this text as the client."""
    folder.mkdir()
    (folder / NAME).write_text(client)
    return stand_in_npm(
        folder / "bin",
        "mkdir -p package/dist && echo MIT >package/LICENSE && "
        f"cp {folder / NAME} package/dist/ && tar -czf socket.tgz package",
    )


def test_a_client_that_is_there_is_left_alone_and_needs_no_registry(tmp_path):
    (tmp_path / NAME).write_text(CLIENT)
    done = fetch(tmp_path)
    assert done.returncode == 0 and "4.8.1" in done.stdout, done.stderr
    assert (tmp_path / NAME).read_text() == CLIENT


def test_without_a_registry_the_exit_code_is_3_and_every_reason_is_told(tmp_path, no_npm):
    done = fetch(tmp_path / "client", **no_npm)
    assert done.returncode == 3
    for word in ("PyPI, nicegui==", "npm, socket.io-client@", "no registry", "By hand"):
        assert word in done.stderr, done.stderr
    assert not (tmp_path / "client" / NAME).exists()


def test_a_package_with_another_hash_is_refused(tmp_path, no_npm):
    wheel = tmp_path / "nicegui-3.18.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as file:
        file.writestr(f"nicegui/static/{NAME}", CLIENT)
        file.writestr("nicegui-3.18.0.dist-info/METADATA", "Name: nicegui\nVersion: 3.18.0\n")
    out = tmp_path / "client"
    done = fetch(out, PIP_NO_INDEX="1", PIP_FIND_LINKS=str(tmp_path), **no_npm)
    assert done.returncode == 3 and "Expected sha256" in done.stderr, done.stderr
    assert not (out / NAME).exists()


def test_npm_is_asked_where_pypi_does_not_answer_and_the_licence_comes_along(tmp_path):
    out = tmp_path / "client"
    done = fetch(out, **npm_with(tmp_path / "npm", CLIENT))
    assert done.returncode == 0, done.stderr
    assert (out / NAME).read_text() == CLIENT
    assert sorted(os.listdir(out)) == ["LICENSE", NAME]


@pytest.mark.parametrize("text", [CLIENT.replace("4.8.1", "4.5.4"), "<html>a proxy's page</html>"])
def test_what_is_no_client_or_too_old_is_neither_accepted_nor_kept(tmp_path, text):
    out = tmp_path / "client"
    assert fetch(out, **npm_with(tmp_path / "bad", text)).returncode == 3
    out.mkdir(exist_ok=True)
    (out / NAME).write_text(text)
    assert fetch(out, **npm_with(tmp_path / "good", CLIENT)).returncode == 0
    assert (out / NAME).read_text() == CLIENT


def test_a_start_without_the_client_goes_on_and_says_so(deployment, tmp_path, no_npm):
    out = tmp_path / "client"
    started = deployment.run("start", CLIENT_DIR=str(out), **OFFLINE, **no_npm)
    assert "could not fetch socket.io-client" in started.stderr
    assert "the page at / has no socket.io-client" in started.stderr
    assert deployment.run("status").returncode == 0
