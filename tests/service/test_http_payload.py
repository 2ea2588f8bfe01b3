"""Payload over HTTP, from a real server: in every form of answer that can carry it."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import numpy as np
import pytest

from tests.conftest import object_of
from tests.data import Corpus
from tests.service.conftest import MAX_PAYLOAD
from tests.service.serving import RAW, post_raw
from tests.service.test_http_refusals import check

ONE, MANY = "/v1/indexes/objects/search", "/v1/indexes/objects/search/batch"
PAYLOAD = {"include": ["payload"]}


def hits_of(answer: httpx.Response) -> list[Any]:
    assert answer.status_code == 200, answer.text
    body = answer.json()
    return [row["hits"] for row in body["results"]] if "results" in body else [body["hits"]]


def check_hits(hits: list[Any]) -> None:
    assert hits
    for hit in hits:
        assert hit["payload"] == object_of(int(hit["id"]))


def test_every_hit_carries_its_object(server: httpx.Client, clustered: Corpus) -> None:
    vectors = clustered.queries[:5]
    one = server.post(ONE, json={"vector": vectors[0].tolist(), "k": 5, **PAYLOAD})
    many = server.post(f"{MANY}?ids=string", json={"vectors": vectors.tolist(), "k": 5, **PAYLOAD})
    raw = post_raw(server, MANY, vectors, "application/json", k=5, include="payload")
    assert len(hits_of(many)) == len(hits_of(raw)) == 5
    for answer in (one, many, raw):
        for hits in hits_of(answer):
            check_hits(hits)


def test_columns_have_one_of_objects(server: httpx.Client, clustered: Corpus) -> None:
    body = {"vectors": clustered.queries[:5].tolist(), "k": 4, "format": "columns", **PAYLOAD}
    answer = server.post(MANY, json=body).json()
    assert answer["payload"] == [[object_of(row) for row in ids] for ids in answer["ids"]]


def test_there_is_none_unless_it_is_asked_for(server: httpx.Client, clustered: Corpus) -> None:
    body = {"vector": clustered.queries[0].tolist(), "include": []}
    [hits] = hits_of(server.post(ONE, json=body))
    assert all(set(hit) == {"id", "distance"} for hit in hits)
    body = {"vectors": clustered.queries[:2].tolist(), "format": "columns"}
    assert "payload" not in server.post(MANY, json=body).json()


def test_no_hits_have_no_objects(server: httpx.Client, clustered: Corpus) -> None:
    body = {"vectors": clustered.queries[:2].tolist(), "max_distance": -1.0, **PAYLOAD}
    assert hits_of(server.post(MANY, json=body)) == [[], []]
    answer = server.post(MANY, json={**body, "format": "columns"}).json()
    assert answer["payload"] == [[], []]


def test_an_index_without_payload_says_so(server: httpx.Client, clustered: Corpus) -> None:
    body = {"vector": clustered.queries[0].tolist(), **PAYLOAD}
    answer = server.post("/v1/indexes/floats/search", json=body)
    check(answer, 422, "bad_query", "the index has no payload")


def test_a_raw_answer_cannot_carry_it(server: httpx.Client, clustered: Corpus) -> None:
    answer = post_raw(server, ONE, clustered.queries[0], include="payload")
    check(answer, 422, "invalid_request", "include are for JSON")
    body = {"vector": clustered.queries[0].tolist(), **PAYLOAD}
    answer = server.post(ONE, json=body, headers={"accept": RAW})
    check(answer, 422, "invalid_request", "include are for JSON")


@pytest.mark.parametrize("include", ["vector", "", "payload,vector", "payload,"])
def test_nothing_else_is_included(server: httpx.Client, clustered: Corpus, include: str) -> None:
    vector = clustered.queries[0]
    answer = post_raw(server, ONE, vector, "application/json", include=include)
    check(answer, 422, "invalid_request", "Input should be 'payload'")
    body = {"vector": vector.tolist(), "include": include.split(",")}
    check(server.post(ONE, json=body), 422, "invalid_request", "#/include")


def test_more_than_fits_an_answer_is_refused(server: httpx.Client, clustered: Corpus) -> None:
    query = clustered.queries[:1].tolist()
    few = {"vectors": query, "k": 300, **PAYLOAD}
    check(server.post(MANY, json=few), 422, "bad_query", f"at most {MAX_PAYLOAD:,} fit an answer")
    assert server.post(MANY, json={**few, "include": []}).status_code == 200


def test_asking_for_it_spoils_no_search_made_at_the_same_time(
    server: httpx.Client, clustered: Corpus
) -> None:
    def ask(number: int) -> list[Any]:
        body = {"vector": clustered.queries[number].tolist(), "k": 3}
        if number % 2:
            return hits_of(server.post(ONE, json={**body, **PAYLOAD}))[0]
        return hits_of(server.post(ONE, json=body))[0]

    with ThreadPoolExecutor(8) as pool:
        for number, hits in enumerate(pool.map(ask, range(40))):
            assert len(hits) == 3
            assert all(("payload" in hit) == bool(number % 2) for hit in hits)
            if number % 2:
                check_hits(hits)


def test_the_raw_answer_finds_the_same(server: httpx.Client, clustered: Corpus) -> None:
    vectors = clustered.queries[:3]
    raw = post_raw(server, MANY, vectors, RAW, k=4)
    ids = np.frombuffer(raw.content, "<i8", 12).reshape(3, 4)
    hits = hits_of(server.post(MANY, json={"vectors": vectors.tolist(), "k": 4, **PAYLOAD}))
    assert [[hit["payload"]["row"] for hit in row] for row in hits] == ids.tolist()
