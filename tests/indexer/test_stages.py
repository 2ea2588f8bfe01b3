"""The build's stages one by one: balance, tree, fitting, the order of entries, dials."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from longspan.indexer import cluster, dials, entries, fit
from longspan.indexer.balance import balanced_kmeans, cheapest
from longspan.indexer.config import BuildConfig
from longspan.indexer.errors import BadConfig
from longspan.indexer.form import Form
from longspan.indexer.progress import SILENT
from longspan.indexer.reader import Vectors, open_vectors
from longspan.indexer.store.space import HeadSpace
from longspan.indexer.tree import NOBODY, Copies, Tree
from longspan.indexer.workers import workers
from tests.data import clusters


def opened(directory: Path, rows: np.ndarray) -> tuple[Vectors, HeadSpace]:
    np.save(directory / "base.npy", rows)
    vectors = open_vectors(directory / "base.npy")
    return vectors, HeadSpace("l2", vectors.dtype_name, vectors.dim)


def test_balance_makes_clusters_more_even_than_lloyd_alone() -> None:
    rng = np.random.default_rng(3)
    crowd = rng.normal(size=(900, 4)) * 0.3
    few = rng.normal(size=(100, 4)) + 6
    vectors = np.concatenate([crowd, few]).astype(np.float32)
    centres = balanced_kmeans(vectors, 10, np.random.default_rng(1))
    labels = cheapest(vectors, centres)
    sizes = np.bincount(labels, minlength=10)
    assert sizes.min() > 0
    assert sizes.max() < 300


def test_fewer_vectors_than_centres_are_the_centres() -> None:
    vectors = np.eye(3, dtype=np.float32)
    np.testing.assert_array_equal(balanced_kmeans(vectors, 5, np.random.default_rng(1)), vectors)


def test_the_tree_holds_every_vector_once_and_has_about_the_heads_wanted(tmp_path: Path) -> None:
    vectors, space = opened(tmp_path, clusters(np.random.default_rng(5)).base)
    with workers(2) as pool:
        tree = cluster.grow(vectors, space, 400, 1, pool, SILENT)
    assert sorted(np.concatenate(tree.groups)) == list(range(vectors.n))
    assert 300 <= len(tree.heads) <= 520
    assert len(tree.levels) == 2
    assert tree.sizes[0].sum() == len(tree.heads)
    assert tree.family[-1] == len(tree.heads)


def test_a_tree_is_the_same_for_any_number_of_threads(tmp_path: Path) -> None:
    vectors, space = opened(tmp_path, clusters(np.random.default_rng(5)).base)
    grown = []
    for threads in (1, 3):
        with workers(threads) as pool:
            grown.append(cluster.grow(vectors, space, 300, 1, pool, SILENT))
    np.testing.assert_array_equal(grown[0].heads, grown[1].heads)


def copies_of(lists: list[list[int]], columns: int) -> Copies:
    heads = np.full((len(lists), columns), NOBODY)
    dist = np.full((len(lists), columns), np.inf, np.float32)
    for row, own in enumerate(lists):
        heads[row, : len(own)] = own
        dist[row, : len(own)] = np.arange(len(own)) + row / 100
    return Copies(heads, dist)


def test_heads_without_vectors_go_and_empty_parents_with_them(tmp_path: Path) -> None:
    vectors, space = opened(tmp_path, np.arange(4, dtype=np.float32)[:, None])
    tree = Tree(
        levels=[np.array([[0.5], [9.0]], np.float32),
                np.array([[0.0], [1.0], [2.5], [8.0], [9.0]], np.float32)],
        sizes=[np.array([3, 2])],
        groups=[np.arange(4), np.arange(0)],
    )  # fmt: skip
    copies = copies_of([[0], [1, 3], [2, 1], [2]], 2)
    fitted = fit.fit(vectors, space, tree, copies, cap=2)
    assert fitted.heads[:, 0].tolist() == [0.0, 1.0, 2.5]
    assert fitted.levels[0].tolist() == [[0.5]]
    assert copies.heads.tolist() == [[0, NOBODY], [1, NOBODY], [2, 1], [2, NOBODY]]


def test_a_crowded_head_is_split_even_when_all_its_vectors_are_equal(tmp_path: Path) -> None:
    vectors, space = opened(tmp_path, np.ones((10, 2), np.float32))
    tree = Tree([np.ones((1, 2), np.float32)], [], [np.arange(10)])
    copies = copies_of([[0]] * 10, 1)
    fitted = fit.fit(vectors, space, tree, copies, cap=3)
    assert np.bincount(copies.heads[:, 0]).tolist() == [3, 3, 2, 2]
    np.testing.assert_array_equal(fitted.heads, np.ones((4, 2), np.float32))


def test_pieces_of_a_split_lie_along_its_spread(tmp_path: Path) -> None:
    line = np.stack([np.arange(9), np.zeros(9)], axis=1).astype(np.float32)
    vectors, space = opened(tmp_path, line[[4, 0, 8, 2, 6, 1, 7, 3, 5]])
    pieces = fit.cut(vectors, space, np.arange(9), 3)
    assert sorted(piece.head[0] for piece in pieces) == [1.0, 4.0, 7.0]


@given(seed=st.integers(0, 2**32 - 1), cap=st.integers(4, 9), columns=st.integers(1, 4))
def test_entries_hold_every_vector_at_its_nearest_head_and_never_too_many(
    seed: int, cap: int, columns: int
) -> None:
    rng = np.random.default_rng(seed)
    heads, n = 12, 40
    primary = rng.permutation(np.arange(n) % heads)  # at most 4 under each head
    others = [[h for h in rng.permutation(heads) if h != own][: columns - 1] for own in primary]
    copies = copies_of([[own, *more] for own, more in zip(primary, others, strict=True)], columns)
    made = entries.arrange(copies, heads, lambda primary: cap - primary)

    assert sorted(made.order) == list(range(n))
    assert (np.diff(made.starts) <= cap).all()
    row = 0
    for posting_number, members in enumerate(made):
        count = made.primary[posting_number]
        assert (primary[members[:count]] == posting_number).all()
        assert made.order[row : row + count].tolist() == members[:count].tolist()
        assert len(set(members.tolist())) == len(members)
        assert sorted(members) == sorted(
            np.flatnonzero((copies.heads == posting_number).any(axis=1))
        )
        row += count


def test_the_farthest_copies_give_way_in_a_full_posting() -> None:
    copies = copies_of([[0], [1, 0], [2, 0], [3, 0]], 2)
    made = entries.arrange(copies, 4, lambda primary: 3 - primary)
    assert made.of(0).tolist() == [0, 1, 2]
    assert copies.heads[3].tolist() == [3, NOBODY]


@given(
    n=st.integers(1, 10**7),
    row=st.integers(1, 16_000),
    cosine=st.booleans(),
    groups=st.integers(0, 200),
)
def test_dials_give_postings_that_hold_a_vector_and_fit_their_pages(
    n: int, row: int, cosine: bool, groups: int
) -> None:
    form = Form(row, cosine, groups)
    chosen = dials.choose(n, form, BuildConfig())
    assert 1 <= chosen.heads <= n
    room = chosen.posting_pages * 4096 - 16
    assert form.size(chosen.cap, 0) <= room
    assert form.size(chosen.cap + 1, 0) > room
    primary = np.arange(1, chosen.cap + 1)
    copies = form.room(primary, chosen.posting_pages)
    for own, more in zip(primary.tolist(), copies.tolist(), strict=True):
        assert form.size(own, more) <= room < form.size(own, more + 1)


def test_a_posting_too_small_for_one_vector_is_refused() -> None:
    with pytest.raises(BadConfig, match="posting_pages is 1, but one vector"):
        dials.choose(1000, Form(5000, False), BuildConfig(posting_pages=1))
