"""`longspan truth`."""

import json
from pathlib import Path

import numpy as np

from longspan.indexer.tools.answers import read_answers
from tests import reference
from tests.cli.command import refused, succeeds
from tests.data import Corpus


def test_it_writes_the_exact_neighbours(files: Path, clustered: Corpus) -> None:
    ids, distances = read_answers(files / "truth.npz")
    _, wanted = reference.brute_force(clustered.queries, clustered.base, 20, "l2")
    reference.check_same_distances(distances, wanted)
    assert ids.shape == (100, 20)


def test_it_tells_what_it_wrote(files: Path, tmp_path: Path) -> None:
    output = tmp_path / "truth.ibin"
    arguments = ("truth", files / "base.npy", files / "queries.npy", "-o", output, "--json")
    record = json.loads(succeeds(*arguments, "-k", "3", "--metric", "cosine").stdout)
    assert record.pop("seconds") > 0
    assert record == {
        "output": str(output), "queries": 100, "k": 3, "metric": "cosine", "vectors": 4000,
    }  # fmt: skip
    assert read_answers(output)[0].shape == (100, 3)


def test_it_refuses_what_it_could_not_write_before_the_work(files: Path, tmp_path: Path) -> None:
    base, queries = files / "base.npy", files / "queries.npy"
    (tmp_path / "old.npz").touch()
    for name, words in [
        ("old.npz", "already exists"),
        ("new.csv", "'.csv'"),
        ("none/new.npz", "folder"),
    ]:
        refused(2, "truth", base, queries, "-o", tmp_path / name, words=words)
    assert [path.name for path in tmp_path.iterdir()] == ["old.npz"]


def test_it_refuses_bad_arguments(files: Path, tmp_path: Path) -> None:
    base, queries = files / "base.npy", files / "queries.npy"
    np.save(tmp_path / "short.npy", np.zeros((4, 5), np.float32))
    out = ("-o", tmp_path / "new.npz")
    refused(2, "truth", base, queries, *out, "-k", "0", words="0 is not in the range")
    refused(2, "truth", base, tmp_path / "short.npy", *out, words="(4, 5)")
    refused(2, "truth", tmp_path / "none.npy", queries, *out, words="no such file")
    refused(2, "truth", base, queries, *out, "--metric", "l1", words="'l1'")
    refused(2, "truth", base, queries, *out, "--threads", "0", words="0 is not in the range")
    assert not (tmp_path / "new.npz").exists()
