"""`longspan serve` and `longspan health`."""

import json
import subprocess
from pathlib import Path

from tests.cli.command import LONGSPAN, longspan, refused
from tests.service.serving import free_port, wait_until


def test_a_server_that_is_not_there_is_not_ready() -> None:
    done = longspan("health", "http://127.0.0.1:9", "--json")
    assert done.returncode == 1
    assert json.loads(done.stdout) == {"url": "http://127.0.0.1:9", "ready": False}


def test_an_index_is_served_under_its_name_until_the_server_is_told_to_stop(files: Path) -> None:
    port = str(free_port())
    command = [*LONGSPAN, "serve", f"prod={files}/index", "--port", port, "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        record = json.loads(process.stdout.readline())
        try:
            wait_until(lambda: longspan("health", record["url"]).returncode == 0)
        finally:
            process.terminate()
    assert record["url"] == f"http://127.0.0.1:{port}"
    assert record["indexes"] == {"prod": f"{files}/index"}
    assert process.returncode in (0, 143)


def test_it_refuses_what_cannot_be_served(files: Path, tmp_path: Path) -> None:
    index = files / "index"
    refused(2, "serve", f"a={index}", f"a={index}", words="two indexes are named a")
    refused(2, "serve", f"a b={index}", words="a b")
    refused(2, "serve", tmp_path, words=str(tmp_path))
    refused(2, "serve", index, "--port", "99999", words="99999")
    refused(2, "serve", index, "--host", "", words="empty")
