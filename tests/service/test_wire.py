"""Bytes to a search without a server: from the bytes and the limits alone."""

import asyncio
import json
import pickle
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from fastapi import Request
from hypothesis import given, settings
from hypothesis import strategies as st

from longspan.indexer.errors import DamagedIndex, IndexClosed
from longspan.service import Index, SearchRequest
from longspan.service.http.wire import large as large_bodies
from longspan.service.http.wire.door import decode
from longspan.service.http.wire.form import Search
from longspan.service.http.wire.large import LARGE
from longspan.service.http.wire.limits import Limits, limits_for
from longspan.service.http.wire.media import JSON, RAW, Media, media_of
from longspan.service.http.wire.problems import Refused, answer
from longspan.service.search.request import MAX_DEPTH, MAX_PROBES
from tests.conftest import BuildIndex
from tests.service.serving import as_base64

LIMITS = Limits(dim=4, dtype="f32", batch=100, body_bytes=2**20, payload_bytes=2**20)


def decoded(body: object, *, many: bool = True, limits: Limits = LIMITS) -> Search:
    return decode(limits, many, json.dumps(body).encode(), JSON, JSON, "")


def refused(code: str, words: str, body: object, **more: Any) -> None:
    with pytest.raises(Refused, match=words) as caught:
        decoded(body, **more)
    assert caught.value.code == code


def test_decoding_needs_nothing_but_bytes_and_limits() -> None:
    arguments = LIMITS, True, b'{"vectors": [[1, 2, 3, 4]], "k": 3}', JSON, RAW, ""
    search = decode(*pickle.loads(pickle.dumps(arguments)))
    assert search.request == SearchRequest(k=3)
    sent = pickle.loads(pickle.dumps(search))
    assert sent.request == search.request
    np.testing.assert_array_equal(sent.queries, [[1, 2, 3, 4]])


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"k": 1000}, "100 vectors with k 1,000 are 100,000, at most 50,000"),
        ({"k": 101, "include": ["payload"]}, "k 101 are 10,100, at most 10,000 .* payload"),
        ({"params": {"probes": 501}}, "probes 501 are 50,100, at most 50,000"),
        ({"params": {"depth": 100_000}}, "depth 100,000 are 10,000,000, at most 50,000"),
    ],
)
def test_what_the_queries_ask_for_together_is_bounded(settings: dict[str, Any], words: str) -> None:
    vectors = [[1.0, 2.0, 3.0, 4.0]] * 100
    limits = replace(LIMITS, hits=50_000, objects=10_000, reads=50_000)
    decoded({"vectors": vectors, "k": 100, "params": {"probes": 500}}, limits=limits)
    refused("invalid_request", words, {"vectors": vectors, **settings}, limits=limits)


def test_one_query_may_ask_for_the_most_of_everything() -> None:
    most = {"probes": MAX_PROBES, "depth": MAX_DEPTH}
    body = {"vector": [1, 2, 3, 4], "k": 1000, "include": ["payload"], "params": most}
    assert decoded(body, many=False).request.probes == MAX_PROBES


def large(rows: int, dim: int = 4, **settings: Any) -> dict[str, Any]:
    """A body that is large enough for its vectors to be taken out before the rest is parsed."""
    vectors = np.random.default_rng(1).normal(size=(rows, dim)).tolist()
    return {"k": 3, "vectors": vectors, **settings}


@pytest.mark.parametrize("indent", [None, 4])
def test_a_large_body_is_read_as_a_small_one(indent: int | None) -> None:
    limits = replace(LIMITS, dim=200)
    body = large(100, 200, params={"probes": 7}, format="columns")
    text = json.dumps(body, indent=indent).encode()
    assert LARGE < len(text) <= limits.body(JSON)
    search = decode(limits, True, text, JSON, JSON, "ids=string")
    np.testing.assert_array_equal(search.queries, np.array(body["vectors"], np.float32))
    assert search.request == SearchRequest(k=3, probes=7)
    assert search.columns
    assert search.ids_as_text
    one = {"vector": body["vectors"][0], "include": ["payload"]}
    text = json.dumps(one).encode() + b" " * (LARGE - 2000)
    search = decode(limits, False, text, JSON, JSON, "")
    np.testing.assert_array_equal(search.queries, np.array([one["vector"]], np.float32))


