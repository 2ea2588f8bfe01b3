"""Bad requests: each gets its own status and code, and says what was found and wanted."""

import gzip
import json
import socket
from collections.abc import Iterator
from typing import Any

import httpx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.service.conftest import MAX_BATCH, MAX_BODY
from tests.service.serving import RAW, as_base64, post_raw

DIM = 24
VECTOR = [0.5] * DIM
NAN = np.full(DIM, np.nan, np.float32)
ONE, MANY = "floats/search", "floats/search/batch"
JSON = "application/json"


def with_one(value: object) -> list[object]:
    return [value, *VECTOR[1:]]


def check(answer: httpx.Response, status: int, code: str, words: str = "") -> Any:
    problem = answer.json()
    assert answer.headers["content-type"] == "application/problem+json"
    assert (answer.status_code, problem["status"], problem["code"]) == (status, status, code), (
        problem
    )
    assert words in problem["detail"], problem
    assert problem["request_id"] == answer.headers["x-request-id"]
    assert problem["instance"] == answer.request.url.path
    return problem


@pytest.mark.parametrize(
    ("path", "body", "code", "words"),
    [
        (ONE, {"vector": VECTOR[1:]}, "wrong_dimension", "23 dims, index has 24"),
        (ONE, {"vector": [*VECTOR, 0.0]}, "wrong_dimension", "25 dims, index has 24"),
        (ONE, {"vector": [VECTOR]}, "invalid_request", "#/vector/0"),
        (ONE, {"vector": []}, "invalid_request", "#/vector"),
        (ONE, {"vector": with_one("0.5")}, "invalid_request", "#/vector/0"),
        (ONE, {"vector": with_one(None)}, "invalid_request", "#/vector/0"),
        (ONE, {"vector": with_one(True)}, "invalid_request", "#/vector/0"),
        (ONE, {"vector": with_one(1e39)}, "bad_query", "finite"),
        (ONE, {"vector": None}, "invalid_request", "#/vector"),
        (ONE, {}, "invalid_request", "#/vector"),
        (ONE, [], "invalid_request", "#"),
        (ONE, {"vector": VECTOR, "top_k": 3}, "invalid_request", "#/top_k"),
        (ONE, {"vector": VECTOR, "k": 0}, "invalid_request", "found 0"),
        (ONE, {"vector": VECTOR, "k": 10_001}, "invalid_request", "found 10001"),
        (ONE, {"vector": VECTOR, "k": "10"}, "invalid_request", "found '10'"),
        (ONE, {"vector": VECTOR, "k": 2.5}, "invalid_request", "found 2.5"),
        (ONE, {"vector": VECTOR, "recall": 0}, "invalid_request", "#/recall"),
        (ONE, {"vector": VECTOR, "recall": 1.01}, "invalid_request", "#/recall"),
        (ONE, {"vector": VECTOR, "recall": "high"}, "invalid_request", "#/recall"),
        (ONE, {"vector": VECTOR, "stats": 1}, "invalid_request", "#/stats"),
        (ONE, {"vector": VECTOR, "max_distance": "1"}, "invalid_request", "#/max_distance"),
        (ONE, {"vector": VECTOR, "params": {"probes": 0}}, "invalid_request", "#/params/probes"),
        (ONE, {"vector": VECTOR, "params": {"depth": 2**62}}, "invalid_request", "#/params/depth"),
        (ONE, {"vector": VECTOR, "params": {"beam": 10**400}}, "invalid_request", "#/params/beam"),
        (ONE, {"vector": VECTOR, "params": {"nprobe": 4}}, "invalid_request", "#/params/nprobe"),
        (
            ONE,
            {"vector": VECTOR, "params": {"probes": 4, "exact": True}},
            "invalid_request",
            "#/params: exact reads every posting",
        ),
        (
            ONE,
            {"vector": VECTOR, "recall": 0.9, "params": {"probes": 4}},
            "invalid_request",
            "recall cannot go with probes",
        ),
        (ONE, {"vector": VECTOR, "dtype": "f32"}, "invalid_request", "#/dtype"),
        (ONE, {"vector": VECTOR, "encoding": "base64"}, "invalid_request", "#/encoding"),
        (ONE, {"vector": "AAAA*", "dtype": "f32"}, "invalid_request", "not base64"),
        (ONE, {"vector": "AAA", "dtype": "f32"}, "invalid_request", "not base64"),
        (ONE, {"vector": "", "dtype": "f32"}, "wrong_dimension", "0 bytes, want 96"),
        (ONE, {"vector": "AAAA", "dtype": "f32"}, "wrong_dimension", "3 bytes, want 96"),
        (ONE, {"vector": "AAAA", "dtype": "f64"}, "invalid_request", "#/dtype"),
        (ONE, {"vector": as_base64(NAN)}, "bad_query", "finite"),
        (ONE, {"vectors": [VECTOR]}, "invalid_request", "#/vector"),
        (MANY, {"vectors": []}, "invalid_request", "#/vectors"),
        (MANY, {"vectors": VECTOR}, "invalid_request", "#/vectors/0"),
        (MANY, {"vectors": [VECTOR, VECTOR[1:]]}, "wrong_dimension", "#/vectors/1: 23 dims"),
        (MANY, {"vectors": [VECTOR], "n": 1}, "invalid_request", "#/n"),
        (MANY, {"vectors": [VECTOR], "format": "table"}, "invalid_request", "#/format"),
        (
            MANY,
            {"vectors": as_base64(np.zeros((2, DIM), np.float32)), "n": 3},
            "invalid_request",
            "n is 3, the block holds 2",
        ),
        ("bytes/search", {"vector": with_one(256)}, "bad_query", "256"),
        ("bytes/search", {"vector": with_one(-1)}, "bad_query", "-1"),
        ("bytes/search", {"vector": [0.5] * DIM}, "bad_query", "0.5"),
        ("angles/search", {"vector": [0.0] * DIM}, "bad_query", "zero"),
    ],
)
def test_a_bad_body_is_unprocessable(
    server: httpx.Client, path: str, body: object, code: str, words: str
) -> None:
    check(server.post(f"/v1/indexes/{path}", json=body), 422, code, words)


