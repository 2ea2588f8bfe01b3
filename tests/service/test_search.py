"""Searching an index: recall at three dials, what is refused, and that every way asks the same."""

import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from longspan.indexer.errors import BadQuery
from longspan.service import Index, SearchRequest
from longspan.service.search import engine
from longspan.service.search.answer import Answer, Found
from longspan.service.search.request import (
    MAX_BEAM,
    MAX_DEPTH,
    MAX_DISTANCE,
    MAX_PROBES,
    SearchParams,
)
from tests.conftest import BuildIndex
from tests.data import Corpus, as_dtype, uneven_norms
from tests.reference import DTYPES, METRICS, brute_force, check_answer
from tests.reference import recall as share


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("metric", METRICS)
def test_recall_of_one_is_exact(
    tiny_index: BuildIndex, clustered: Corpus, metric: str, dtype: str
) -> None:
    corpus = as_dtype(clustered, dtype)
    _, true = brute_force(corpus.queries, corpus.base, 10, metric)
    with Index.open(tiny_index(metric, dtype)) as index:
        answer = index.search(corpus.queries, 10, 1.0)
    assert share(answer.distances, true, 10).mean() == 1.0


@pytest.mark.parametrize(("target", "floor"), [(0.5, 0.45), (0.9, 0.87), (0.99, 0.97)])
@pytest.mark.parametrize("metric", METRICS)
def test_recall_asked_for_is_recall_given(
    tiny_index: BuildIndex, clustered: Corpus, metric: str, target: float, floor: float
) -> None:
    _, true = brute_force(clustered.queries, clustered.base, 10, metric)
    with Index.open(tiny_index(metric)) as index:
        answer = index.search(clustered.queries, 10, target)
    assert share(answer.distances, true, 10).mean() >= floor


def test_inner_product_finds_the_greatest_among_very_different_norms(
    tmp_index: BuildIndex,
) -> None:
    base = uneven_norms(np.random.default_rng(1), 4000, 16)
    queries = uneven_norms(np.random.default_rng(2), 100, 16)
    _, true = brute_force(queries, base, 10, "ip")
    with Index.open(tmp_index(base, metric="ip")) as index:
        answer = index.search(queries, 10, 0.95, stats=True)
    assert share(answer.distances, true, 10).mean() >= 0.93
    assert answer.stats is not None
    assert answer.stats.vectors_scored < 0.8 * len(base) * len(queries)


def test_a_higher_recall_never_reads_less(tiny_index: BuildIndex, clustered: Corpus) -> None:
    read = []
    with Index.open(tiny_index()) as index:
        for target in (0.3, 0.5, 0.8, 0.9, 0.95, 0.99, 0.999, 1.0):
            stats = index.search(clustered.queries, 10, target, stats=True).stats
            assert stats is not None
            read.append(stats.postings_read)
    assert read == sorted(read)
    assert read[-1] == 100 * index.manifest.heads


def test_more_neighbours_are_the_fewer_and_some_more(
    tiny_index: BuildIndex, clustered: Corpus
) -> None:
    params = SearchParams(probes=30)
    with Index.open(tiny_index()) as index:
        few, many = (index.search(clustered.queries, k, params=params) for k in (5, 50))
    np.testing.assert_array_equal(few.ids, many.ids[:, :5])


@pytest.mark.parametrize("metric", METRICS)
def test_a_batch_and_single_queries_answer_alike(
    tiny_index: BuildIndex, clustered: Corpus, metric: str
) -> None:
    with Index.open(tiny_index(metric)) as index:
        batch = index.search(clustered.queries, 10, 0.9)
        single = [index.search(query, 10, 0.9) for query in clustered.queries]
    np.testing.assert_array_equal(batch.ids, np.concatenate([one.ids for one in single]))


def test_threads_answer_alike(tiny_index: BuildIndex, clustered: Corpus) -> None:
    with Index.open(tiny_index()) as index, ThreadPoolExecutor(8) as pool:
        expected = index.search(clustered.queries, 10).ids
        found = pool.map(lambda query: index.search(query, 10).ids, list(clustered.queries) * 5)
        np.testing.assert_array_equal(np.concatenate(list(found)), np.tile(expected, (5, 1)))


def test_max_distance_cuts_the_far_ones(tiny_index: BuildIndex, clustered: Corpus) -> None:
    with Index.open(tiny_index()) as index:
        whole = index.search(clustered.queries, 10, 1.0)
        limit = float(np.median(whole.distances))
        cut = index.search(clustered.queries, 10, 1.0, max_distance=limit)
    kept = whole.distances <= limit
    np.testing.assert_array_equal(cut.ids, np.where(kept, whole.ids, -1))
    np.testing.assert_array_equal(cut.distances, np.where(kept, whole.distances, np.inf))


