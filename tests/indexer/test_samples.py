"""Which queries calibrate an index: some whose neighbours are known, and more of them."""

from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from longspan.indexer.reader.opening import open_vectors
from longspan.indexer.running.progress import SILENT
from longspan.indexer.stages.samples import (
    HITS,
    KNOWN,
    MANY_ARE,
    MORE,
    drawn,
    samples_of,
    taken,
    unknown,
)
from tests.reference import all_distances


@given(st.integers(1, 20_000), st.integers(1, 10_000), st.integers(0, 9))
def test_drawn_queries_are_vectors_once_each(n: int, count: int, seed: int) -> None:
    known, more = drawn(n, count, seed)
    assert len(known) == min(n, count, KNOWN)
    assert len(more) <= HITS
    assert len(more) == min(max(count - KNOWN, MORE), HITS) or n < 2 * count or count < MORE
    both = np.concatenate([known, more])
    assert len(np.unique(both)) == len(both)
    assert both.min() >= 0
    assert both.max() < n


def test_of_a_long_file_some_queries_are_known_and_more_are_taken(tmp_path: Path) -> None:
    np.save(tmp_path / "q.npy", np.arange(9_000, dtype=np.float32)[:, None])
    known, own, more = taken(open_vectors(tmp_path / "q.npy"))
    assert len(known) == len(own) == KNOWN
    assert len(more.queries) == len(more.own) == HITS
    both = np.sort(np.concatenate([known, more.queries])[:, 0])
    assert np.diff(both).min() > 0
    assert (both[0], both[-1]) == (0, 8_999)  # from all of the file


def test_half_of_many_queries_are_fresh(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    base = rng.normal(size=(300, 4)).astype(np.float32)
    np.save(tmp_path / "b.npy", base)
    queries, own = rng.normal(size=(MANY_ARE + 2, 4)).astype(np.float32), np.full(MANY_ARE + 2, -1)
    more = unknown(queries[:0], own[:0])
    vectors = open_vectors(tmp_path / "b.npy")
    found = samples_of(vectors, queries, own, more, "q", "l2", 1, SILENT)
    assert len(found.usual.queries) == len(found.fresh.queries) == MANY_ARE // 2 + 1
    both = np.concatenate([found.usual.queries, found.fresh.queries])
    nearest = np.concatenate([found.usual.truth, found.fresh.truth])[:, 0]
    np.testing.assert_array_equal(nearest, all_distances(both, base, "l2").argmin(axis=1))
