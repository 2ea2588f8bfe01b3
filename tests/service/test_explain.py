"""An explanation says of every ranked posting what a search does with it."""

from pathlib import Path

import httpx
import numpy as np
import pytest

from longspan.indexer import build
from longspan.indexer.config import BuildConfig
from longspan.indexer.errors import BadQuery
from longspan.service import Index
from longspan.service.search import explain
from longspan.service.search.request import SearchParams
from tests.data import Corpus, clusters
from tests.service.test_http_refusals import check


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("explained")
    np.save(folder / "base.npy", clusters(np.random.default_rng(3), n=3000, dim=16).base)
    config = BuildConfig(codec="raw", calibration=100)
    build(folder / "base.npy", folder / "index", config=config)
    return folder / "index"


@pytest.mark.parametrize("recall", [0.5, 0.95, 0.99])
def test_the_postings_said_to_be_read_are_as_many_as_a_search_reads(
    index: Path, recall: float
) -> None:
    queries = np.load(index.parent / "base.npy")[:40]
    with Index.open(index) as opened:
        for query in queries:
            stats = opened.search(query, 10, recall, stats=True).stats
            said = opened.explain(query, 10, recall)
            assert stats is not None
            assert sum(one.read for one in said.postings) == stats.postings_read
            assert len(said.postings) == stats.postings_read + stats.postings_pruned
            assert sum(one.vectors for one in said.postings if one.read) >= 10


def test_what_is_read_promises_enough_and_what_is_not_does_not(index: Path) -> None:
    with Index.open(index) as opened:
        said = opened.explain(np.load(index.parent / "base.npy")[7], 10, 0.9)
    assert said.resident == "heads"
    assert {one.read for one in said.postings} == {True, False}
    for rank, one in enumerate(said.postings):
        assert one.read == (one.promise >= said.needed or rank < said.at_least)
    assert [one.distance for one in said.postings] == sorted(one.distance for one in said.postings)


def test_a_given_number_of_probes_is_read_whatever_is_promised(index: Path) -> None:
    with Index.open(index) as opened:
        query = np.load(index.parent / "base.npy")[7]
        said = opened.explain(query, 10, params=SearchParams(probes=5))
    assert [one.read for one in said.postings] == [True] * 5
    assert said.needed == 0


def test_where_all_is_read_there_is_nothing_to_explain(index: Path) -> None:
    with Index.open(index) as opened, pytest.raises(BadQuery, match="nothing to explain"):
        opened.explain(np.load(index.parent / "base.npy")[7], 10, 1.0)


def test_no_more_than_some_hundreds_are_listed(
    index: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    query = np.load(index.parent / "base.npy")[7]
    with Index.open(index) as opened:
        whole = opened.explain(query, 10)
        answer = opened.search(query, include=["explain"])
        monkeypatch.setattr(explain, "LISTED", 3)
        few = opened.explain(query, 10)
    assert whole.more == 0
    assert answer.explain == whole
    assert few.postings == whole.postings[:3]
    assert few.more == len(whole.postings) - 3


def test_a_server_explains_one_query(server: httpx.Client, clustered: Corpus) -> None:
    body = {"vector": clustered.queries[0].tolist(), "stats": True, "include": ["explain"]}
    answer = server.post("/v1/indexes/floats/search", json=body).json()
    read = [one for one in answer["explain"]["postings"] if one["read"]]
    assert len(read) == answer["stats"]["postings_read"] > 0
    plain = server.post("/v1/indexes/floats/search", json={**body, "include": []}).json()
    assert "explain" not in plain


def test_a_server_explains_no_batch_and_no_reading_of_everything(
    server: httpx.Client, clustered: Corpus
) -> None:
    body = {"vectors": clustered.queries[:2].tolist(), "include": ["explain"]}
    answer = server.post("/v1/indexes/floats/search/batch", json=body)
    check(answer, 422, "invalid_request", "#/include/0: Input should be 'payload'")
    body = {"vector": clustered.queries[0].tolist(), "recall": 1.0, "include": ["explain"]}
    answer = server.post("/v1/indexes/floats/search", json=body)
    check(answer, 422, "bad_query", "nothing to explain")
