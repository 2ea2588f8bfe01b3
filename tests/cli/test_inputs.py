"""The verbs on HDF5, parquet, folders and URLs."""

import signal
import subprocess
from pathlib import Path

import h5py
import numpy as np
import pytest

from longspan.indexer.tools.answers import read_answers
from tests.cli.command import LONGSPAN, refused, succeeds
from tests.data import Corpus, clusters
from tests.inputs import hdf5, parquet


@pytest.fixture
def small(rng: np.random.Generator) -> Corpus:
    """Vectors that are soon built."""
    return clusters(rng, n=600, dim=8, queries=30)


def test_vectors_ids_and_queries_come_from_parquet_and_hdf5(small: Corpus, tmp_path: Path) -> None:
    (tmp_path / "base").mkdir()
    ids = np.arange(600)
    for number, rows in enumerate(np.split(ids, [200, 201])):
        parquet(tmp_path / f"base/{number}.parquet", vector=small.base[rows], id=rows)
    hdf5(tmp_path / "all.hdf5", packed=True, train=small.base, test=small.queries)
    queries = ("--queries", "all.hdf5::test")
    given = ("--ids", "base::id", *queries, "--tmp", "base")
    succeeds("build", "base::vector", "index", *given, cwd=tmp_path)
    succeeds("truth", "all.hdf5", queries[1], "-k", "10", "-o", "truth.npz", cwd=tmp_path)
    succeeds("search", "index", *queries, "--exact", "-o", "found.npz", cwd=tmp_path)
    found, wanted = (read_answers(tmp_path / f"{name}.npz")[0] for name in ("found", "truth"))
    np.testing.assert_array_equal(found, wanted)
    asked = (*queries, "--truth", "truth.npz", "--recall", "0.9")
    succeeds("bench", "index", *asked, cwd=tmp_path)
    left = sorted(path.name for path in tmp_path.iterdir())
    assert left == ["all.hdf5", "base", "found.npz", "index", "truth.npz"]
    assert len(list((tmp_path / "base").iterdir())) == 3


def test_what_cannot_be_copied_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "huge.h5", "w") as file:  # no chunk of it is ever stored
        file.create_dataset("train", (2**40, 128), np.float32, chunks=(1000, 128))
    refused(4, "build", "huge.h5", "index", words="the disk has", cwd=tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["huge.h5"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_signal_in_the_middle_of_a_copy_leaves_nothing(tmp_path: Path, number: int) -> None:
    with h5py.File(tmp_path / "large.h5", "w") as file:  # zeros, of which none is stored
        file.create_dataset("train", (2**23, 64), np.float32, chunks=(1000, 64))
    command = [*LONGSPAN, "build", "large.h5", "new/index"]
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        assert process.stderr.readline() == "copy: 2,147,483,648 bytes\n"
        process.send_signal(number)
        messages = process.stderr.read()
    assert process.returncode == (143 if number == signal.SIGTERM else -number)
    assert "Traceback" not in messages
    assert [path.name for path in tmp_path.iterdir()] == ["large.h5"]