@pytest.mark.parametrize(
    ("path", "query", "code", "words"),
    [
        (ONE, "k=0", "invalid_request", "k: "),
        (ONE, f"depth={2**64}", "invalid_request", "depth: "),
        (ONE, "probes=1000001", "invalid_request", "probes: "),
        (ONE, f"beam={10**400}", "invalid_request", "beam: "),
        (ONE, "k=ten", "invalid_request", "k: "),
        (ONE, "k=1&k=2", "invalid_request", "k is given twice"),
        (ONE, "k=", "invalid_request", "k: "),
        (ONE, "nprobe=4", "invalid_request", "nprobe: "),
        (ONE, "recall=1.5", "invalid_request", "recall: "),
        (ONE, "recall=nan", "invalid_request", "recall: "),
        (ONE, "max_distance=inf", "invalid_request", "max_distance: "),
        (ONE, "dtype=f64", "invalid_request", "dtype: "),
        (ONE, "dtype=f16", "wrong_dimension", "48 values, want 24"),
        (ONE, "ids=string", "invalid_request", "ids"),
        (ONE, "format=columns", "invalid_request", "format: "),
        (ONE, "recall=0.9&exact=true", "invalid_request", "recall cannot go with"),
        (MANY, "format=columns", "invalid_request", "format"),
    ],
)
def test_a_bad_query_string_is_unprocessable(
    server: httpx.Client, path: str, query: str, code: str, words: str
) -> None:
    body = np.array(VECTOR, np.float32).tobytes()
    headers = {"content-type": RAW, "accept": RAW}
    answer = server.post(f"/v1/indexes/{path}?{query}", content=body, headers=headers)
    check(answer, 422, code, words)


def test_settings_of_a_json_search_are_not_read_from_the_query_string(server: httpx.Client) -> None:
    answer = server.post(f"/v1/indexes/{ONE}?k=3", json={"vector": VECTOR})
    check(answer, 422, "invalid_request", "k: is not known here")


@pytest.mark.parametrize("size", [0, 1, 95, 97, 191])
@pytest.mark.parametrize("path", [ONE, MANY])
def test_a_truncated_raw_body_is_refused(server: httpx.Client, path: str, size: int) -> None:
    answer = post_raw(server, f"/v1/indexes/{path}", b"\0" * size)
    check(answer, 422, "wrong_dimension", f"{size} bytes, want 96")


