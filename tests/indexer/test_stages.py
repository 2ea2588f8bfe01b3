"""The build's stages one by one: balance, tree, fitting, the order of entries, dials."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from longspan.indexer.config import BuildConfig
from longspan.indexer.errors import BadConfig
from longspan.indexer.planning import dials, portions
from longspan.indexer.planning.form import Form
from longspan.indexer.planning.shape import shape_of
from longspan.indexer.running.job import Job
from longspan.indexer.stages import closure, cluster, crowd, entries, staging, work_files
from longspan.indexer.stages.balance import balanced_kmeans, cheapest, spread
from longspan.indexer.stages.holders import holders_in
from longspan.indexer.stages.tree import NOBODY, Tree, with_heads
from longspan.indexer.store.space import HeadSpace
from tests.data import clusters


def job_for(directory: Path, rows: np.ndarray, **dials: Any) -> Job:
    """Return the job of a build of rows, with directories to work in."""
    np.save(directory / "base.npy", rows)
    space = HeadSpace("l2", {"f": "f32", "u": "u8"}[rows.dtype.kind], rows.shape[1])
    shape = shape_of(len(rows), space, BuildConfig(codec="raw", **dials))
    work, draft = directory / "work", directory / "draft"
    job = Job(**vars(shape), source=str(directory / "base.npy"), work=work, draft=draft)
    job.work.mkdir()
    job.draft.mkdir()
    return job


def stage(job: Job) -> None:
    """Do what is done before clusters are made."""
    staging.sample(job)
    for chunk in staging.chunks_of(job):
        staging.route(job, chunk)
    staging.lay_out(job)
    for chunk in staging.chunks_of(job):
        staging.stage(job, chunk)


def grow(job: Job) -> Tree:
    """Return the head tree."""
    stage(job)
    for part in job.filled:
        cluster.cluster(job, part)
    cluster.join_tree(job)
    return cluster.tree_of(job)


def stored(heads: list[int], dist: list[float], slots: list[int]) -> np.ndarray:
    """Return where vectors are stored."""
    return closure.stored(
        np.array(heads, np.uint32), np.array(dist, np.float32), np.array(slots, np.uint32)
    )


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


def test_vectors_without_clusters_are_spread_over_all_parts() -> None:
    rng = np.random.default_rng(3)
    trained, others, rest = rng.uniform(-1, 1, (3, 4096, 256)).astype(np.float32)
    centres = balanced_kmeans(trained, 16, rng)
    without, spread_out = (
        np.bincount(cheapest(rest, centres, price), minlength=16)
        for price in (None, spread(others, centres))
    )
    assert without.max() > 4 * 256
    assert spread_out.min() > 0.5 * 256
    assert spread_out.max() < 1.5 * 256


@pytest.mark.parametrize("equal", [100, 1000])
def test_prices_of_equal_vectors_are_numbers_and_make_nothing_worse(equal: int) -> None:
    vectors = np.random.default_rng(3).normal(size=(1000, 8)).astype(np.float32)
    vectors[:equal] = 1
    centres = balanced_kmeans(vectors, 10, np.random.default_rng(1))
    price = spread(vectors, centres)
    before, after = (np.bincount(cheapest(vectors, centres, p)).max() for p in (None, price))
    assert np.isfinite(price).all()
    assert after <= before


def test_fewer_vectors_than_centres_are_the_centres() -> None:
    vectors = np.eye(3, dtype=np.float32)
    np.testing.assert_array_equal(balanced_kmeans(vectors, 5, np.random.default_rng(1)), vectors)


def test_staging_keeps_every_vector_with_its_number_and_equal_parts_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(portions, "CHUNK", 4000)  # several units of the input
    job = job_for(tmp_path, clusters(np.random.default_rng(5)).base, heads=400)
    stage(job)
    assert len(staging.chunks_of(job)) > 3
    base, origin = np.load(tmp_path / "base.npy"), job.load(work_files.ORIGIN)
    assert sorted(origin.tolist()) == list(range(job.n))
    np.testing.assert_array_equal(job.staged.rows(0, job.n), base[origin])
    top, price = (np.asarray(job.load(name)) for name in (work_files.TOP, work_files.PRICES))
    for part in job.filled:
        rows = base[origin[job.bounds[part] : job.bounds[part + 1]]]
        assert (cheapest(rows - top.mean(axis=0), top - top.mean(axis=0), price) == part).all()


def test_two_attempts_at_one_file_do_not_meet(tmp_path: Path) -> None:
    job = job_for(tmp_path, np.ones((9, 4), np.float32))
    path = job.draft / "file"
    with job.replacing(path) as first:
        first.write(b"who")
        with job.replacing(path) as second:
            second.write(b"whole")
            assert list(job.draft.iterdir()) == []
        assert path.read_bytes() == b"whole"
        first.write(b"le")
    assert path.read_bytes() == b"whole"
    assert [*job.work.iterdir(), *job.draft.iterdir()] == [path]


def test_the_tree_has_about_the_heads_wanted_and_groups_hold_every_vector(tmp_path: Path) -> None:
    job = job_for(tmp_path, clusters(np.random.default_rng(5)).base, heads=400)
    tree = grow(job)
    assert 300 <= len(tree.heads) <= 520
    assert len(tree.levels) == 2
    assert tree.sizes[0].sum() == len(tree.heads) == tree.family[-1] == tree.first_head[-1]
    for part in job.filled:
        below = job.load_all(work_files.below_of(part))
        assert sorted(below["order"]) == list(range(job.vectors_of(part)))
        assert below["groups"][-1] == job.vectors_of(part)


def test_heads_without_vectors_go_and_childless_parents_with_them() -> None:
    levels = [np.array([[0.5], [9.0]], np.float32), np.zeros((5, 1), np.float32)]
    heads = np.array([[0.0], [1.0], [2.5]], np.float32)
    found, sizes = with_heads(levels, [np.array([3, 2])], heads, np.array([3, 0]))
    assert found[0].tolist() == [[0.5]]
    assert sizes[0].tolist() == [3]
    np.testing.assert_array_equal(found[1], heads)


def test_what_is_stored_under_heads_that_went_is_forgotten_and_the_rest_renumbered() -> None:
    under = entries.under(stored([7, 8, 9, 9], [0, 0, 1, 2], [3, 4, 5, 6]), 7, np.array([1, 0, 2]))
    assert under["head"].tolist() == [0, 1, 1]
    assert under["slot"].tolist() == [3, 5, 6]


def test_a_crowded_head_becomes_several_even_when_all_its_vectors_are_equal() -> None:
    assert crowd.pieces_of(np.array([0, 1, 3, 4, 10]), 3).tolist() == [0, 1, 1, 2, 4]
    pieces = list(crowd.cut(crowd.Crowd(np.ones((10, 2), np.float32).__getitem__, 10, 16), 4))
    assert [len(rows) for _, rows in pieces] == [3, 3, 2, 2]
    assert sorted(np.concatenate([rows for _, rows in pieces])) == list(range(10))


@pytest.mark.parametrize("at_hand", [1, 4, 9])
def test_pieces_of_a_split_lie_along_its_spread(at_hand: int) -> None:
    line = np.stack([np.arange(9), np.zeros(9)], axis=1).astype(np.float32)
    line = line[[4, 0, 8, 2, 6, 1, 7, 3, 5]]
    pieces = crowd.cut(crowd.Crowd(line.__getitem__, 9, at_hand), 3)
    assert sorted(head[0] for head, _ in pieces) == [1.0, 4.0, 7.0]


@given(seed=st.integers(0, 2**32 - 1), cap=st.integers(4, 9), columns=st.integers(1, 4))
def test_entries_hold_every_vector_at_its_nearest_head_and_never_too_many(
    seed: int, cap: int, columns: int
) -> None:
    rng = np.random.default_rng(seed)
    heads, n = 12, 40
    own = rng.permutation(np.arange(n) % heads)  # at most 4 under each head
    others = [rng.permutation(np.delete(np.arange(heads), at))[: columns - 1] for at in own]
    under = [head for each in others for head in each]
    who = np.repeat(np.arange(n), columns - 1)
    primary = stored(own.tolist(), rng.random(n).tolist(), list(range(n)))
    copies = stored(under, rng.random(len(under)).tolist(), who.tolist())
    made = entries.arrange(primary, copies, heads, lambda primary: cap - primary)

    assert sorted(made.order) == list(range(n))
    assert (np.diff(made.starts) <= cap).all()
    row = 0
    for posting in range(heads):
        members, count = made.of(posting), made.primary[posting]
        assert (own[members[:count]] == posting).all()
        assert made.order[row : row + count].tolist() == members[:count].tolist()
        assert len(set(members.tolist())) == len(members)
        nearest_first = copies["slot"][copies["head"] == posting]
        assert members[count:].tolist() == nearest_first[: cap - count].tolist()
        row += count


def test_the_holders_of_a_vector_are_the_postings_that_it_is_in(tmp_path: Path) -> None:
    job = job_for(tmp_path, clusters(np.random.default_rng(5)).base, heads=300, max_copies=4)
    grow(job)
    for part in job.filled:
        closure.write_closure(job, part)
    entries.count(job)
    for part in job.filled:
        entries.settle(job, part)
    slots = np.array([[5, 900, -1], [17, 5, 1203]])
    postings = (entries.entries_of(job, part) for part in job.filled)
    holders = holders_in(postings, slots, copies=4)
    assert (holders[0, 2] == NOBODY).all()
    np.testing.assert_array_equal(holders[0, 0], holders[1, 1])
    lists = [
        made.of(posting).tolist()
        for made in (entries.entries_of(job, part) for part in job.filled)
        for posting in range(len(made.primary))
    ]
    for slot, found in zip(slots.ravel(), holders.reshape(6, -1), strict=True):
        wanted = [number for number, members in enumerate(lists) if slot in members]
        assert sorted(found[found != NOBODY].tolist()) == wanted


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
