"""The documents are true: what they list is all there is, links lead on, examples run."""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import fields
from pathlib import Path

import pytest

from longspan.indexer import errors
from longspan.indexer.commands.console import EXIT_CODES
from longspan.service.commands import serve as cli_serve
from longspan.service.commands.main import longspan
from longspan.service.http.health import health
from longspan.service.search.answer import SearchStats
from tests.doc_tables import DOCUMENTS, ROOT, TABLES, written

TEXTS = {str(path.relative_to(ROOT)): path.read_text(encoding="utf-8") for path in DOCUMENTS}
README = TEXTS["README.md"]
PROGRAM = Path(sys.executable).with_name("longspan")
ADDRESS = "127.0.0.1:8000"  # as the documents write it
SERVED = "serve quickstart=longspan-quickstart/index"
OTHERS = {"--ulimit"}  # flags of other programs that the documents name

every_document = pytest.mark.parametrize("name", TEXTS)


def blocks(language: str) -> list[tuple[str, str]]:
    """Return all code in one language, with the document that it is of."""
    fence = re.compile(rf"^```{language}\n(.*?)^```$", re.MULTILINE | re.DOTALL)
    return [(name, code) for name, text in TEXTS.items() for code in fence.findall(text)]


def commands(text: str) -> list[list[str]]:
    """Return the words of each command line of longspan in a text, from its verb on.

    In prose a command is between backticks, with or without the program's name.
    """
    code = re.findall(r"^ *longspan (\w.*)$", text, re.MULTILINE)
    without = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    prose = re.findall(r"`(?:longspan )?(\w[^`\n]*)`", without)
    lines = [line.split("#")[0].split() for line in (*code, *prose)]
    return [line for line in lines if line and line[0] in longspan.commands]


# The shell blocks that run here: all but the README's first two, which CI runs. The one about one's
# own vectors is run once, and makes what the others work with.
SCRIPTS = [(name, code) for name, code in blocks("sh") if "venv" not in code]
OWN = next(code for _, code in SCRIPTS if "longspan build" in code).splitlines()


@every_document
def test_its_tables_are_those_that_the_code_gives(name):
    assert written(TEXTS[name]) == TEXTS[name], "python -m tests.doc_tables writes them"


def test_each_table_is_in_one_document():
    everything = "\n".join(TEXTS.values())
    assert sorted(re.findall(r"^<!-- ([a-z ]+) -->$", everything, re.MULTILINE)) == sorted(TABLES)


@every_document
def test_every_flag_that_it_gives_a_verb_is_one_of_its(name):
    for verb, *words in commands(TEXTS[name]):
        known = {flag for parameter in longspan.commands[verb].params for flag in parameter.opts}
        used = {word.split("=")[0] for word in words if re.match(r"--?[a-z]", word)}
        assert used <= known | {"--help"}, verb


@every_document
def test_every_flag_that_it_names_alone_is_one_of_some_verb(name):
    known = {
        flag
        for verb in longspan.commands.values()
        for parameter in verb.params
        for flag in parameter.opts
    }
    assert set(re.findall(r"`(--[a-z][-a-z]*)", TEXTS[name])) <= known | OTHERS


@every_document
def test_its_links_lead_to_files(name):
    here = (ROOT / name).parent
    linked = re.findall(r"\]\((?!http)([^)#]+)", TEXTS[name])
    assert [link for link in linked if not (here / link).exists()] == []


@every_document
def test_every_file_of_the_tree_that_it_names_is_there(name):
    named = re.findall(
        r"`((?:bench|cext|docker|docs|indexer|service|tests|\.ci)/[\w./]*)", TEXTS[name]
    )
    assert [path for path in named if not (ROOT / path).exists()] == []


def test_the_index_page_lists_every_document():
    listed = re.findall(r"^\| \[([\w-]+\.md)\]", TEXTS["docs/README.md"], re.MULTILINE)
    assert sorted(["README.md", *listed]) == [
        path.name for path in DOCUMENTS if path.parent != ROOT
    ]


def test_the_readme_is_a_door_and_not_a_manual():
    assert len(README.splitlines()) <= 120


def test_every_figure_beside_others_is_one_of_the_measurements():
    rows = re.findall(
        r"^\| (?:longspan|\w+ \(|hnswlib|faiss|ScaNN)[^|]*\|(.*)\|$", README, re.MULTILINE
    )
    figures = {figure for row in rows for figure in re.findall(r"[\d.,]+\d", row)}
    measured = re.findall(r"[\d.,]+\d", TEXTS["docs/measurements.md"])
    assert len(rows) == 5
    assert figures <= set(measured)


