"""Scanning postings gives the nearest entries by the definition, however they are stored."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from longspan.cext import posting
from longspan.cext.mapped import Ids
from longspan.cext.postings import RawPostings
from longspan.cext.search import QueryBatch, Searcher, SearchPlan
from longspan.cext.tree import HeadTree
from tests.reference import DTYPES, METRICS, all_distances

CODES = {"f32": 0, "f16": 1, "u8": 2, "i8": 3}
NOBODY = 2**32 - 1
READ_ALL, READ_LEAST = -1e30, 1e30  # thresholds: every posting promises the one, none the other
LAW = np.array([-1, -1, 1], np.float32)
NO_FLOATS, NO_TURNED = np.empty(0, np.float32), np.empty((0, 0), np.float32)


def vectors_of(rng: np.random.Generator, dtype: str, n: int, dim: int) -> np.ndarray:
    low, high = (0, 9) if dtype == "u8" else (-9, 9)
    vectors = rng.integers(low, high, (n, dim)).astype(DTYPES[dtype])
    vectors[:, 0] = 1  # none is zero
    return vectors


def store(
    vectors: np.ndarray, lists: list[np.ndarray], metric: str
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Lay out postings one after the other, each at byte 16 of a page: file, offsets, counts."""
    row_bytes, cosine = vectors.shape[1] * vectors.itemsize, metric == "cosine"
    blobs, offsets, at = [], [], 0
    for rows in lists:
        size = posting.size(len(rows), row_bytes, cosine)
        blob = np.zeros(-(-(size + 16) // 4096) * 4096, np.uint8)
        norms = np.linalg.norm(vectors[rows].astype(np.float64), axis=1)
        inverses = (1 / norms).astype(np.float32) if cosine else np.empty(0, np.float32)
        members = np.ascontiguousarray(vectors[rows]).view(np.uint8)
        posting.encode(members, rows.astype(np.uint32), inverses, blob[16:])
        blobs.append(blob)
        offsets.append(at + 16)
        at += len(blob)
    counts = np.array([len(rows) for rows in lists], np.uint32)
    return np.concatenate(blobs), np.array(offsets, np.uint64), counts


def search(
    postings: RawPostings, counts: np.ndarray, heads: np.ndarray, queries: np.ndarray, k: int,
    inverses: np.ndarray = NO_FLOATS, threshold: float = READ_ALL,
) -> tuple[tuple[int, int, int, int, int], np.ndarray, np.ndarray]:  # fmt: skip
    """Search the postings of heads (h, 1), all of them ranked; return what it took, dist, rows.

    What it took: postings, vectors, codes, bytes, pages.
    """
    tree = HeadTree(
        np.empty((0, 4), np.uint8), heads.view(np.uint8), np.array([len(heads)], np.uint32),
        CODES["f32"], 1, (len(heads),),
    )  # fmt: skip
    searcher = Searcher(tree, postings, Ids(np.arange(counts.sum(), dtype=np.int64)), LAW, counts)
    lifted = queries[:, :1].astype(np.float32)
    batch = QueryBatch(
        queries.view(np.uint8), lifted.view(np.uint8), inverses, NO_TURNED, NO_FLOATS, NO_FLOATS
    )  # fmt: skip
    plan = SearchPlan(np.empty(0, np.uint32), len(heads), threshold, 0, True)
    shape = len(queries), k
    dist, rows, ids = np.empty(shape, np.float32), np.empty(shape, np.uint32), np.empty(shape, int)
    spent = searcher.search(batch, plan, dist, ids, rows)
    assert spent
    np.testing.assert_array_equal(ids, np.where(rows == NOBODY, -1, rows.astype(int)))
    return spent[1:6], dist, rows


@pytest.mark.parametrize("dtype", CODES)
@pytest.mark.parametrize("metric", METRICS)
@settings(max_examples=40)  # of each of the twelve
@given(seed=st.integers(0, 2**32 - 1), n=st.integers(1, 60), dim=st.integers(1, 40),
       k=st.integers(1, 70), copies=st.integers(1, 4))  # fmt: skip
def test_scanning_all_postings_equals_brute_force(
    dtype: str, metric: str, seed: int, n: int, dim: int, k: int, copies: int
) -> None:
    rng = np.random.default_rng(seed)
    vectors, queries = vectors_of(rng, dtype, n, dim), vectors_of(rng, dtype, 3, dim)
    heads = rng.integers(0, 5, (n, copies))
    lists = [
        members for head in range(5) if len(members := np.flatnonzero((heads == head).any(axis=1)))
    ]
    mapped, offsets, counts = store(vectors, lists, metric)
    postings = RawPostings(mapped, offsets, counts, CODES[dtype], dim, METRICS.index(metric))
    taken = queries if dtype in ("u8", "i8") else queries.astype(np.float32)
    norms = np.linalg.norm(queries.astype(np.float64), axis=1)
    inverses = (1 / norms).astype(np.float32) if metric == "cosine" else NO_FLOATS
    probed = rng.normal(size=(len(lists), 1)).astype(np.float32)  # in an order of no meaning
    spent, dist, rows = search(postings, counts, probed, taken, k, inverses)

    assert spent[:2] == (3 * len(lists), 3 * counts.sum())
    again, again_rows = np.empty_like(dist), np.empty_like(rows)
    postings.scan_every(taken.view(np.uint8), inverses, again, again_rows)
    np.testing.assert_array_equal(rows, again_rows)
    np.testing.assert_array_equal(dist, again)
    true = all_distances(queries, vectors, metric)
    kept = min(k, n)
    np.testing.assert_allclose(
        dist[:, :kept], np.sort(true, axis=1)[:, :kept], rtol=1e-5, atol=1e-5
    )
    for query in range(3):
        assert len(set(rows[query, :kept])) == kept, "a row came twice"
        np.testing.assert_allclose(
            dist[query, :kept], true[query, rows[query, :kept]], rtol=1e-5, atol=1e-5
        )
    assert np.isinf(dist[:, kept:]).all()
    assert (rows[:, kept:] == NOBODY).all()


def test_only_the_probes_worth_it_are_read_and_bytes_are_whole_pages() -> None:
    vectors = np.arange(8, dtype=np.uint8)[:, None]
    mapped, offsets, counts = store(vectors, [np.arange(4), np.arange(2, 8)], "l2")
    postings = RawPostings(mapped, offsets, counts, CODES["u8"], 1, 0)
    heads = np.array([[1], [5]], np.float32)
    spent, _, rows = search(
        postings, counts, heads, np.array([[5]], np.uint8), 6, threshold=READ_LEAST
    )
    assert spent == (1, 6, 0, 4096, 0)
    assert rows[0].tolist() == [5, 4, 6, 3, 7, 2]  # ties by row


def test_more_postings_than_a_wave_are_all_read() -> None:
    vectors = np.arange(200, dtype=np.uint8)[:, None]
    mapped, offsets, counts = store(vectors, [np.array([row]) for row in range(200)], "l2")
    postings = RawPostings(mapped, offsets, counts, CODES["u8"], 1, 0)
    queries, heads = np.array([[0], [199], [100]], np.uint8), vectors.astype(np.float32)
    spent, _, rows = search(postings, counts, heads, queries, 1)
    assert spent[0] == 600
    assert rows[:, 0].tolist() == [0, 199, 100]


def test_an_offset_that_wraps_around_is_refused() -> None:
    offsets = np.array([2**64 - 256], np.uint64)
    with pytest.raises(ValueError, match="posting 0 starts at byte"):
        RawPostings(np.zeros(4096, np.uint8), offsets, np.array([20], np.uint32), 2, 8, 0)


def test_a_posting_outside_the_file_is_refused() -> None:
    with pytest.raises(ValueError, match="posting 0 starts at byte 4000 of 4096"):
        RawPostings(
            np.zeros(4096, np.uint8),
            np.array([4000], np.uint64),
            np.array([50], np.uint32),
            2,
            8,
            0,
        )
