"""Searches over HTTP: each way in and each way out gives the answer of the index itself."""

from typing import Any

import httpx
import numpy as np
import pytest

from tests.conftest import BuildIndex
from tests.data import Corpus, as_dtype
from tests.reference import brute_force, check_same_distances
from tests.service.conftest import KINDS
from tests.service.serving import RAW, Array, as_base64, hits, post_raw, raw_answer

ONE = "/v1/indexes/floats/search"
MANY = "/v1/indexes/floats/search/batch"


@pytest.fixture
def queries(clustered: Corpus) -> Array:
    return clustered.queries[:7]


@pytest.fixture
def truth(clustered: Corpus, queries: Array) -> tuple[Array, Array]:
    return brute_force(queries, clustered.base, 10, "l2")


def post(client: httpx.Client, path: str, **body: Any) -> Any:
    answer = client.post(path, json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_numbers_in_json_find_the_true_neighbours(
    server: httpx.Client, queries: Array, truth: tuple[Array, Array]
) -> None:
    answer = post(server, ONE, vector=queries[0].tolist(), k=10, recall=1.0)
    ids, distances = hits(answer["hits"])
    assert ids == truth[0][0].tolist()
    check_same_distances(np.array([distances]), truth[1][:1])
    assert answer["index"] == "floats"
    assert answer["took_ms"] > 0
    assert "stats" not in answer


def test_ten_are_found_at_the_default_recall_when_nothing_else_is_said(
    server: httpx.Client, queries: Array
) -> None:
    answer = post(server, ONE, vector=queries[0].tolist(), stats=True)
    assert len(answer["hits"]) == 10
    assert answer["stats"]["recall_target"] == 0.95


@pytest.mark.parametrize(("name", "kind"), KINDS.items())
@pytest.mark.parametrize("way", ["numbers", "base64", "raw"])
def test_every_dtype_comes_in_every_way(
    server: httpx.Client, clustered: Corpus, name: str, kind: tuple[str, str], way: str
) -> None:
    metric, dtype = kind
    corpus = as_dtype(clustered, dtype)
    query, path = corpus.queries[3], f"/v1/indexes/{name}/search"
    if way == "raw":
        ids, distances = raw_answer(post_raw(server, path, query, recall=1.0))
    else:
        vector = query.tolist() if way == "numbers" else as_base64(query)
        found = hits(post(server, path, vector=vector, recall=1.0)["hits"])
        ids, distances = np.array([found[0]]), np.array([found[1]])
    _, true_distances = brute_force(query[None], corpus.base, 10, metric)
    check_same_distances(distances, true_distances)
    assert ids.shape == (1, 10)


@pytest.mark.parametrize("dtype", ["f32", "f16", "i8"])
def test_a_dtype_is_converted_when_the_index_has_another(
    server: httpx.Client, clustered: Corpus, dtype: str
) -> None:
    query = np.minimum(as_dtype(clustered, "u8").queries[3], 100)
    sent = query.astype({"f32": "<f4", "f16": "<f2", "i8": "i1"}[dtype])
    path = "/v1/indexes/bytes/search"
    want = raw_answer(post_raw(server, path, query))
    got = raw_answer(post_raw(server, path, sent, dtype=dtype))
    text = post(server, path, vector=as_base64(sent), dtype=dtype, encoding="base64")
    assert got[0].tolist() == want[0].tolist()
    assert hits(text["hits"])[0] == want[0][0].tolist()


def test_a_batch_answers_in_the_order_of_its_queries(
    server: httpx.Client, queries: Array, truth: tuple[Array, Array]
) -> None:
    answer = post(server, MANY, vectors=queries.tolist(), recall=1.0)
    assert [hits(row["hits"])[0] for row in answer["results"]] == truth[0].tolist()


def test_columns_hold_what_rows_hold(server: httpx.Client, queries: Array) -> None:
    rows = post(server, MANY, vectors=queries.tolist(), k=4)
    columns = post(server, MANY, vectors=as_base64(queries), n=len(queries), k=4, format="columns")
    assert columns["counts"] == [4] * len(queries)
    for number, row in enumerate(rows["results"]):
        assert hits(row["hits"]) == (columns["ids"][number], columns["distances"][number])


def test_a_raw_batch_equals_a_json_batch(server: httpx.Client, queries: Array) -> None:
    ids, distances = raw_answer(post_raw(server, MANY, queries, k=4))
    columns = post(server, MANY, vectors=queries.tolist(), k=4, format="columns")
    assert ids.tolist() == columns["ids"]
    assert distances.tolist() == np.float32(columns["distances"]).tolist()


def test_a_raw_body_may_have_a_json_answer_and_the_reverse(
    server: httpx.Client, queries: Array
) -> None:
    json_answer = post_raw(server, MANY, queries, "application/json", k=4, format="columns").json()
    body = {"vectors": queries.tolist(), "k": 4}
    ids, _ = raw_answer(server.post(MANY, json=body, headers={"accept": RAW}))
    assert ids.tolist() == json_answer["ids"]


def test_missing_hits_are_left_out_of_json_and_marked_in_raw_answers(
    server: httpx.Client, clustered: Corpus
) -> None:
    query = clustered.queries[0]
    _, true_distances = brute_force(query[None], clustered.base, 6, "l2")
    between = float(true_distances[0, 3:5].mean())
    answer = post(server, ONE, vector=query.tolist(), k=6, recall=1.0, max_distance=between)
    ids, distances = raw_answer(post_raw(server, ONE, query, k=6, recall=1.0, max_distance=between))
    assert len(answer["hits"]) == 4
    assert hits(answer["hits"])[0] == ids[0, :4].tolist()
    assert ids[0, 4:].tolist() == [-1, -1]
    assert np.isposinf(distances[0, 4:]).all()


def test_rows_and_columns_leave_missing_hits_out(server: httpx.Client, queries: Array) -> None:
    body = {"vectors": queries.tolist(), "max_distance": 0.0}
    assert post(server, MANY, **body)["results"] == [{"hits": []}] * len(queries)
    columns = post(server, MANY, **body, format="columns")
    assert columns["counts"] == [0] * len(queries)
    assert columns["ids"] == columns["distances"] == [[]] * len(queries)


def test_ids_come_as_strings_when_asked(server: httpx.Client, queries: Array) -> None:
    numbers = post(server, ONE, vector=queries[0].tolist())
    strings = post(server, f"{ONE}?ids=string", vector=queries[0].tolist())
    assert hits(strings["hits"])[0] == [str(id_) for id_ in hits(numbers["hits"])[0]]
    for format_ in ("rows", "columns"):
        answer = post_raw(server, MANY, queries, "*/*", ids="string", format=format_).json()
        first = answer["ids"][0] if format_ == "columns" else hits(answer["results"][0]["hits"])[0]
        assert first == hits(strings["hits"])[0]


def test_large_ids_survive_as_strings(clustered: Corpus, tmp_index: BuildIndex) -> None:
    from tests.service.serving import serving

    ids = np.arange(200, dtype=np.int64) + 2**62
    path = tmp_index(clustered.base[:200], ids=ids)
    with serving({"large": path}) as (client, _):
        body = {"vector": clustered.base[7].tolist(), "k": 1, "recall": 1.0}
        answer = post(client, "/v1/indexes/large/search?ids=string", **body)
    assert answer["hits"][0]["id"] == str(2**62 + 7)


def test_params_replace_the_recall_target(server: httpx.Client, queries: Array) -> None:
    vector = queries[0].tolist()
    few = post(server, ONE, vector=vector, params={"probes": 2, "beam": 4}, stats=True)["stats"]
    whole = post(server, ONE, vector=vector, params={"exact": True}, stats=True)["stats"]
    assert few["postings_read"] == 2
    assert whole["postings_read"] > 2
    raw = post_raw(server, ONE, queries[0], "application/json", probes=3, stats="true")
    assert raw.json()["stats"]["postings_read"] == 3


def test_stats_come_in_a_header_of_a_raw_answer(server: httpx.Client, queries: Array) -> None:
    import json

    answer = post_raw(server, MANY, queries, stats="true", exact="true")
    stats = json.loads(answer.headers["longspan-stats"])
    assert stats["queries"] == len(queries)
    assert stats["vectors_scored"] > 0
    assert "longspan-stats" not in post_raw(server, MANY, queries).headers


def test_distances_have_the_digits_of_a_float32(server: httpx.Client, queries: Array) -> None:
    found = post(server, ONE, vector=queries[0].tolist())["hits"]
    for distance in hits(found)[1]:
        assert len(repr(distance)) <= len(repr(float(np.float32(distance))))
        assert distance == float(str(np.float32(distance)))