def test_stats_tell_what_was_read(tiny_index: BuildIndex, clustered: Corpus) -> None:
    with Index.open(tiny_index()) as index:
        stats = index.search(clustered.queries, 10, params=SearchParams(probes=7), stats=True).stats
        assert stats is not None
        assert index.search(clustered.queries, 10).stats is None
    assert (stats.queries, stats.postings_read) == (100, 700)
    assert stats.vectors_scored >= 700
    assert stats.bytes_read % 4096 == 0
    assert stats.heads_scored > 0


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(k=st.integers(1, 10_000), recall=st.floats(0.01, 1.0), probes=st.integers(1, 10_000))
def test_any_lawful_request_is_answered(
    tiny_index: BuildIndex, clustered: Corpus, k: int, recall: float, probes: int
) -> None:
    with Index.open(tiny_index()) as index:
        narrow = SearchParams(beam=1 + probes % 9)
        for params in (
            None,
            narrow,
            SearchParams(probes=probes),
            SearchParams(probes=probes, beam=1),
        ):
            queries = clustered.queries[:3]
            answer = index.search(queries, k, recall, params=params)
            assert answer.ids.shape == answer.distances.shape == (3, k)
            check_answer(answer.ids, answer.distances, queries, clustered.base, "l2")
            full = (answer.ids >= 0).sum(axis=1) == min(k, len(clustered.base))
            assert params or full.all(), "the calibrated search is never short of k"


@pytest.mark.parametrize(
    ("queries", "message"),
    [
        (np.ones(23), "23 dims, the index has 24"),
        (np.ones((1, 1, 24)), "3-d"),
        (["a"] * 24, "want numbers"),
        (np.full((2, 24), np.nan), "query 0 has a value that is no finite"),
        (np.full((1, 24), 1e300), "no finite float32"),
        (np.full((1, 24), 1e19), "query 0 is longer than"),
    ],
)
def test_a_query_that_cannot_be_answered_is_refused(
    tiny_index: BuildIndex, queries: Any, message: str
) -> None:
    with Index.open(tiny_index()) as index, pytest.raises(BadQuery, match=message):
        index.search(queries)


@pytest.mark.parametrize("value", [-1, 256, 3.5, np.nan])
def test_a_byte_index_takes_only_bytes(tiny_index: BuildIndex, value: float) -> None:
    query = np.zeros(24)
    query[3] = value
    with Index.open(tiny_index("l2", "u8")) as index:
        with pytest.raises(BadQuery, match=r"query 0 has .* at 3, .* whole numbers in \[0, 255\]"):
            index.search(query)
        assert index.search(np.full(24, 7.0)).ids.shape == (1, 10)


def test_a_zero_query_has_no_cosine(tiny_index: BuildIndex) -> None:
    with (
        Index.open(tiny_index("cosine")) as index,
        pytest.raises(BadQuery, match="query 1 is zero"),
    ):
        index.search(np.eye(2, 24)[[0, 1]] * [[1], [0]])


def test_a_query_too_short_for_a_cosine_is_refused(tiny_index: BuildIndex) -> None:
    with (
        Index.open(tiny_index("cosine")) as index,
        pytest.raises(BadQuery, match="query 0 is zero or nearly"),
    ):
        index.search(np.full(24, 1e-23))


def test_a_closed_index_says_so(tiny_index: BuildIndex, clustered: Corpus) -> None:
    index = Index.open(tiny_index())
    index.close()
    index.close()
    with pytest.raises(BadQuery, match="the index was closed"):
        index.search(clustered.queries)


@pytest.mark.parametrize("k", [0, -1, 10_001])
def test_k_out_of_range_is_refused(tiny_index: BuildIndex, k: int) -> None:
    with (
        Index.open(tiny_index()) as index,
        pytest.raises(BadQuery, match=rf"k is {k}, must be in \[1, 10000\]"),
    ):
        index.search(np.zeros(24), k)


@pytest.mark.parametrize("recall", [0.0, -0.5, 1.01, np.nan])
def test_recall_out_of_range_is_refused(tiny_index: BuildIndex, recall: float) -> None:
    with Index.open(tiny_index()) as index, pytest.raises(BadQuery, match="recall is"):
        index.search(np.zeros(24), 10, recall)


@pytest.mark.parametrize("params", [{"probes": 0}, {"beam": 0}, {"probes": -3}])
def test_params_out_of_range_are_refused(tiny_index: BuildIndex, params: dict[str, int]) -> None:
    with Index.open(tiny_index()) as index, pytest.raises(BadQuery, match="must be in"):
        index.search(np.zeros(24), params=SearchParams(**params))  # type: ignore[arg-type]