WIDE = replace(LIMITS, dim=200)
GOOD = large(99, 200)["vectors"]


@pytest.mark.parametrize(
    ("body", "code", "words"),
    [
        (large(101, 200), "too_large", "more than 100 vectors in a batch"),
        (large(99, 201), "wrong_dimension", "#/vectors/0: 201 dims, index has 200"),
        ({"vectors": [*GOOD, GOOD[0][1:]]}, "wrong_dimension", "#/vectors/99: 199 dims"),
        ({"vectors": [*GOOD, [*GOOD[0][1:], "x"]]}, "invalid_request", "#/vectors/99/199: is no n"),
        ({"vectors": [*GOOD, [*GOOD[0][1:], None]]}, "invalid_request", "#/vectors/99/199"),
        ({"vectors": [*GOOD, [*GOOD[0][1:], float("inf")]]}, "invalid_request", "99/199: is no n"),
        ({"vectors": [*GOOD, 3]}, "invalid_request", "#/vectors/99"),
        ({"vectors": {"a": GOOD}}, "invalid_request", "#/vectors: no array and no base64"),
        ({"vectors": GOOD, "k": 0}, "invalid_request", "#/k"),
        ({"vectors": GOOD, "dtype": "f32"}, "invalid_request", "dtype goes with a base64 string"),
        ({"vectors": GOOD, "more": 1}, "invalid_request", "#/more: is not known here"),
        ({"vectors": GOOD, "more": GOOD}, "too_large", "bytes besides the vectors, at most 65536"),
        ({"more": GOOD}, "invalid_request", "#/vectors: no array"),
        (GOOD, "bad_json", "no JSON object at byte 0"),
    ],
)
def test_what_is_wrong_with_a_large_body_is_told_with_its_place(
    body: object, code: str, words: str
) -> None:
    refused(code, words, body, limits=WIDE)


def test_vectors_that_are_given_twice_are_refused() -> None:
    text = json.dumps({"vectors": GOOD}).encode()[:-1] + b', "vectors": [[1]]}'
    with pytest.raises(Refused, match="vectors is given twice"):
        decode(WIDE, True, text, JSON, JSON, "")


