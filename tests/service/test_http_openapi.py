"""OpenAPI is true: what the server takes and gives is what its own document says."""

from collections.abc import Mapping
from typing import Any

import httpx
import jsonschema  # type: ignore[import-untyped]
import numpy as np
import pytest

from longspan.service.http.wire.problems import PROBLEMS
from tests.service.serving import RAW, as_base64, post_raw

VECTOR = [0.5] * 24
BLOCK = np.full((3, 24), 0.5, np.float32)
SEARCH, BATCH = "/v1/indexes/{name}/search", "/v1/indexes/{name}/search/batch"
JSON, PROBLEM = "application/json", "application/problem+json"


@pytest.fixture(scope="module")
def document(server: httpx.Client) -> Any:
    answer = server.get("/openapi.json")
    assert answer.status_code == 200
    return answer.json()


def validator(document: Mapping[str, Any], schema: Mapping[str, Any]) -> Any:
    """Return a validator of one schema of the document; its references lead into `components`."""
    whole = {**schema, "components": document["components"]}
    jsonschema.Draft202012Validator.check_schema(whole)
    return jsonschema.Draft202012Validator(whole)


def check_answer(document: Mapping[str, Any], path: str, answer: httpx.Response) -> None:
    """Check status, media type, headers and body of an answer against the document."""
    operation = document["paths"][path][answer.request.method.lower()]
    described = operation["responses"][str(answer.status_code)]
    media = answer.headers["content-type"]
    schema = described["content"][media]["schema"]
    known = {name.lower() for name in described["headers"]}
    ours = [name for name in answer.headers if name.startswith(("longspan-", "x-", "retry-"))]
    assert set(ours) <= known, (ours, known)
    assert "x-request-id" in answer.headers
    if media != RAW:
        validator(document, schema).validate(answer.json())


@pytest.mark.parametrize("path", ["/", "/livez", "/readyz", "/v1/indexes", "/v1/indexes/{name}"])
def test_every_get_answers_as_described(server: httpx.Client, document: Any, path: str) -> None:
    answer = server.get(path.replace("{name}", "floats"))
    assert answer.status_code == 200
    check_answer(document, path, answer)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (SEARCH, {"vector": VECTOR}),
        (SEARCH, {"vector": VECTOR, "k": 3, "recall": 0.9, "stats": True}),
        (SEARCH, {"vector": as_base64(BLOCK[0]), "encoding": "base64", "dtype": "f32"}),
        (SEARCH, {"vector": VECTOR, "recall": None, "params": {"probes": 4, "beam": 8}}),
        (
            SEARCH,
            {"vector": VECTOR, "k": 3.0, "params": {"probes": 4.0, "beam": 8.0, "depth": 9.0}},
        ),
        (SEARCH, {"vector": VECTOR, "max_distance": 0.0}),
        (SEARCH + "?ids=string", {"vector": VECTOR}),
        (SEARCH, {"vector": VECTOR, "include": ["payload"]}),
        (BATCH, {"vectors": BLOCK.tolist(), "include": ["payload"]}),
        (BATCH, {"vectors": BLOCK.tolist(), "include": ["payload"], "format": "columns"}),
        (BATCH, {"vectors": BLOCK.tolist(), "stats": True, "params": {"exact": True}}),
        (BATCH, {"vectors": as_base64(BLOCK), "n": 3.0}),
        (BATCH, {"vectors": as_base64(BLOCK), "n": 3, "format": "columns", "stats": True}),
        (BATCH + "?ids=string", {"vectors": BLOCK.tolist(), "format": "columns"}),
        (BATCH, {"vectors": BLOCK.tolist(), "max_distance": 0.0, "format": "columns"}),
    ],
)
def test_a_search_is_taken_and_answered_as_described(
    server: httpx.Client, document: Any, path: str, body: Mapping[str, Any]
) -> None:
    operation = document["paths"][path.partition("?")[0]]["post"]
    validator(document, operation["requestBody"]["content"][JSON]["schema"]).validate(body)
    only_json = "ids=" in path or {"format", "include"} & set(body)
    for accept in [JSON] if only_json else [JSON, RAW]:
        answer = server.post(
            path.replace("{name}", "objects"), json=body, headers={"accept": accept}
        )
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"] == accept
        check_answer(document, path.partition("?")[0], answer)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (SEARCH, {}),
        (SEARCH, {"vector": []}),
        (SEARCH, {"vector": ["1"]}),
        (SEARCH, {"vector": VECTOR, "k": 0}),
        (SEARCH, {"vector": VECTOR, "k": 10_001}),
        (SEARCH, {"vector": VECTOR, "k": 2.5}),
        (SEARCH, {"vector": VECTOR, "recall": 0}),
        (SEARCH, {"vector": VECTOR, "top_k": 1}),
        (SEARCH, {"vector": VECTOR, "params": {"nprobe": 1}}),
        (SEARCH, {"vector": VECTOR, "dtype": "f64"}),
        (SEARCH, {"vector": VECTOR, "include": "payload"}),
        (SEARCH, {"vector": VECTOR, "include": ["vector"]}),
        (BATCH, {"vectors": [VECTOR], "include": ["explain"]}),
        (BATCH, {"vectors": VECTOR}),
        (BATCH, {"vectors": [[]]}),
        (BATCH, {"vectors": [VECTOR], "format": "table"}),
    ],
)
def test_what_the_schema_refuses_the_server_refuses(
    server: httpx.Client, document: Any, path: str, body: Mapping[str, Any]
) -> None:
    content = document["paths"][path]["post"]["requestBody"]["content"]
    assert not validator(document, content[JSON]["schema"]).is_valid(body)
    answer = server.post(path.replace("{name}", "floats"), json=body)
    assert answer.status_code == 422
    check_answer(document, path, answer)


