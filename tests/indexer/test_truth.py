"""Exact answers against the definition, and recall against them."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from longspan.indexer.errors import BadConfig, BadFile, BadQuery
from longspan.indexer.reader import Vectors, open_vectors
from longspan.indexer.tools import exhaustive
from longspan.indexer.tools.answers import write_answers
from longspan.indexer.tools.truth import exact, read_truth, recall
from tests import reference
from tests.data import as_dtype, clusters, duplicates, uneven_norms

Array = np.ndarray[Any, Any]


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Scan 24-d bases 300 rows at a time, so that every test merges several chunks."""
    monkeypatch.setattr(exhaustive, "CHUNK_BYTES", 4 * 24 * 300)


def opened(directory: Path, base: Array) -> Vectors:
    np.save(directory / "base.npy", base)
    return open_vectors(directory / "base.npy")


def check(directory: Path, base: Array, queries: Array, k: int, metric: str) -> None:
    """Check exact() against the definition: the same distances, and ids that have them."""
    ids, distances = exact(opened(directory, base), queries, k, metric)
    assert ids.dtype == np.int64
    assert distances.dtype == np.float32
    _, wanted = reference.brute_force(queries, base, k, metric)
    np.testing.assert_allclose(distances, wanted, rtol=2e-7, atol=1e-12)
    reference.check_answer(ids, distances, queries, base, metric)


@pytest.mark.parametrize("metric", reference.METRICS)
@pytest.mark.parametrize("dtype", reference.DTYPES)
@pytest.mark.parametrize("k", [1, 10, 150])
def test_exact_is_the_definition(
    tmp_path: Path, rng: np.random.Generator, metric: str, dtype: str, k: int
) -> None:
    corpus = as_dtype(clusters(rng, n=1000, queries=30), dtype)
    check(tmp_path, corpus.base, corpus.queries, k, metric)


@pytest.mark.parametrize("metric", reference.METRICS)
def test_queries_may_have_another_dtype_than_the_base(
    tmp_path: Path, rng: np.random.Generator, metric: str
) -> None:
    base = rng.integers(0, 256, size=(900, 24)).astype(np.uint8)
    check(tmp_path, base, rng.normal(100, 50, size=(5, 24)).astype(np.float32), 10, metric)


@pytest.mark.parametrize("metric", reference.METRICS)
def test_ties_everywhere_change_no_distance(
    tmp_path: Path, rng: np.random.Generator, metric: str
) -> None:
    base = duplicates(rng, 1000, 24, distinct=3)
    check(tmp_path, base, base[:7] + np.float32(0.25), 20, metric)


@pytest.mark.parametrize("metric", ["ip", "cosine"])
def test_norms_of_every_size_are_no_trouble(
    tmp_path: Path, rng: np.random.Generator, metric: str
) -> None:
    check(tmp_path, uneven_norms(rng, 1000, 24, spread=6), uneven_norms(rng, 9, 24), 10, metric)


