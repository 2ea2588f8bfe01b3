"""`longspan build --payload`, `info`, `verify`, and `search --include payload`."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.cli.command import refused, succeeds
from tests.data import Corpus

N = 100


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, clustered: Corpus) -> Path:
    """A directory with vectors, queries, objects, and an index with and one without payload."""
    folder = tmp_path_factory.mktemp("payload")
    np.save(folder / "base.npy", clustered.base[:N])
    np.save(folder / "queries.npy", clustered.queries[:30])
    lines = [json.dumps({"row": row, "title": f"no. {row}"}) for row in range(N)]
    (folder / "objects.jsonl").write_text("\n".join(lines) + "\n")
    build = ("build", "base.npy", "--calibration", "10")
    succeeds(*build, "index", "--payload", "objects.jsonl", cwd=folder)
    succeeds(*build, "bare", cwd=folder)
    return folder


def manifest(folder: Path, index: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(succeeds("info", index, "--json", cwd=folder).stdout)
    return found


def test_payload_changes_nothing_else_of_an_index(folder: Path) -> None:
    made, other = (manifest(folder, name) for name in ("index", "bare"))
    files, bare = made["files"], other["files"]
    assert set(files) - set(bare) == {"payload.lmdb", "payload.npy"}
    assert {name: files[name] for name in bare} == bare
    assert made["input"]["payload"] == "objects.jsonl"
    assert "payload" not in other["input"]


def test_info_says_how_much_there_is_and_verify_holds(folder: Path) -> None:
    assert f"payload   {N} objects (" in succeeds("info", "index", cwd=folder).stdout
    assert "every check holds" in succeeds("verify", "index", cwd=folder).stdout


@pytest.mark.parametrize("include", [True, False])
def test_search_writes_a_line_of_json_a_query(folder: Path, tmp_path: Path, include: bool) -> None:
    search = ("search", "index", "--queries", "queries.npy", "-k", "3", "--exact")
    output, answers = tmp_path / "found.jsonl", tmp_path / "found.npz"
    more = ("--include", "payload") if include else ()
    succeeds(*search, *more, "-o", output, cwd=folder)
    succeeds(*search, "-o", answers, cwd=folder)
    lines = [json.loads(line)["hits"] for line in output.read_text().splitlines()]
    true = np.load(answers)
    assert [[hit["id"] for hit in hits] for hits in lines] == true["ids"].tolist()
    distances = [[hit["distance"] for hit in hits] for hits in lines]
    np.testing.assert_array_equal(np.array(distances, np.float32), true["distances"])
    for hit in (hit for hits in lines for hit in hits):
        named = {"row": hit["id"], "title": f"no. {hit['id']}"}
        assert hit.get("payload") == (named if include else None)


def test_what_cannot_hold_or_give_payload_is_refused(folder: Path, tmp_path: Path) -> None:
    search = ("--queries", "queries.npy", "--include", "payload", "-o")
    words = "cannot hold payload: --include goes with .jsonl"
    refused(2, "search", "index", *search, tmp_path / "found.ibin", words=words, cwd=folder)
    lines = tmp_path / "found.jsonl"
    refused(2, "search", "bare", *search, lines, words="has no payload", cwd=folder)
    assert list(tmp_path.iterdir()) == []


def test_bad_payload_is_refused_and_nothing_is_written(folder: Path, tmp_path: Path) -> None:
    lines = (folder / "objects.jsonl").read_text().splitlines()
    lines[41] = '{"row": NaN}'
    (tmp_path / "nan.jsonl").write_text("\n".join(lines))
    build = ("build", folder / "base.npy", "index", "--payload")
    refused(2, *build, "nan.jsonl", words="nan.jsonl: line 42 is no JSON", cwd=tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["nan.jsonl"]