@given(values=st.integers(70_000, 90_000), many=st.booleans(), rows=st.booleans())
@settings(max_examples=10)
def test_more_values_than_a_full_batch_has_are_not_kept(
    values: int, many: bool, rows: bool
) -> None:
    vectors = [[1] * 4] * (values // 4) if rows else [1] * values
    with pytest.raises(Refused):
        decoded({"vectors" if many else "vector": vectors}, many=many)


@pytest.mark.parametrize("count", [1, 3, 2**18 // 5, 2**18 // 4 * 3, 2**18])
def test_base64_is_decoded_piece_by_piece(count: int) -> None:
    limits = Limits(dim=1, dtype="f32", batch=2**20, body_bytes=2**30, payload_bytes=1, hits=2**30)
    vectors = np.random.default_rng(2).normal(size=(count, 1)).astype("<f4")
    text = as_base64(vectors)
    np.testing.assert_array_equal(decoded({"vectors": text}, limits=limits).queries, vectors)
    middle = len(text) // 2 // 4 * 4
    bad = [text + "A", text[:-1] + "*", text[:-1] + "\u00e9"]
    bad += [text[:middle] + "AA==" + text[middle:]] if count > 1 else []
    for wrong in bad:
        refused("invalid_request", "not base64|no array", {"vectors": wrong}, limits=limits)


@pytest.mark.parametrize("dim", [1, 2, 3, 50])
@pytest.mark.parametrize("dtype", ["u8", "f16", "f32"])
def test_a_full_batch_in_base64_is_taken_and_one_more_is_not(dim: int, dtype: str) -> None:
    limits = replace(LIMITS, dim=dim, dtype=dtype)
    kind = {"u8": "u1", "f16": "<f2", "f32": "<f4"}[dtype]
    vectors = np.zeros((limits.batch + 1, dim), kind)
    assert len(decoded({"vectors": as_base64(vectors[1:])}, limits=limits).queries) == limits.batch
    refused("too_large", "101 vectors, at most 100", {"vectors": as_base64(vectors)}, limits=limits)


def test_padding_at_the_end_of_a_piece_is_not_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(large_bodies, "_AT_ONCE", 8)
    assert large_bodies.from_base64(b"AAAAAAAAAAA=", "#") == bytes(8)
    with pytest.raises(Refused, match="padding at 8, before its end"):
        large_bodies.from_base64(b"AAAAAAA=AAAA", "#")
    assert large_bodies.from_base64(b"AAAAAAA=", "#") == bytes(5)


@given(batch=st.integers(1, 2**20), dim=st.integers(1, 16_384), body=st.integers(1024, 2**31))
def test_no_body_is_read_that_is_larger_than_a_full_batch(batch: int, dim: int, body: int) -> None:
    limits = replace(LIMITS, batch=batch, dim=dim, body_bytes=body)
    medias: list[Media] = [JSON, RAW]
    for media in medias:
        assert limits.body(media) == min(body, limits.body(media))
    assert limits.body(RAW) >= min(body, 4 * batch * dim)
    assert limits.body(JSON) - limits.body(RAW) <= 28 * batch * dim


def test_the_limits_are_those_of_the_index(tiny_index: BuildIndex) -> None:
    with Index.open(tiny_index("l2", "u8")) as index:
        limits = limits_for(index, max_body=5000, max_batch=7, max_payload=6000)
    assert (limits.dim, limits.dtype, limits.batch) == (24, "u8", 7)
    assert (limits.body(JSON), limits.body(RAW), limits.payload_bytes) == (5000, 5000, 6000)


def test_media_types_are_read_from_short_headers_only() -> None:
    assert media_of({"content-type": JSON}) == (JSON, JSON)
    for name in ("content-type", "accept", "content-encoding"):
        with pytest.raises(Refused, match="over 1024 characters"):
            media_of({"content-type": JSON, name: JSON + ";" + "x" * 1024})
    with pytest.raises(Refused) as caught:
        media_of({"content-type": "x" * 900})
    assert len(caught.value.detail) < 200


@pytest.mark.parametrize("error", [DamagedIndex("/data/a/b.npy: bad"), OSError("/data/a: bad")])
def test_no_path_of_the_server_is_in_an_answer(error: Exception) -> None:
    scope = {"type": "http", "method": "POST", "path": "/v1/indexes/a/search", "headers": []}
    named = {"path_params": {"name": "a"}, "state": {"request_id": "job-7"}}
    reply = asyncio.run(answer(Request(scope | named), error))
    problem = json.loads(bytes(reply.body))
    assert reply.status_code == 500
    assert "/data" not in bytes(reply.body).decode()
    assert "the server's log says more" in problem["detail"]
    assert problem["instance"] == "/v1/indexes/a/search"


def test_an_index_that_was_closed_meanwhile_is_not_ready() -> None:
    scope = {"type": "http", "method": "POST", "path": "/v1/indexes/a/search", "headers": []}
    named = {"path_params": {"name": "a"}, "state": {"request_id": "job-7"}}
    reply = asyncio.run(answer(Request(scope | named), IndexClosed("the index was closed")))
    assert (reply.status_code, reply.headers["retry-after"]) == (503, "1")


@pytest.mark.parametrize("encoding", ["gzip", "br", "deflate, gzip", "GZIP"])
def test_a_compressed_body_is_not_read(encoding: str) -> None:
    with pytest.raises(Refused, match="Content-Encoding is") as caught:
        media_of({"content-type": JSON, "content-encoding": encoding})
    assert caught.value.code == "wrong_content_type"
    assert media_of({"content-type": RAW, "content-encoding": "identity"}) == (RAW, JSON)