@pytest.mark.parametrize("codec", ["raw", "pq", "rabitq"])
@pytest.mark.parametrize("memory", [1 << 15, 1 << 30])
def test_the_largest_settings_mean_all_there_is(
    tmp_index: BuildIndex, codec: str, memory: int
) -> None:
    base = np.random.default_rng(3).normal(size=(600, 16)).astype(np.float32)
    largest = SearchParams(probes=MAX_PROBES, beam=MAX_BEAM, depth=MAX_DEPTH)
    with Index.open(tmp_index(base, codec=codec), memory) as index:
        answer = index.search(base[:5], 7, params=largest)
        exact = index.search(base[:5], 7, params=SearchParams(exact=True))
    np.testing.assert_array_equal(answer.ids, exact.ids)


def mapped(path: Path) -> bool:
    """Return whether this process has files of a folder mapped or open."""
    held = [str(handle.resolve()) for handle in Path("/proc/self/fd").iterdir()]
    held += Path("/proc/self/maps").read_text().splitlines()
    return any(f"{path}/" in line for line in held)


def test_files_are_let_go_when_an_index_is_closed(objects_index: Path) -> None:
    index = Index.open(objects_index)
    assert mapped(objects_index)
    index.close()
    assert not mapped(objects_index)


def test_an_index_that_is_closed_under_searches_lets_them_end(
    tmp_path: Path, objects_index: Path, clustered: Corpus
) -> None:
    shutil.copytree(objects_index, tmp_path / "index")
    query = clustered.queries[0]
    for _ in range(5):
        index = Index.open(tmp_path / "index")
        expected = index.search(query, include=("payload",)).payload
        with ThreadPoolExecutor(4) as pool:
            asking = [pool.submit(answers_until_closed, index, query) for _ in range(4)]
            time.sleep(0.02)
            index.close()
            answered = [answer for one in asking for answer in one.result()]
        assert answered
        assert all(answer.payload == expected for answer in answered)
        assert not mapped(tmp_path / "index")


def answers_until_closed(index: Index, query: Any) -> list[Answer]:
    answers: list[Answer] = []
    while True:
        try:
            answers.append(index.search(query, include=("payload",)))
        except BadQuery as error:
            assert "the index was closed" in str(error)
            return answers


def test_a_lease_outlives_the_index(objects_index: Path, clustered: Corpus) -> None:
    index = Index.open(objects_index)
    expected = index.search(clustered.queries).ids
    lease = index.lease()
    assert lease == index
    index.close()
    with lease:
        np.testing.assert_array_equal(lease.search(clustered.queries).ids, expected)
    with pytest.raises(BadQuery, match="was closed"):
        lease.lease()
    assert not mapped(objects_index)


def test_two_openings_of_one_index_are_two(tiny_index: BuildIndex) -> None:
    with Index.open(tiny_index()) as one, Index.open(tiny_index()) as other:
        assert one != other


@pytest.mark.parametrize("kind", ["l2", "ip", "cosine"])
def test_a_batch_in_slices_answers_as_a_whole(
    tiny_index: BuildIndex, clustered: Corpus, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    request = SearchRequest(k=7, recall=0.9)
    with Index.open(tiny_index(kind)) as index:
        whole = index.find(clustered.queries, request)
        monkeypatch.setattr(engine, "SCRATCH", 3 * (12 * 24 + 8 * 40))
        sliced = index.find(clustered.queries, request)
    np.testing.assert_array_equal(sliced.ids, whole.ids)
    np.testing.assert_array_equal(sliced.distances, whole.distances)
    assert counts(sliced) == counts(whole)


def counts(found: Found) -> dict[str, Any]:
    assert found.stats is not None
    return {name: value for name, value in found.stats.as_dict().items() if "_ms" not in name}


@given(nq=st.integers(0, 10_000), ranked=st.integers(1, 10**6), dim=st.integers(1, 16_384))
def test_slices_cover_a_batch_and_fit(nq: int, ranked: int, dim: int) -> None:
    queries = np.broadcast_to(np.zeros(dim, np.uint8), (nq, dim))
    parts = list(engine.slices(queries, ranked))
    assert [row for part in parts for row in range(part.start, part.stop)] == list(range(nq))
    for part in parts:
        count = part.stop - part.start
        assert count == 1 or count * (8 * ranked + 12 * dim) <= engine.SCRATCH


def test_a_distance_that_no_float32_holds_is_refused(
    tiny_index: BuildIndex, clustered: Corpus
) -> None:
    with Index.open(tiny_index()) as index:
        with pytest.raises(BadQuery, match="max_distance is"):
            index.search(clustered.queries, max_distance=1e39)
        with pytest.raises(BadQuery, match="max_distance is nan"):
            index.search(clustered.queries, max_distance=np.nan)
        everything = index.search(clustered.queries, max_distance=MAX_DISTANCE)
        np.testing.assert_array_equal(everything.ids, index.search(clustered.queries).ids)
