"""Searches that wait at the same time are made together; each still gets its own answer."""

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from longspan.indexer.errors import BadQuery
from longspan.service import Index
from longspan.service.http.schedule.work import Call, perform
from longspan.service.http.wire.form import Reply
from longspan.service.http.wire.media import JSON, RAW
from longspan.service.http.wire.problems import Refused
from tests.conftest import BuildIndex
from tests.data import Corpus
from tests.service.serving import Array

MAX_BATCH = 8
LIMITS = MAX_BATCH, 2**20


@pytest.fixture
def index(tiny_index: BuildIndex) -> Iterator[Index]:
    with Index.open(tiny_index()) as opened:
        yield opened


def raw(index: Index, vectors: Array, query: str = "", *, many: bool = False) -> Call:
    return Call("x", index, many, vectors.tobytes(), RAW, RAW, query, 0.0)


def ids_of(outcome: Reply | Exception) -> list[int]:
    assert isinstance(outcome, Reply), outcome
    n, k = map(int, outcome.headers["longspan-shape"].split(","))
    return np.frombuffer(outcome.body, "<i8", n * k).tolist()


def test_calls_made_together_get_what_each_gets_alone(index: Index, clustered: Corpus) -> None:
    queries = ["", "k=3", "k=3&recall=0.5", "k=3&probes=2", "k=3&max_distance=0.2", "exact=true"]
    calls = [raw(index, vector, text) for vector in clustered.queries[:5] for text in queries]
    calls.append(raw(index, clustered.queries[:6], "k=4", many=True))
    together = [ids_of(outcome) for outcome in perform(calls, *LIMITS)]
    alone = [ids_of(outcome) for call in calls for outcome in perform([call], *LIMITS)]
    assert together == alone


def test_a_bad_call_spoils_no_other(index: Index, clustered: Corpus) -> None:
    good = clustered.queries[0]
    calls = [
        raw(index, good),
        raw(index, np.full(24, np.nan, np.float32)),
        raw(index, good[:7]),
        raw(index, np.tile(good, (MAX_BATCH + 1, 1)), many=True),
        raw(index, good),
    ]
    first, nan, short, large, last = perform(calls, *LIMITS)
    assert ids_of(first) == ids_of(last)
    assert isinstance(nan, BadQuery)
    assert isinstance(short, Refused)
    assert isinstance(large, Refused)
    assert (short.code, large.code) == ("wrong_dimension", "too_large")


def test_stats_are_of_one_search_even_in_company(index: Index, clustered: Corpus) -> None:
    def call(**settings: Any) -> Call:
        body = json.dumps({"vector": clustered.queries[0].tolist(), **settings}).encode()
        return Call("x", index, False, body, JSON, JSON, "", 0.0)

    outcomes = perform([call(), call(stats=True), call(stats=True), call()], *LIMITS)
    answers = [json.loads(outcome.body) for outcome in outcomes if isinstance(outcome, Reply)]
    assert [answer.get("stats", {}).get("queries") for answer in answers] == [None, 1, 1, None]
    assert all(answer["hits"] == answers[0]["hits"] for answer in answers)