def test_two_raw_vectors_are_no_single_query(server: httpx.Client) -> None:
    answer = post_raw(server, f"/v1/indexes/{ONE}", np.zeros((2, DIM), np.float32))
    check(answer, 422, "wrong_dimension", "search/batch")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_raw_value_that_is_not_finite_is_refused(server: httpx.Client, value: float) -> None:
    vectors = np.zeros((2, DIM), np.float32)
    vectors[1, 5] = value
    check(post_raw(server, f"/v1/indexes/{MANY}", vectors), 422, "bad_query", "query 1")


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"vector", b'{"vector": [NaN]}x', b"\xff\xfe", b'{"vector": [1,]}', b"[" * 100_000],
)
def test_what_is_not_json_is_a_bad_request(server: httpx.Client, body: bytes) -> None:
    headers = {"content-type": JSON}
    answer = server.post(f"/v1/indexes/{ONE}", content=body, headers=headers)
    check(answer, 400, "bad_json")


@pytest.mark.parametrize("literal", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_no_number_in_json_may_be_infinite(server: httpx.Client, literal: str) -> None:
    body = json.dumps({"vector": VECTOR}).replace("0.5", literal, 1).encode()
    answer = server.post(f"/v1/indexes/{ONE}", content=body, headers={"content-type": JSON})
    check(answer, 422, "invalid_request", "#/vector/0")


def test_an_unknown_index_is_not_found(server: httpx.Client) -> None:
    for name in ("nothing", "%00", "a%20b"):
        check(server.get(f"/v1/indexes/{name}"), 404, "unknown_index")
    answer = server.post("/v1/indexes/nothing/search", json={"vector": VECTOR})
    check(answer, 404, "unknown_index", "nothing")


def test_an_unknown_path_is_not_found(server: httpx.Client) -> None:
    check(server.get("/v2"), 404, "unknown_path")
    check(server.get("/livez/"), 404, "unknown_path")


def test_another_method_is_not_allowed(server: httpx.Client) -> None:
    answer = server.get(f"/v1/indexes/{ONE}")
    check(answer, 405, "wrong_method")
    assert answer.headers["allow"] == "POST"


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "x", None])
def test_another_media_type_is_not_read(server: httpx.Client, kind: str | None) -> None:
    headers = {"content-type": kind} if kind else {}
    answer = server.post(f"/v1/indexes/{ONE}", content=b"{}", headers=headers)
    check(answer, 415, "wrong_content_type", str(kind))


def test_a_compressed_body_is_refused_by_its_encoding(server: httpx.Client) -> None:
    body = gzip.compress(json.dumps({"vector": VECTOR}).encode())
    headers = {"content-type": JSON, "content-encoding": "gzip"}
    answer = server.post(f"/v1/indexes/{ONE}", content=body, headers=headers)
    check(answer, 415, "wrong_content_type", "Content-Encoding is gzip")
    assert answer.headers["accept-encoding"] == "identity"


@pytest.mark.parametrize("query", [b"\xff", b"k=%ff", b"k=\xc3\x28&\x80", b"%00=%00"])
def test_a_query_string_of_any_bytes_is_a_problem_as_any_other(
    server: httpx.Client, query: bytes
) -> None:
    url = server.base_url
    with socket.create_connection((url.host, url.port or 80), timeout=20) as connection:
        head = b"POST /v1/indexes/floats/search?" + query + b" HTTP/1.1\r\nhost: x\r\n"
        connection.sendall(
            head + b"content-type: application/octet-stream\r\n"
            b"connection: close\r\ncontent-length: 0\r\n\r\n"
        )
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    status = int(answer.split()[1])
    assert status in (400, 422), answer
    if status == 422:
        problem = json.loads(answer.partition(b"\r\n\r\n")[2])
        assert problem["instance"] == "/v1/indexes/floats/search"


@pytest.mark.parametrize("accept", ["text/html", "image/*", "application/json;q=0"])
def test_another_media_type_is_not_answered(server: httpx.Client, accept: str) -> None:
    answer = server.post(f"/v1/indexes/{ONE}", json={"vector": VECTOR}, headers={"accept": accept})
    check(answer, 406, "not_acceptable", accept)


@pytest.mark.parametrize("kind", [JSON, RAW])
def test_a_body_over_the_limit_is_refused(server: httpx.Client, kind: str) -> None:
    answer = server.post(
        f"/v1/indexes/{ONE}", content=b"0" * (MAX_BODY + 1), headers={"content-type": kind}
    )
    check(answer, 413, "too_large", f"at most {MAX_BODY}")


