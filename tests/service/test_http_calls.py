"""Searches that wait at the same time are made together; each still gets its own answer."""

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from longspan.indexer.errors import BadQuery
from longspan.service import Index
from longspan.service.http.schedule import work
from longspan.service.http.schedule.work import LATER, Call
from longspan.service.http.wire.form import Reply
from longspan.service.http.wire.limits import Limits, limits_for
from longspan.service.http.wire.media import JSON, RAW
from longspan.service.http.wire.problems import Refused
from tests.conftest import BuildIndex
from tests.data import Corpus
from tests.service.serving import Array

MAX_BATCH = 8


def perform(calls: list[Call]) -> list[Any]:
    """Return the outcome of each call, in their order."""
    outcomes: dict[int, Any] = {}
    work.perform(calls, outcomes.update)
    return [outcomes[number] for number in range(len(calls))]


@pytest.fixture
def index(tiny_index: BuildIndex) -> Iterator[Index]:
    with Index.open(tiny_index()) as opened:
        yield opened


def limits(index: Index) -> Limits:
    return limits_for(index, max_body=2**20, max_batch=MAX_BATCH, max_payload=2**20)


def raw(index: Index, vectors: Array, query: str = "", *, many: bool = False) -> Call:
    return Call("x", index, limits(index), many, vectors.tobytes(), RAW, RAW, query, 0.0)


def ids_of(outcome: Reply | Exception) -> list[int]:
    assert isinstance(outcome, Reply), outcome
    n, k = map(int, outcome.headers["longspan-shape"].split(","))
    return np.frombuffer(outcome.body, "<i8", n * k).tolist()


def test_calls_made_together_get_what_each_gets_alone(index: Index, clustered: Corpus) -> None:
    queries = ["", "k=3", "k=3&recall=0.5", "k=3&probes=2", "k=3&max_distance=0.2", "exact=true"]
    calls = [raw(index, vector, text) for vector in clustered.queries[:5] for text in queries]
    calls.append(raw(index, clustered.queries[:6], "k=4", many=True))
    together = [ids_of(outcome) for outcome in perform(calls)]
    alone = [ids_of(outcome) for call in calls for outcome in perform([call])]
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
    first, nan, short, large, last = perform(calls)
    assert ids_of(first) == ids_of(last)
    assert isinstance(nan, BadQuery)
    assert isinstance(short, Refused)
    assert isinstance(large, Refused)
    assert (short.code, large.code) == ("wrong_dimension", "too_large")


def test_stats_are_of_one_search_even_in_company(index: Index, clustered: Corpus) -> None:
    def call(**settings: Any) -> Call:
        body = json.dumps({"vector": clustered.queries[0].tolist(), **settings}).encode()
        return Call("x", index, limits(index), False, body, JSON, JSON, "", 0.0)

    outcomes = perform([call(), call(stats=True), call(stats=True), call()])
    answers = [json.loads(outcome.body) for outcome in outcomes if isinstance(outcome, Reply)]
    assert [answer.get("stats", {}).get("queries") for answer in answers] == [None, 1, 1, None]
    assert all(answer["hits"] == answers[0]["hits"] for answer in answers)


def test_calls_that_take_long_are_put_off_and_the_others_come_first(
    index: Index, clustered: Corpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(work, "_LONG", index.n - 1)
    query = clustered.queries[0]
    calls = [raw(index, query, "exact=true"), raw(index, query), raw(index, query, "recall=1")]
    told: list[dict[int, Any]] = []
    work.perform(calls, told.append)
    assert told[0] == {0: LATER, 2: LATER}
    assert [*told[1]] == [1]
    assert ids_of(perform([calls[0].as_long()])[0]) == index.search(query, 10, 1.0).ids[0].tolist()


def test_what_is_less_work_is_handed_over_first(index: Index, clustered: Corpus) -> None:
    query = clustered.queries[0]
    calls = [raw(index, query, f"probes={probes}") for probes in (9, 1, 20, 4)]
    told: list[int] = []
    work.perform(calls, told.extend)
    assert told == [1, 3, 0, 2]