def test_every_error_has_an_exit_code_that_is_listed():
    kinds: list[type[errors.LongspanError]] = [
        errors.LongspanError,
        *errors.LongspanError.__subclasses__(),
    ]
    listed = set(re.findall(r"^  (\d+) ", EXIT_CODES, re.MULTILINE))
    assert {str(kind.exit_code) for kind in kinds} <= listed


def test_the_two_commands_on_the_first_screen_are_what_ci_runs():
    ci = (ROOT / ".ci/run").read_text()
    first, second = README.split("\n## ", 1)[0].split("```sh\n")[1:]
    for name, block in (("set_up", first), ("run_tests", second)):
        command = block.split("\n```", 1)[0]
        assert f'{name}="{command}"\n' in ci


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which quickstart was run, and which has vectors and queries of one's own."""
    folder = tmp_path_factory.mktemp("documents")
    (folder / "said").write_text(run_here([PROGRAM, "quickstart"], folder))
    for name, of in (("vectors.npy", "base.npy"), ("queries.npy", "queries.npy")):
        shutil.copy(folder / "longspan-quickstart" / of, folder / name)
    for line in OWN[:2]:
        run_here(line.split(), folder)
    return folder


@pytest.fixture(scope="module")
def served(folder: Path) -> Iterator[str]:
    """The host and port of a server of that index, by the command that the documents give."""
    assert f"longspan {SERVED}\n" in README
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = subprocess.Popen([PROGRAM, *SERVED.split(), "--port", str(port)], cwd=folder)
    try:
        deadline = time.monotonic() + 30
        while not health(f"http://127.0.0.1:{port}"):
            assert server.poll() is None and time.monotonic() < deadline, "the server is not ready"
            time.sleep(0.1)
        yield f"127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(timeout=40)


def run_here(command: Sequence[str | Path], folder: Path) -> str:
    """Return what a command prints; the test fails with what it says when it fails."""
    path = {**os.environ, "PATH": f"{PROGRAM.parent}:{os.environ['PATH']}"}
    done = subprocess.run(command, cwd=folder, env=path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def run_script(script: str, folder: Path) -> str:
    """Return what the lines of a block print, less those that a fixture has run."""
    lines = [line for line in script.splitlines() if line not in (*OWN, f"longspan {SERVED}")]
    return run_here(["bash", "-c", "\n".join(["set -euo pipefail", *lines])], folder)


@pytest.mark.parametrize(("name", "code"), blocks("python"))
def test_the_python_examples_run(folder, served, name, code):
    check = "\nif 'ids' in dir(): assert len(ids[0]) == len(distances[0]) == 10"
    run_here([sys.executable, "-W", "error", "-c", code.replace(ADDRESS, served) + check], folder)


@pytest.mark.parametrize(("name", "code"), [pair for pair in SCRIPTS if "curl" not in pair[1]])
def test_the_commands_run(folder, name, code):
    run_script(code, folder)


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl")
@pytest.mark.parametrize(("name", "code"), [pair for pair in SCRIPTS if "curl" in pair[1]])
def test_the_curl_examples_find_the_same_number_of_neighbours(folder, served, name, code):
    script = code.replace(ADDRESS, served).replace("curl -s", "curl -sf")
    printed = run_script(script, folder)
    assert printed.count('"hits":[') == script.count("curl ")
    assert printed.count('"id":') == 3 * script.count("curl ")


def test_the_answer_shown_has_the_figures_that_a_search_gives():
    ((_, shown),) = blocks("json")
    assert list(json.loads(shown)["stats"]) == [field.name for field in fields(SearchStats)]


def test_the_readme_shows_what_quickstart_prints(folder):
    (shown,) = [code for name, code in blocks("text") if code.startswith("3,202 passages")]
    said = "".join((folder / "said").read_text().splitlines(keepends=True)[: shown.count("\n")])
    assert re.sub(r"\d[\d.,]*", "N", said) == re.sub(r"\d[\d.,]*", "N", shown)


def test_what_quickstart_says_to_type_next_works(folder):
    said = (folder / "said").read_text()
    following = [line for line in said.split("Next:\n")[1].splitlines() if " longspan " in line]
    assert [line.split()[1] for line in following] == ["search", "bench", "serve", "build"]
    assert f"http://{cli_serve.HOST}:{cli_serve.PORT}/" in said
    (folder / "answers.npz").unlink()
    for command in following[:2]:
        run_here(["bash", "-c", command], folder)