@pytest.mark.parametrize("path", [SEARCH, BATCH])
def test_a_raw_body_takes_exactly_the_parameters_described(
    server: httpx.Client, document: Any, path: str
) -> None:
    values = {
        "k": 3, "recall": 0.9, "probes": 4, "beam": 8, "depth": 9, "exact": "true",
        "max_distance": 9.5, "stats": "true", "dtype": "f32", "ids": "string", "format": "columns",
        "include": "payload",
    }  # fmt: skip
    parameters = document["paths"][path]["post"]["parameters"]
    described = {one["name"] for one in parameters if one["in"] == "query"}
    url = path.replace("{name}", "objects")
    for name, value in values.items():
        answer = post_raw(server, url, BLOCK[:1], JSON, **{name: value})
        assert answer.status_code == (200 if name in described else 422), (name, answer.text)
        check_answer(document, path, answer)
    assert described <= set(values)
    assert RAW in document["paths"][path]["post"]["requestBody"]["content"]


@pytest.mark.parametrize(
    ("status", "name", "headers", "body"),
    [
        (400, "floats", {}, b"{"),
        (404, "nothing", {}, b"{}"),
        (406, "floats", {"accept": "text/html"}, b"{}"),
        (413, "floats", {}, b" " * 2**19),
        (415, "floats", {"content-type": "text/plain"}, b"{}"),
        (422, "floats", {}, b'{"vector": [1]}'),
    ],
)
@pytest.mark.parametrize("path", [SEARCH, BATCH])
def test_every_error_is_a_problem_as_described(
    server: httpx.Client,
    document: Any,
    path: str,
    status: int,
    name: str,
    headers: Mapping[str, str],
    body: bytes,
) -> None:
    sent = {"content-type": JSON, **headers}
    answer = server.post(path.replace("{name}", name), content=body, headers=sent)
    assert (answer.status_code, answer.headers["content-type"]) == (status, PROBLEM)
    check_answer(document, path, answer)


def test_errors_are_described_as_problems_only(document: Any) -> None:
    for operations in document["paths"].values():
        for operation in operations.values():
            errors = {s: r for s, r in operation["responses"].items() if s != "200"}
            assert "500" in errors
            assert all(list(response["content"]) == [PROBLEM] for response in errors.values())
    assert not {"HTTPValidationError", "ValidationError"} & set(document["components"]["schemas"])


def test_every_kind_of_problem_is_described_for_a_search(document: Any) -> None:
    routing = {"unknown_path", "wrong_method"}  # of no operation: there is none at that place
    for path in (SEARCH, BATCH):
        responses = document["paths"][path]["post"]["responses"]
        for code, kind in PROBLEMS.items():
            described = responses.get(str(kind.status), {}).get("description", "")
            assert (kind.title in described) == (code not in routing), code


def test_every_reference_leads_somewhere(document: Any) -> None:
    def references(node: Any) -> set[str]:
        if isinstance(node, dict):
            own = {node["$ref"]} if "$ref" in node else set()
            return own.union(*map(references, node.values()))
        return set().union(*map(references, node)) if isinstance(node, list) else set()

    schemas = {f"#/components/schemas/{name}" for name in document["components"]["schemas"]}
    assert references(document) == schemas


def test_operations_have_different_names_and_a_summary(document: Any) -> None:
    operations = [one for path in document["paths"].values() for one in path.values()]
    assert len({one["operationId"] for one in operations}) == len(operations)
    assert all(one["summary"] and one["description"] for one in operations)