def test_a_body_that_does_not_tell_its_length_is_refused_at_the_limit(server: httpx.Client) -> None:
    def chunks() -> Iterator[bytes]:
        for _ in range(9):
            yield b"0" * (MAX_BODY // 8)

    answer = server.post(f"/v1/indexes/{ONE}", content=chunks(), headers={"content-type": RAW})
    assert "content-length" not in answer.request.headers
    check(answer, 413, "too_large", f"at most {MAX_BODY}")


def test_a_batch_over_the_limit_is_refused(server: httpx.Client) -> None:
    most = np.zeros((MAX_BATCH, DIM), np.float32)
    assert post_raw(server, f"/v1/indexes/{MANY}", most).status_code == 200
    more = np.zeros((MAX_BATCH + 1, DIM), np.float32)
    check(post_raw(server, f"/v1/indexes/{MANY}", more), 413, "too_large", "65 vectors, at most 64")
    body = {"vectors": more.tolist()}
    check(server.post(f"/v1/indexes/{MANY}", json=body), 413, "too_large", "65 vectors")


def test_half_a_surrogate_pair_does_not_make_the_server_fail(server: httpx.Client) -> None:
    for body in (rb'{"\ud800": 1}', rb'{"vector": "\ud800"}', rb'{"k": "\ud800"}'):
        answer = server.post(f"/v1/indexes/{ONE}", content=body, headers={"content-type": JSON})
        assert answer.status_code in (400, 422), answer.text


def test_all_errors_are_listed_but_not_all_of_a_long_vector(server: httpx.Client) -> None:
    body = {"vector": ["x"] * DIM, "k": 0, "recall": 2, "a/b~c d": 1}
    problem = check(server.post(f"/v1/indexes/{ONE}", json=body), 422, "invalid_request")
    places = [error["pointer"] for error in problem["errors"]]
    assert places == ["#/k", "#/recall", "#/vector/0", "#/a~1b~0c%20d"]


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4)
    ),
    max_leaves=8,
)
FIELDS = ["vector", "vectors", "k", "recall", "params", "max_distance", "stats", "n", "dtype"]


@settings(max_examples=60)
@given(
    path=st.sampled_from([ONE, MANY]),
    body=st.dictionaries(st.sampled_from(FIELDS) | st.text(max_size=4), JSON_VALUES),
    good=st.booleans(),
)
def test_no_json_makes_the_server_fail(
    server: httpx.Client, path: str, body: dict[str, object], good: bool
) -> None:
    if good:
        body = {**body, **({"vector": VECTOR} if path == ONE else {"vectors": [VECTOR]})}
    content = json.dumps(body).encode()
    answer = server.post(f"/v1/indexes/{path}", content=content, headers={"content-type": JSON})
    assert answer.status_code in (200, 400, 422), (body, answer.text)


WHOLE = st.integers(-(2**70), 2**70) | st.integers(1, 30) | st.just(10**400)
REAL = st.floats() | WHOLE
SETTINGS = st.fixed_dictionaries(
    {},
    optional={
        "k": WHOLE,
        "recall": st.floats(0, 1) | REAL,
        "max_distance": REAL,
        "probes": WHOLE,
        "beam": WHOLE,
        "depth": WHOLE,
    },
)


@settings(max_examples=80)
@given(path=st.sampled_from([ONE, MANY]), given_settings=SETTINGS, raw=st.booleans())
def test_any_number_is_answered_or_refused_by_its_name(
    server: httpx.Client, path: str, given_settings: dict[str, float], raw: bool
) -> None:
    url = f"/v1/indexes/{path}"
    if raw:
        answer = post_raw(server, url, np.array(VECTOR, np.float32), JSON, **given_settings)
    else:
        body: dict[str, Any] = {"vector": VECTOR} if path == ONE else {"vectors": [VECTOR] * 3}
        inside = {"probes", "beam", "depth"} & given_settings.keys()
        params = {name: given_settings.pop(name) for name in inside}
        content = json.dumps({**body, **given_settings, "params": params}).encode()
        answer = server.post(url, content=content, headers={"content-type": JSON})
    assert answer.status_code in (200, 422), answer.text
    if answer.status_code == 422:
        names = ["k", "recall", "max_distance", "probes", "beam", "depth"]
        assert any(name in answer.json()["detail"] for name in names), answer.text
