"""What peers are given: the base, queries cut in two, and truth that is that of the queries."""

from pathlib import Path

import corpora
import numpy as np
import pytest

from longspan.indexer.reader import open_vectors
from tests.reference import all_distances, brute_force, check_same_distances


@pytest.mark.parametrize(("name", "calibration"), [("sift", 1000), ("text", 500)])
def test_each_query_is_to_calibrate_with_or_to_measure_with(
    name: str, calibration: int, data: Path, tmp_path: Path
):
    folder = corpora.prepare(name, data, tmp_path, limit=None, count=60)
    cut = [np.load(folder / f"{part}.npy") for part in ("calibration", "queries")]
    assert [len(part) for part in cut] == [calibration, 60]
    asked = open_vectors(data / corpora.SOURCES[name].queries).rows(0, calibration + 60)
    assert sorted(np.concatenate(cut).tolist()) == sorted(asked.tolist())


@pytest.mark.parametrize("limit", [None, 250])
@pytest.mark.parametrize(("name", "metric"), [("sift", "l2"), ("text", "cosine")])
def test_the_truth_is_that_of_the_queries_kept_among_the_base_kept(
    name: str, metric: str, limit: int | None, data: Path, tmp_path: Path
):
    folder = corpora.prepare(name, data, tmp_path, limit, count=20)
    base, queries, truth = (
        np.load(folder / f"{part}.npy") for part in ("base", "queries", "truth")
    )
    assert len(base) == (limit or 600)
    _, nearest = brute_force(queries, base, 10, metric)
    given = np.take_along_axis(all_distances(queries, base, metric), truth, axis=1)
    check_same_distances(given, nearest)


def test_a_set_is_made_once_and_not_again_with_other_queries(data: Path, tmp_path: Path):
    folder = corpora.prepare("sift", data, tmp_path, limit=100, count=20)
    (folder / "base.npy").unlink()
    assert corpora.prepare("sift", data, tmp_path, limit=100, count=20) == folder
    assert not (folder / "base.npy").exists()
    with pytest.raises(SystemExit, match="other options"):
        corpora.prepare("sift", data, tmp_path, limit=100, count=21)
