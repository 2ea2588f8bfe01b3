"""The README is true: everything it lists exists, what exists is listed, its examples run."""

import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from longspan.indexer import errors
from longspan.indexer.commands.console import EXIT_CODES
from longspan.service.commands import serve as cli_serve
from longspan.service.commands.main import longspan
from longspan.service.http.app import create_app
from longspan.service.http.process import health
from longspan.service.http.settings import Settings
from tests.doc_tables import written

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
PROGRAM = Path(sys.executable).with_name("longspan")
ADDRESS = "127.0.0.1:8000"  # as the README writes it


def blocks(language: str) -> list[str]:
    """Return the README's code in one language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def between(start: str, end: str) -> str:
    """Return what stands between two markers."""
    return README.split(start, 1)[1].split(end, 1)[0].strip()


def test_its_tables_are_those_that_the_code_gives():
    assert written(README) == README, "python -m tests.doc_tables writes them"


def test_the_verbs_listed_are_those_of_the_command_line():
    assert re.findall(r"^\| `longspan (\w+)", README, re.MULTILINE) == list(longspan.commands)


def test_every_flag_that_the_readme_uses_exists():
    known = {
        flag
        for verb in longspan.commands.values()
        for parameter in verb.params
        for flag in parameter.opts
    }
    used = {
        flag
        for line in README.splitlines()
        if "longspan " in line and "pip" not in line and "docker" not in line
        for flag in re.findall(r"(?<![-\w])--?[a-z][-a-z]*", line.split("longspan ", 1)[1])
    }
    assert used - known <= {"--help"}


def test_the_routes_listed_are_those_of_the_server():
    described = create_app(Settings(indexes={"main": Path("main")})).openapi()["paths"]
    routes = {f"{verb.upper()} {path}" for path, verbs in described.items() for verb in verbs}
    assert set(re.findall(r"^\| `((?:GET|POST) [^`]*)`", README, re.MULTILINE)) == routes


def test_the_exit_codes_listed_are_those_of_the_command_line():
    table = between("## Exit codes", "\n## ")
    listed = {code for row in re.findall(r"^\| ([\d, ]+) \|", table, re.MULTILINE)
              for code in row.split(", ")}  # fmt: skip
    assert listed == set(re.findall(r"^  (\d+) ", EXIT_CODES, re.MULTILINE))
    kinds: list[type[errors.LongspanError]] = [
        errors.LongspanError,
        *errors.LongspanError.__subclasses__(),
    ]
    assert {str(kind.exit_code) for kind in kinds} <= listed


def test_the_two_commands_on_the_first_screen_are_what_ci_runs():
    ci = (ROOT / ".ci/run").read_text()
    first, second = README.split("## ", 1)[0].split("```sh\n")[1:]
    for name, block in (("set_up", first), ("run_tests", second)):
        command = block.split("\n```", 1)[0]
        assert f'{name}="{command}"\n' in ci


def test_every_file_that_the_readme_names_is_there():
    named = re.findall(r"`((?:docker|service|tests|indexer|cext|\.ci)/[\w./]*)`", README)
    assert named
    assert [name for name in named if not (ROOT / name).exists()] == []


@pytest.fixture(scope="module")
def quickstarted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which `longspan quickstart` was run."""
    folder = tmp_path_factory.mktemp("readme")
    subprocess.run([PROGRAM, "quickstart"], cwd=folder, check=True, capture_output=True)
    return folder


@pytest.fixture(scope="module")
def served(quickstarted: Path) -> Iterator[str]:
    """The host and port of a server of that index, by the command that the README gives."""
    (command,) = re.findall(r"`longspan (serve quickstart=\S+)`", README)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = subprocess.Popen([PROGRAM, *command.split(), "--port", str(port)], cwd=quickstarted)
    try:
        deadline = time.monotonic() + 30
        while not health(f"http://127.0.0.1:{port}"):
            assert server.poll() is None and time.monotonic() < deadline, "the server is not ready"
            time.sleep(0.1)
        yield f"127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(timeout=40)


def run_here(command: list[str], folder: Path) -> str:
    """Return what a command prints; the test fails with what it says when it fails."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("code", blocks("python"), ids=lambda code: code.splitlines()[0])
def test_the_python_examples_run(quickstarted, served, code):
    code = code.replace(ADDRESS, served) + "\nassert len(ids[0]) == len(distances[0]) == 10"
    run_here([sys.executable, "-W", "error", "-c", code], quickstarted)


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl")
def test_the_curl_examples_find_the_same_number_of_neighbours(quickstarted, served):
    (script,) = [block for block in blocks("sh") if "curl" in block]
    script = "set -euo pipefail\n" + script.replace(ADDRESS, served).replace("curl -s", "curl -sf")
    printed = run_here(["bash", "-c", script], quickstarted)
    assert printed.count('"hits":[') == script.count("curl ")
    assert printed.count('"id":') == 3 * script.count("curl ")


def test_what_quickstart_says_to_type_next_works(quickstarted):
    path = {**os.environ, "PATH": f"{PROGRAM.parent}:{os.environ['PATH']}"}
    said = subprocess.run([PROGRAM, "quickstart"], cwd=quickstarted, env=path, check=True,
                          capture_output=True, text=True).stdout  # fmt: skip
    commands = [line for line in said.split("Next:\n")[1].splitlines() if " longspan " in line]
    assert [line.split()[1] for line in commands] == ["search", "bench", "serve", "build"]
    assert f"http://{cli_serve.HOST}:{cli_serve.PORT}/" in said
    for command in commands[:2]:
        done = subprocess.run(command, shell=True, cwd=quickstarted, env=path, capture_output=True)
        assert done.returncode == 0, done.stderr
