"""Coded indexes on every tier: exact at the widest dial, as good as asked, safe when damaged."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from longspan.cext.search import SearchPlan
from longspan.indexer.errors import DamagedIndex, DoesNotFit
from longspan.indexer.store.heads import beams
from longspan.indexer.store.manifest import Manifest
from longspan.indexer.store.tiers import sizes, tiers
from longspan.indexer.tools.verify import verify
from longspan.service import Index
from longspan.service.search import memory
from longspan.service.search.request import SearchParams
from tests.builds import forget_checks
from tests.conftest import BuildIndex
from tests.data import Corpus, as_dtype, uneven_norms
from tests.reference import METRICS, brute_force, check_answer, check_same_distances
from tests.reference import recall as share

KINDS = ("pq", "rabitq")


def open_tier(path: Path, tier: int) -> Index:
    index = Index.open(path, sizes(Manifest.read(path))[tier])
    assert index.tier == tier
    return index


@pytest.mark.parametrize("tier", [0, 1, 2])
@pytest.mark.parametrize(("metric", "dtype"), [
    ("l2", "f32"), ("l2", "u8"), ("l2", "i8"), ("ip", "f32"), ("ip", "u8"), ("cosine", "f16"),
    ("cosine", "i8"),
])  # fmt: skip
@pytest.mark.parametrize("kind", KINDS)
def test_all_postings_and_all_candidates_give_the_exact_answer(
    coded_index: BuildIndex, clustered: Corpus, kind: str, metric: str, dtype: str, tier: int
) -> None:
    corpus = as_dtype(clustered, dtype)
    _, true = brute_force(corpus.queries[:20], corpus.base, 10, metric)
    with open_tier(coded_index(kind, metric, dtype), tier) as index:
        everything = SearchParams(probes=index.manifest.heads, depth=len(corpus.base))
        found = index.search(corpus.queries[:20], 10, params=everything)
        exact = index.search(corpus.queries[:20], 10, 1.0)
    check_same_distances(found.distances, true)
    check_same_distances(exact.distances, true)
    check_answer(found.ids, found.distances, corpus.queries[:20], corpus.base, metric)


@pytest.mark.parametrize(("target", "floor"), [(0.5, 0.45), (0.9, 0.87), (0.99, 0.97)])
@pytest.mark.parametrize("tier", [0, 1, 2])
@pytest.mark.parametrize("metric", METRICS)
def test_recall_asked_for_is_recall_given(
    coded_index: BuildIndex, clustered: Corpus, metric: str, tier: int, target: float, floor: float
) -> None:
    _, true = brute_force(clustered.queries, clustered.base, 10, metric)
    with open_tier(coded_index("pq", metric), tier) as index:
        answer = index.search(clustered.queries, 10, target)
    assert share(answer.distances, true, 10).mean() >= floor


@pytest.mark.parametrize("tier", [0, 1, 2])
@pytest.mark.parametrize("k", [1, 100])
def test_recall_holds_for_one_and_for_many_neighbours(
    coded_index: BuildIndex, clustered: Corpus, tier: int, k: int
) -> None:
    _, true = brute_force(clustered.queries, clustered.base, k, "l2")
    with open_tier(coded_index("rabitq"), tier) as index:
        answer = index.search(clustered.queries, k, 0.95)
    assert share(answer.distances, true, k).mean() >= 0.89


def test_inner_product_of_very_different_norms(tmp_index: BuildIndex) -> None:
    base = uneven_norms(np.random.default_rng(1), 3000, 16)
    queries = uneven_norms(np.random.default_rng(2), 100, 16)
    _, true = brute_force(queries, base, 10, "ip")
    path = tmp_index(base, metric="ip", codec="pq", calibration=300)
    for tier in (0, 1, 2):
        with open_tier(path, tier) as index:
            answer = index.search(queries, 10, 0.95)
        assert share(answer.distances, true, 10).mean() >= 0.9, tier


@pytest.mark.parametrize("tier", [0, 1, 2])
@pytest.mark.parametrize("metric", METRICS)
def test_a_batch_and_single_queries_answer_alike(
    coded_index: BuildIndex, clustered: Corpus, metric: str, tier: int
) -> None:
    with open_tier(coded_index("pq", metric), tier) as index:
        together = index.search(clustered.queries, 10, 0.9)
        alone = [index.search(query, 10, 0.9) for query in clustered.queries]
    np.testing.assert_array_equal(together.ids, np.concatenate([one.ids for one in alone]))


def test_what_a_search_cost_goes_with_its_tier(coded_index: BuildIndex, clustered: Corpus) -> None:
    spent = []
    for tier in (0, 1, 2):
        with open_tier(coded_index("pq"), tier) as index:
            stats = index.search(clustered.queries, 10, 0.95, stats=True).stats
        assert stats is not None
        assert stats.codes_scored > 0 < stats.pages_read
        spent.append(stats)
    assert spent[0].postings_read > 0 == spent[1].postings_read == spent[2].postings_read
    assert spent[2].vectors_scored < spent[1].vectors_scored < spent[0].vectors_scored


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("rows", [1, 7, 40])
def test_few_and_equal_vectors_can_be_coded(tmp_index: BuildIndex, kind: str, rows: int) -> None:
    base = np.full((rows, 5), 3, np.float32)
    path = tmp_index(base, codec=kind, calibration=10)
    assert verify(path) == []
    for tier in (0, 1, 2):
        with open_tier(path, tier) as index:
            answer = index.search(base[:2], rows + 2, 0.9)
        assert (answer.ids[:, :rows] >= 0).all() and (answer.ids[:, rows:] == -1).all()
        assert len(set(answer.ids[0, :rows].tolist())) == rows


@pytest.mark.parametrize(
    "name", ["codes-1.npy", "codes-2.npy", "codec.npz", "postings-0000.lmdb", "ids.npy"]
)
def test_a_flipped_byte_is_found(coded_index: BuildIndex, tmp_path: Path, name: str) -> None:
    shutil.copytree(coded_index("pq"), tmp_path / "index")
    content = bytearray((tmp_path / "index" / name).read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / "index" / name).write_bytes(content)
    assert any(name in problem for problem in verify(tmp_path / "index"))
    if name == "codec.npz":
        with pytest.raises(DamagedIndex, match=r"codec\.npz: its checksum does not hold"):
            Index.open(tmp_path / "index")


def test_a_copy_that_names_a_foreign_row_is_an_error_and_no_answer(
    coded_index: BuildIndex, tmp_path: Path, clustered: Corpus
) -> None:
    shutil.copytree(coded_index("pq"), tmp_path / "index")
    content = bytearray((tmp_path / "index/postings-0000.lmdb").read_bytes())
    for record in np.load(tmp_path / "index/directory.npy"):
        copies = int(record["count"] - record["primary"])
        at = int(record["offset"]) + 24 * 4 * int(record["primary"])
        content[at + 3 : at + 4 * copies : 4] = b"\x7f" * copies  # high bytes of the row numbers
    (tmp_path / "index/postings-0000.lmdb").write_bytes(content)
    forget_checks(tmp_path / "index")  # what they say comes first
    with open_tier(tmp_path / "index", 0) as index, pytest.raises(DamagedIndex, match="of 4000"):
        index.search(clustered.queries, 10, 0.9)


def test_the_budget_decides_the_tier_and_too_little_is_refused(coded_index: BuildIndex) -> None:
    path = coded_index("pq")
    each = sizes(Manifest.read(path))
    assert list(each) == sorted(set(each))
    for limit, tier in ((each[0], 0), (each[1] - 1, 0), (each[1], 1), (each[2], 2), (2**40, 2)):
        with Index.open(path, limit) as index:
            assert (index.tier, index.budget.bytes) == (tier, each[tier])
    with pytest.raises(DoesNotFit, match="its heads take"):
        Index.open(path, each[0] - 1)


def test_several_indexes_share_a_budget_heads_first(coded_index: BuildIndex) -> None:
    paths = {"a": coded_index("pq"), "b": coded_index("rabitq")}
    both = {name: sizes(Manifest.read(path)) for name, path in paths.items()}
    a, b = both.values()
    assert memory.divide(both, a[0] + b[0]) == {"a": a[0], "b": b[0]}
    assert memory.divide(both, a[2] + b[0] + 1) == {"a": a[2], "b": b[0]}
    assert memory.divide(both, 2**40) == {"a": a[2], "b": b[2]}
    with pytest.raises(DoesNotFit, match="the heads of a, b take"):
        memory.divide(both, a[0] + b[0] - 1)


def test_more_memory_is_said_to_buy_fewer_reads(coded_index: BuildIndex) -> None:
    each = tiers(Manifest.read(coded_index("pq")))
    assert [tier.resident for tier in each] == [
        "heads", "heads and first codes", "heads and both codes",
    ]  # fmt: skip
    assert each[1].pages > each[2].pages > 0 < each[0].postings


@pytest.mark.parametrize("tier", [1, 2])
def test_candidates_need_no_bytes_beside_their_own(
    coded_index: BuildIndex, clustered: Corpus, tmp_path: Path, tier: int
) -> None:
    """The stored norms lie on other pages, which nobody asked for: each would be a wait."""
    path = tmp_path / "index"
    shutil.copytree(coded_index("rabitq", "cosine", "f16"), path)
    forget_checks(path)
    queries = as_dtype(clustered, "f16").queries
    with open_tier(path, tier) as index:
        before = index.search(queries, 10, 0.9)
    with (path / "postings-0000.lmdb").open("r+b") as file:
        for record in np.load(path / "directory.npy"):
            count = int(record["primary"])
            file.seek(int(record["offset"]) + count * 24 * 2)
            file.write(np.full(count, np.nan, "<f4").tobytes())
    with open_tier(path, tier) as index:
        after = index.search(queries, 10, 0.9)
    np.testing.assert_array_equal(after.ids, before.ids)
    np.testing.assert_array_equal(after.distances, before.distances)


@pytest.mark.parametrize("tier", [0, 1, 2])
@given(depth=st.integers(0, 2**64 - 1), ranked=st.integers(1, 2**64 - 1))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_number_makes_the_native_search_take_memory_for_it(
    coded_index: BuildIndex, clustered: Corpus, tier: int, depth: int, ranked: int
) -> None:
    """Behind the door: rows bound the depth, and more heads than there are are refused."""
    queries = clustered.queries[:1]
    with open_tier(coded_index("pq"), tier) as index:
        opened = index._held()
        heads, rows = index.manifest.heads, np.empty((1, 5), np.uint32)
        plan = SearchPlan(beams(opened.heads.levels, heads), ranked, -np.inf, depth, True)
        slots = np.empty((1, 5), np.float32), np.empty((1, 5), np.int64), rows
        arguments = opened.parts.batch(queries), plan, *slots
        if ranked > heads:
            with pytest.raises(ValueError, match=f"there are {heads} heads"):
                opened.searcher.search(*arguments)
        else:
            opened.searcher.search(*arguments)
            assert (rows < index.n).all()


@pytest.mark.parametrize("tier", [0, 1, 2])
def test_the_candidates_for_all_rows_are_all_rows_a_search_can_find(
    coded_index: BuildIndex, clustered: Corpus, tier: int
) -> None:
    with open_tier(coded_index("pq"), tier) as index:
        opened, heads = index._held(), index.manifest.heads
        batch, n = opened.parts.batch(clustered.queries[:3]), index.n
        plan = SearchPlan(beams(opened.heads.levels, heads), heads, -np.inf, n + 7, True)
        rows = np.zeros((3, n + 7), np.uint32)
        assert opened.searcher.candidates(batch, plan, rows) is not None
        np.testing.assert_array_equal(np.sort(rows[:, :n]), np.tile(np.arange(n), (3, 1)))
        assert (rows[:, n:] == 2**32 - 1).all()
        with pytest.raises(ValueError, match=f"candidates are 3 x {n}"):
            opened.searcher.candidates(batch, plan, rows[:, :n].copy())
        for few in (rows[:2], rows[:0]):
            with pytest.raises(ValueError, match="candidates are"):
                opened.searcher.candidates(batch, plan, few)


def test_raw_postings_have_no_candidates(tiny_index: BuildIndex, clustered: Corpus) -> None:
    with Index.open(tiny_index()) as index:
        opened = index._held()
        batch = opened.parts.batch(clustered.queries[:1])
        plan = SearchPlan(beams(opened.heads.levels, 5), 5, -np.inf, 10, True)
        with pytest.raises(ValueError, match="have no candidates"):
            opened.searcher.candidates(batch, plan, np.empty((1, 10), np.uint32))


@pytest.mark.parametrize("tier", [0, 1, 2])
@pytest.mark.parametrize("dtype", ["f32", "f16", "i8"])
def test_a_cosine_distance_is_at_least_0_and_at_most_2(
    coded_index: BuildIndex, clustered: Corpus, dtype: str, tier: int
) -> None:
    base = as_dtype(clustered, dtype).base
    opposite = np.clip(-base[:50].astype(np.float32), -127, 127).astype(base.dtype)
    with open_tier(coded_index("rabitq", "cosine", dtype), tier) as index:
        for recall in (0.9, 1.0):
            assert index.search(base, 1, recall).distances.min() >= 0
            assert index.search(opposite, 1000, recall, max_distance=9).distances.max() <= 2


def test_codes_whose_file_was_cut_off_are_refused_and_do_not_end_the_process(
    tmp_path: Path,
) -> None:
    (tmp_path / "codes").write_bytes(bytes(1 << 16))
    codes = np.memmap(tmp_path / "codes", np.uint8, "r")
    os.truncate(tmp_path / "codes", 1 << 12)
    with pytest.raises(DamagedIndex, match="cut off"):
        memory.hold([codes], lock=False, before_each=lambda: None)
