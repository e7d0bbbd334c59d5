"""What the README shows works as it is shown."""

import os
import re
import subprocess
import sys

import pytest

from support import http
from support.processes import ROOT, run_tandem
from support.waiting import eventually

README = ROOT / "README.md"
SCRIPT = re.compile(r"scripts/[A-Za-z0-9_-]+\.(?:sh|py)")
LOCAL_ADDRESS = re.compile(r"http://(?:localhost|127\.0\.0\.1):\d+")


def readme() -> str:
    return README.read_text("utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", readme(), re.DOTALL)


def named_scripts() -> list[str]:
    return sorted(set(SCRIPT.findall(readme()))) if README.exists() else []


def test_the_readme_has_a_session_in_python_and_in_javascript():
    assert blocks("python"), "no Python example"
    assert blocks("javascript") or blocks("js"), "no JavaScript example"


@pytest.mark.known_failure("C63")
def test_the_python_example_runs_and_says_something(pair):
    for number, example in enumerate(blocks("python")):
        program = LOCAL_ADDRESS.sub(pair.nginx.url, example)
        assert pair.nginx.url in program, "the example names no local server"
        done = subprocess.run(
            [sys.executable, "-c", program],
            capture_output=True,
            text=True,
            timeout=45,
            env=os.environ | {"PYTHONUNBUFFERED": "1"},
        )
        assert done.returncode == 0, f"example {number}:\n{done.stdout}{done.stderr}"
        assert done.stdout.strip(), f"example {number} prints nothing"


MODULE_PAGE = """<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,">
<script src="/socket.io.min.js"></script>
<script type="importmap">{"imports": {"socket.io-client": "/socket.io-client.mjs"}}</script>
<script type="module" src="/example.mjs"></script>"""


async def test_the_javascript_example_runs_in_a_browser(clusters, pages, page_server, room):
    # The origins that are allowed by default: localhost, any port.
    cluster = await clusters(instances=1, redis=False, env={"CORS_ORIGINS": None})
    (example,) = blocks("javascript")
    program = LOCAL_ADDRESS.sub(cluster.instances[0].url, example)
    assert cluster.instances[0].url in program and "sala-demo" in program
    page_server.files |= {
        "/example": ("text/html", MODULE_PAGE.encode()),
        "/socket.io-client.mjs": ("text/javascript", b"export const io = window.io;"),
        "/example.mjs": ("text/javascript", program.replace("sala-demo", room).encode()),
    }
    outputs = []
    for _ in ("creates the room", "finds it there and joins"):
        tab = await pages.open("about:blank")
        said = []
        tab.page.on("console", lambda message, said=said: said.append(message.text))
        await tab.page.goto(f"{page_server.foreign_url}/example")
        await eventually(lambda: any("(guest)" in one or "ok" in one for one in said), 15)
        outputs.append(said)
    first, second = outputs
    await eventually(lambda: any("Ana (host), Ana (guest)" in one for one in first), 15)
    assert any("ok: true" in one and "version" in one for one in first), first
    assert any("Ana (host), Ana (guest)" in one for one in second), second


def test_the_readme_names_scripts():
    assert "scripts/deploy-ha.sh" in named_scripts()
    assert "scripts/test.sh" in named_scripts()
    assert "scripts/demo-failover.sh" in named_scripts()


@pytest.mark.parametrize(
    "script",
    sorted(
        {str(path.relative_to(ROOT)) for path in (ROOT / "scripts").glob("*.sh")}
        | set(named_scripts())
    ),
)
@pytest.mark.known_failure("C63")
def test_every_script_exists_and_explains_itself(script):
    path = ROOT / script
    assert path.exists(), f"{script} is named in the README and does not exist"
    assert os.access(path, os.X_OK), f"{script} is not executable"
    done = subprocess.run(
        [str(path), "--help"], capture_output=True, text=True, timeout=20, stdin=subprocess.DEVNULL
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "usage" in done.stdout.lower() and path.name in done.stdout


@pytest.mark.known_failure("C63")
async def test_every_endpoint_of_the_readme_is_served(pair):
    paths = set(re.findall(r"`(?:GET )?(/(?:api|health|metrics)[a-z/-]*)`", readme()))
    assert {"/api/health", "/api/ready", "/metrics"} <= paths
    for path in paths:
        status = await http.status_of(pair.instances[0].url + path)
        assert status in (200, 400, 401, 403), f"{path}: {status}"


def test_help_names_the_commands():
    done = run_tandem("--help")
    assert done.returncode == 0
    for command in ("serve", "check-config"):
        assert command in done.stdout
    for command in ("serve", "check-config"):
        done = run_tandem(command, "--help")
        assert done.returncode == 0 and "--env-file" in done.stdout


def test_the_version_is_told():
    done = run_tandem("--version")
    assert done.returncode == 0 and re.search(r"\d+\.\d+", done.stdout)


@pytest.mark.known_failure("C63")
def test_the_shipped_environment_file_is_a_valid_configuration():
    done = run_tandem("check-config", "--env-file", str(ROOT / ".env.ha"))
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.known_failure("C63")
def test_every_variable_of_the_environment_file_is_in_the_readmes_table():
    names = set(re.findall(r"^#?([A-Z][A-Z0-9_]+)=", (ROOT / ".env.ha").read_text(), re.MULTILINE))
    for name in ("PORT", "INSTANCE_ID", "CLUSTER_NODES", "REDIS_URL", "CORS_ORIGINS"):
        assert name in readme()
    missing = sorted(
        name
        for name in names
        if name not in readme() and not name.startswith(("NGINX_", "DOCKER_"))
    )
    assert not missing, f"not in the README: {missing}"


def test_the_page_of_limits_says_what_the_code_says():
    done = subprocess.run(
        [sys.executable, str(ROOT / "scripts/lib/limits_table.py")], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    written = (ROOT / "docs/LIMITS.md").read_text()
    assert written == done.stdout, "run: python3 scripts/lib/limits_table.py --write"
    assert written.count("\n| `") > 90


def test_every_test_that_the_page_of_limits_names_exists():
    page = (ROOT / "docs/LIMITS.md").read_text()
    named = set(re.findall(r"`((?:test_)\w+)`", page))
    assert len(named) > 8
    sources = "".join(path.read_text() for path in (ROOT / "Tests").rglob("test_*.py"))
    missing = sorted(name for name in named if f"def {name}(" not in sources)
    assert not missing, f"named and not there: {missing}"


def test_an_environment_file_is_read_and_the_environment_wins(tmp_path):
    file = tmp_path / "settings"
    file.write_text("PORT=99999999\nHOST=127.0.0.1\n")
    assert run_tandem("check-config", "--env-file", str(file)).returncode == 2
    fine = run_tandem("check-config", "--env-file", str(file), env={"PORT": "3001"})
    assert fine.returncode == 0, fine.stdout + fine.stderr


def test_an_unknown_command_or_file_is_refused():
    assert run_tandem("no-such-command").returncode != 0
    done = run_tandem("check-config", "--env-file", "/no/such/file")
    assert done.returncode == 2 and "/no/such/file" in done.stdout + done.stderr
