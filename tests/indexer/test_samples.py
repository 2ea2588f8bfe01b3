"""Which queries calibrate an index: some whose neighbours are known, and more of them."""

from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from longspan.indexer.config import BuildConfig
from longspan.indexer.planning import memory, pace
from longspan.indexer.planning.portions import KNOWN
from longspan.indexer.planning.shape import shape_of
from longspan.indexer.reader.opening import open_vectors
from longspan.indexer.running.progress import SILENT
from longspan.indexer.stages.samples import (
    HITS,
    MANY_ARE,
    MORE,
    Sample,
    drawn,
    samples_of,
    taken,
    unknown,
)
from longspan.indexer.store.calibration import RECALLS
from longspan.indexer.store.manifest import Manifest
from longspan.indexer.store.space import HeadSpace
from tests.builds import built_index
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


def test_queries_beyond_the_known_are_planned_without_memory_or_time() -> None:
    shape = shape_of(1_000_000, HeadSpace("l2", "u8", 128), BuildConfig())
    fewer, known, more = (memory.needs(shape, asked) for asked in (KNOWN // 2, KNOWN, 3 * KNOWN))
    assert more == known
    assert known["truth"].once > fewer["truth"].once
    less, same, none = (pace.core_seconds(shape, asked) for asked in (KNOWN // 2, KNOWN, 3 * KNOWN))
    assert none == same
    assert same["calibrate"] > less["calibrate"]


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


def test_queries_whose_neighbours_are_all_equally_far_do_not_choose() -> None:
    distances = np.array([[0, 0, 0], [0, 0, 1], [2, 2, 2], [1, 2, np.inf]], np.float32)
    rows = np.arange(4)
    sample = Sample(rows[:, None], np.zeros((4, 3), np.int64), distances, rows)
    np.testing.assert_array_equal(sample.telling().own, [1, 3])
    alike = sample.some(np.array([True, False, True, False]))
    np.testing.assert_array_equal(alike.telling().own, [0, 2])  # nobody else is there


def test_equal_vectors_do_not_make_other_queries_dearer(tmp_path: Path) -> None:
    rows = np.random.default_rng(1).normal(size=(2_500, 16)).astype(np.float32)
    many = rows.copy()
    many[::10] = rows[0]
    reads = []
    for name, base in (("plain", rows), ("equal", many)):
        (tmp_path / name).mkdir()
        index = built_index(tmp_path / name, base, codec="pq", calibration=250)
        tiers = Manifest.read(index).calibration["tiers"]
        at = RECALLS.index(0.95)
        reads.append([tier["postings"][1][at] + tier["pages"][1][at] for tier in tiers])
    # They were three to five times as dear; 250 queries tell reads to a quarter or so.
    assert (np.array(reads[1]) < 1.6 * np.array(reads[0])).all(), reads
