"""`longspan build`, and every input that it refuses."""

import json
import re
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from longspan.indexer.tools.answers import read_answers
from tests.cli.command import refused, succeeds


def npy(vectors: Any) -> Any:
    return lambda path: np.save(path, vectors)


def raw(data: bytes) -> Any:
    return lambda path: path.write_bytes(data)


def flaw(value: float) -> np.ndarray[Any, Any]:
    vectors = np.ones((50, 4), np.float32)
    vectors[42, 3] = value
    return vectors


def test_its_json_is_the_manifest(files: Path, tmp_path: Path) -> None:
    index = tmp_path / "index"
    done = succeeds(
        "build", files / "base.npy", index, "--json", "--max-copies", "3", "--recall", "0.8",
        "--metric", "cosine", "--threads", "1", "--memory", "2GiB", "--seed", "77",
    )  # fmt: skip
    manifest = json.loads(done.stdout)
    assert (manifest["n"], manifest["dim"], manifest["dtype"]) == (4000, 24, "f32")
    assert manifest["metric"] == "cosine"
    chosen = {"max_copies": 3, "recall": 0.8, "seed": 77}
    assert manifest["config"].items() >= chosen.items()
    assert manifest == json.loads(succeeds("info", index, "--json").stdout)


def test_progress_goes_to_stderr_in_plain_lines(files: Path, tmp_path: Path) -> None:
    done = succeeds("build", files / "base.npy", tmp_path / "index")
    assert re.search(r"^pack: [\d,]+ \w+ in [\d.]+ s, [\d,.]+ MiB$", done.stderr, re.MULTILINE)
    assert "pack:" not in done.stdout
    assert "\x1b" not in done.stdout + done.stderr
    assert "\r" not in done.stdout + done.stderr


def test_names_given_to_the_vectors_are_what_a_search_finds(files: Path, tmp_path: Path) -> None:
    (tmp_path / "ids.txt").write_text("".join(f"{10**12 + row}\n" for row in range(4000)))
    succeeds("build", files / "base.npy", "index", "--ids", "ids.txt", cwd=tmp_path)
    base = ("--queries", files / "base.npy", "-k", "1", "--exact", "-o", "found.npz")
    succeeds("search", "index", *base, cwd=tmp_path)
    ids, distances = read_answers(tmp_path / "found.npz")
    assert (distances == 0).all()
    assert (ids[:, 0] == 10**12 + np.arange(4000)).mean() > 0.99


@pytest.mark.parametrize(
    ("name", "write", "words"),
    [
        ("base.npy", raw(b""), "empty"),
        ("base.fbin", raw(struct.pack("<II", 9, 4) + bytes(99)), "truncated"),
        ("base.csv", raw(b"1,2"), "'.csv'"),
        ("base.parquet", raw(b"PAR1"), "base.parquet: cannot be read"),
        ("base.hdf5", raw(b"PAR1"), "base.hdf5: cannot be read"),
        ("base.npy", raw(b"hello, this is no array"), "header"),
        ("base.npy", npy(np.asfortranarray(np.ones((9, 4), np.float32))), "Fortran"),
        ("base.npy", npy(np.ones((9, 4, 2), np.float32)), "(9, 4, 2)"),
        ("base.npy", npy(np.ones((9, 4))), "float64"),
        ("base.npy", npy(np.array([["a", None]], object)), "dtype('O')"),
        ("base.npy", npy(np.ones((9, 0), np.float32)), "9 vectors of 0 dims"),
        ("base.npy", npy(flaw(np.nan)), "row 42 has nan"),
        ("base.npy", npy(flaw(-np.inf)), "row 42 has -inf"),
        ("base.fvecs", raw(struct.pack("<ifif", 1, 0, 2, 0)), "row 1 has 2 dims"),
        ("none.npy", lambda path: None, "no such file"),
        ("base.npy", lambda path: path.mkdir(), "a folder without a file"),
    ],
)
def test_a_bad_input_is_refused_and_nothing_is_written(
    tmp_path: Path, name: str, write: Any, words: str
) -> None:
    write(tmp_path / name)
    before = sorted(tmp_path.iterdir())
    refused(2, "build", name, "index", words=words, cwd=tmp_path)
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize("position", [17, 42])
def test_a_zero_vector_is_refused_by_cosine(tmp_path: Path, position: int) -> None:
    vectors = np.ones((50, 4), np.float32)
    vectors[position] = 0
    np.save(tmp_path / "base.npy", vectors)
    arguments = ("build", "base.npy", "index", "--metric", "cosine")
    refused(2, *arguments, words=f"row {position} ", cwd=tmp_path)


def test_bad_ids_and_bad_calibration_queries_are_refused(files: Path, tmp_path: Path) -> None:
    (tmp_path / "twice.txt").write_text("7\n" * 4000)
    np.save(tmp_path / "few.npy", np.arange(5))
    np.save(tmp_path / "wide.npy", np.ones((20, 25), np.float32))
    build = ("build", files / "base.npy", "index")
    refused(2, *build, "--ids", "twice.txt", words="the same id 7", cwd=tmp_path)
    refused(2, *build, "--ids", "few.npy", words="5 ids, wanted 4000", cwd=tmp_path)
    refused(2, *build, "--queries", "wide.npy", words="25", cwd=tmp_path)
    assert not (tmp_path / "index").exists()


@pytest.mark.parametrize(
    ("flag", "value", "words"),
    [
        ("--memory", "1 banana", "'1 banana' is no size"),
        ("--memory", "512", "'512' is no size"),
        ("--max-copies", "0", "max_copies is 0, must be in [1, 64]"),
        ("--recall", "nan", "recall is nan"),
        ("--seed", "x", "'x' is not a valid integer"),
        ("--metric", "hamming", "'hamming'"),
    ],
)
def test_a_dial_out_of_range_is_refused(
    files: Path, tmp_path: Path, flag: str, value: str, words: str
) -> None:
    refused(2, "build", files / "base.npy", tmp_path / "index", flag, value, words=words)
    assert not list(tmp_path.iterdir())


def test_a_build_that_does_not_fit_in_memory_is_refused(files: Path, tmp_path: Path) -> None:
    arguments = ("build", files / "base.npy", tmp_path / "index", "--memory", "1kB")
    refused(4, *arguments, words="memory")
    assert not list(tmp_path.iterdir())


def test_an_existing_output_is_left_as_it_is(files: Path, tmp_path: Path) -> None:
    (tmp_path / "index").mkdir()
    (tmp_path / "index" / "mine").touch()
    refused(2, "build", files / "base.npy", tmp_path / "index", words="index")
    assert [path.name for path in (tmp_path / "index").iterdir()] == ["mine"]
    assert len(list(tmp_path.iterdir())) == 1