def test_vectors_far_from_the_origin_are_told_apart(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    """Where |x|^2 + |y|^2 - 2xy in float32 has no correct digit."""
    base = (1e5 + rng.normal(size=(1000, 24))).astype(np.float32)
    check(tmp_path, base, base[:5] + np.float32(0.5), 10, "l2")


def test_squares_beyond_float32_still_find_the_nearest(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    base = (1e25 * rng.normal(size=(700, 24))).astype(np.float32)
    ids, distances = exact(opened(tmp_path, base), base[:4], 3, "l2")
    np.testing.assert_array_equal(ids, reference.brute_force(base[:4], base, 3, "l2")[0])
    assert distances[:, 0].tolist() == [0, 0, 0, 0]
    assert np.isinf(distances[:, 1:]).all()


def test_bytes_in_many_dimensions_sum_beyond_what_float32_counts(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    base = rng.integers(250, 256, size=(500, 2000)).astype(np.uint8)
    check(tmp_path, base, base[:3] // 250, 10, "ip")


def test_many_queries_are_answered_in_blocks(
    tmp_path: Path, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("longspan.indexer.tools.truth.QUERIES_AT_ONCE", 7)
    monkeypatch.setattr("longspan.indexer.tools.truth.RESCORED_AT_ONCE", 24 * 50)
    monkeypatch.setattr("longspan.indexer.tools.exhaustive.SCORED_AT_ONCE", 1000)
    check(
        tmp_path,
        rng.normal(size=(700, 24)).astype("f4"),
        rng.normal(size=(30, 24)).astype("f4"),
        5,
        "l2",
    )
    check(
        tmp_path,
        duplicates(rng, 700, 24, distinct=9),
        rng.normal(size=(30, 24)).astype("f4"),
        5,
        "ip",
    )


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_the_number_of_threads_changes_nothing(
    tmp_path: Path, rng: np.random.Generator, threads: int
) -> None:
    base = opened(tmp_path, rng.normal(size=(2000, 24)).astype(np.float32))
    queries = base.rows(0, 40)
    one, some = exact(base, queries, 9, "l2", 1), exact(base, queries, 9, "l2", threads)
    np.testing.assert_array_equal(one, some)


def test_a_base_with_fewer_than_k_rows_leaves_hits_missing(tmp_path: Path) -> None:
    base = np.eye(3, 24, dtype=np.float32)
    ids, distances = exact(opened(tmp_path, base), base[:2], 5, "l2")
    assert ids.tolist() == [[0, 1, 2, -1, -1], [1, 0, 2, -1, -1]]
    assert distances.tolist() == [[0, 2, 2, np.inf, np.inf]] * 2


def test_a_zero_vector_is_refused_by_cosine_alone(tmp_path: Path) -> None:
    vectors = np.ones((800, 24), np.float32)
    vectors[555] = 0
    base = opened(tmp_path, vectors)
    with pytest.raises(BadFile, match=r"base\.npy: row 555 is all zeros"):
        exact(base, vectors[:1], 2, "cosine")
    with pytest.raises(BadQuery, match="query 1 is all zeros"):
        exact(base, vectors[[0, 555]], 2, "cosine")
    for metric in ("l2", "ip"):
        assert exact(base, vectors[[555]], 2, metric)[1].max() <= 24


def test_a_value_that_is_not_finite_is_named(tmp_path: Path) -> None:
    vectors = np.ones((800, 24), np.float32)
    vectors[700, 3] = np.nan
    with pytest.raises(BadFile, match=r"base\.npy: row 700 has nan"):
        exact(opened(tmp_path, vectors), vectors[:1], 2, "l2")
    with pytest.raises(BadQuery, match="query 1 is not finite"):
        exact(opened(tmp_path, vectors[:10]), vectors[699:701], 2, "l2")


def test_what_cannot_be_asked_is_refused(tmp_path: Path) -> None:
    base = opened(tmp_path, np.ones((8, 24), np.float32))
    queries = base.rows(0, 2)
    with pytest.raises(BadQuery, match="k is 0"):
        exact(base, queries, 0, "l2")
    with pytest.raises(BadConfig, match="metric is 'L2', must be one of l2, ip, cosine"):
        exact(base, queries, 1, "L2")
    for wrong in (queries[:, :5], queries[0], queries[:0]):
        with pytest.raises(BadQuery, match=r"queries of shape .*, wanted \(queries, 24\)"):
            exact(base, wrong, 1, "l2")


@pytest.mark.memory
def test_a_large_base_is_scanned_in_little_memory(tmp_path: Path) -> None:
    path = tmp_path / "base.fbin"
    with path.open("wb") as file:  # 768 MiB, sparse: zeros that take no disk
        file.write(np.array([3 << 19, 128], "<u4").tobytes())
        file.truncate(8 + (3 << 19) * 512)
    code = f"""
import re, numpy as np
from pathlib import Path
from longspan.indexer.reader import open_vectors
from longspan.indexer.tools.truth import exact
base = open_vectors({str(path)!r})
ids, distances = exact(base, np.ones((4, 128), "f4"), 10, "l2", threads=2)
assert (distances == 128).all() and len(set(ids[0])) == 10
print(re.search("VmHWM: *(.*) kB", Path("/proc/self/status").read_text())[1])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 420 * 1024


def test_recall_counts_the_true_neighbours_found() -> None:
    true = np.array([[1, 2, 3, 4], [1, 2, 3, 4]])
    found = np.array([[1, 2, 3], [2, 4, 5]])
    assert recall(found, true, 3).tolist() == [1, pytest.approx(1 / 3)]
    assert recall(found, true, 2).tolist() == [1, 0.5]


def test_recall_counts_ties_whichever_was_found() -> None:
    true = np.array([[0, 5, 5, 5]])
    assert recall(np.array([[5, 5]]), true, 2) == 1
    assert recall(np.array([[5 * (1 + 1e-7), 5]]), true, 2) == 1
    assert recall(np.array([[5.01, 5]]), true, 2) == 0.5


def test_recall_of_negative_distances_is_no_looser() -> None:
    true = np.array([[-9, -8, -7]])
    assert recall(np.array([[-8 + 1e-6, -9]]), true, 2) == 1
    assert recall(np.array([[-7.99, -9]]), true, 2) == 0.5


def test_recall_does_not_count_missing_hits() -> None:
    true = np.array([[1, 2, 3], [1, np.inf, np.inf], [np.inf] * 3])
    found = np.array([[1, np.inf, np.inf], [1, np.inf, np.inf], [np.inf] * 3])
    assert recall(found, true, 3).tolist() == [pytest.approx(1 / 3), 1, 0]


def test_recall_can_also_go_by_ids() -> None:
    true_ids, true = np.array([[7, 8, 9]]), np.array([[0.1, 0.2, 0.3]])
    found_ids, found = np.array([[7, 9, -1]]), np.array([[0.1, 0.21, np.inf]])
    assert recall(found, true, 2) == 0.5
    assert recall(found, true, 3, ids=(found_ids, true_ids)) == pytest.approx(2 / 3)
    found = np.array([[0.1, 0.301, np.inf]])
    assert recall(found, true, 3) == pytest.approx(1 / 3)
    assert recall(found, true, 3, ids=(found_ids, true_ids)) == pytest.approx(2 / 3)


def test_recall_refuses_a_truth_that_is_too_small() -> None:
    with pytest.raises(BadQuery, match="3 neighbours of 2 queries, wanted at least 4 of 2"):
        recall(np.zeros((2, 4)), np.zeros((2, 3)), 4)
    with pytest.raises(BadQuery, match="of 2 queries, wanted at least 3 of 5"):
        recall(np.zeros((5, 4)), np.zeros((2, 3)), 3)


@pytest.mark.parametrize("metric", ["ip", "cosine"])
def test_a_truth_of_the_other_convention_is_turned_round(tmp_path: Path, metric: str) -> None:
    values = np.array([[0.9, 0.5, 0.5], [0.3, -0.1, -0.2]], np.float32)
    write_answers(tmp_path / "truth.ibin", np.arange(6).reshape(2, 3), values)
    _, distances = read_truth(tmp_path / "truth.ibin", metric)
    np.testing.assert_array_equal(distances, -values if metric == "ip" else 1 - values)


@pytest.mark.parametrize("metric", reference.METRICS)
def test_longspans_own_truth_is_left_alone(tmp_path: Path, metric: str) -> None:
    values = np.array([[-0.9, 0.5, 0.5], [0.3, 0.3, np.inf]], np.float32)
    write_answers(tmp_path / "truth.npz", np.array([[0, 1, 2], [3, 4, -1]]), values)
    np.testing.assert_array_equal(read_truth(tmp_path / "truth.npz", metric)[1], values)


def test_a_truth_without_order_is_refused(tmp_path: Path) -> None:
    write_answers(tmp_path / "up.npz", np.arange(6).reshape(2, 3), np.eye(2, 3, dtype="f4"))
    with pytest.raises(BadFile, match=r"up\.npz: row 0 is not in order"):
        read_truth(tmp_path / "up.npz", "ip")
    falling = np.array([[1, 2, 3], [3, 2, 1]], np.float32)
    write_answers(tmp_path / "down.npz", np.arange(6).reshape(2, 3), falling)
    with pytest.raises(BadFile, match=r"down\.npz: row 1 is not in order"):
        read_truth(tmp_path / "down.npz", "l2")
