"""What OpenAPI says of the routes that FastAPI cannot see into.

The search routes read their bodies themselves, as JSON or raw; here their bodies, parameters and
answers are described, from the same models that check them.
"""

from typing import Any

from fastapi import FastAPI, Response
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from longspan.service.http.wire.form import AnswerQuery
from longspan.service.http.wire.json import BatchBody, SearchBody
from longspan.service.http.wire.media import JSON, RAW
from longspan.service.http.wire.problems import MEDIA_TYPE, PROBLEMS
from longspan.service.http.wire.raw import RawBatchQuery, RawQuery
from longspan.service.http.wire.schemas import ColumnsAnswer, Problem, RowsAnswer, SearchAnswer

Schema = dict[str, Any]

_REF = "#/components/schemas/{model}"
_MODELS = (SearchBody, BatchBody, SearchAnswer, RowsAnswer, ColumnsAnswer, Problem)
_REQUEST_ID = {
    "description": "names the request; the client's own when it sent one",
    "schema": {"type": "string"},
}
_SHAPE = {"description": "raw answers only: n,k", "schema": {"type": "string"}}
_STATS = {
    "description": "raw answers only, with stats=true: what the search cost, as JSON",
    "schema": {"type": "string"},
}
_LIMIT = {
    "description": "raw answers only: the recall to expect, where the index is known to give less "
    "than is asked for",
    "schema": {"type": "number"},
}
_RETRY = {"description": "seconds to wait", "schema": {"type": "integer"}}


def problems(*codes: str) -> dict[int | str, Schema]:
    """Return the responses for these codes of `PROBLEMS`, by status."""
    found: dict[int | str, Schema] = {}
    for code in codes:
        kind = PROBLEMS[code]
        response = found.setdefault(
            kind.status,
            {"description": "", "content": {MEDIA_TYPE: {"schema": _ref(Problem)}}},
        )
        response["description"] += f"{'; ' if response['description'] else ''}{kind.title}"
        if kind.status == 503:
            response["headers"] = {"Retry-After": _RETRY}
    return found


def _ref(model: type[BaseModel]) -> Schema:
    return {"$ref": _REF.format(model=model.__name__)}


def _parameters(model: type[BaseModel]) -> list[Schema]:
    """Return a model of the query string as parameters; all are optional."""
    found = []
    for name, schema in model.model_json_schema()["properties"].items():
        # None is only "not given", which a query string says by leaving the parameter out.
        [kind] = [one for one in schema.pop("anyOf", [schema]) if one.get("type") != "null"]
        also = "" if name in AnswerQuery.model_fields else " (beside a raw body only)"
        text = f"{schema.pop('description', 'shape of a JSON answer')}{also}"
        kind.pop("title", None)
        found.append({"name": name, "in": "query", "description": text, "schema": kind})
        if kind.get("type") == "array":
            found[-1]["explode"] = False  # values with commas between them
    return found


def _operation(
    summary: str, body: type[BaseModel], query: type[BaseModel], *answers: type[BaseModel]
) -> dict[str, Any]:
    """Return the arguments of a search route's decorator."""
    refs = [_ref(answer) for answer in answers]
    raw = {"schema": {"type": "string", "contentMediaType": RAW}}
    found = {JSON: {"schema": refs[0] if len(refs) == 1 else {"anyOf": refs}}, RAW: raw}
    return {
        "summary": summary,
        "response_class": Response,
        "openapi_extra": {
            "parameters": _parameters(query),
            "requestBody": {
                "required": True,
                "content": {JSON: {"schema": _ref(body)}, RAW: raw},
            },
        },
        "responses": {
            200: {
                "description": "the hits, nearest first; raw: n*k u64 ids, then n*k f32 distances",
                "content": found,
                "headers": {
                    "Longspan-Shape": _SHAPE,
                    "Longspan-Recall-Limit": _LIMIT,
                    "Longspan-Stats": _STATS,
                },
            },
            **problems(
                "bad_request",
                "bad_json",
                "unknown_index",
                "not_acceptable",
                "too_slow",
                "too_large",
                "wrong_content_type",
                "invalid_request",
                "wrong_dimension",
                "bad_query",
                "failed",
                "damaged_index",
                "not_ready",
                "overloaded",
            ),
        },
    }


SEARCH = _operation("Search for one query", SearchBody, RawQuery, SearchAnswer)
BATCH = _operation("Search for many queries", BatchBody, RawBatchQuery, RowsAnswer, ColumnsAnswer)


def document(app: FastAPI) -> Schema:
    """Return the OpenAPI document: FastAPI's, with the models that only this module refers to."""
    if app.openapi_schema:
        return app.openapi_schema
    found = get_openapi(
        title=app.title,
        version=app.version,
        description=app.description,
        routes=app.routes,
        separate_input_output_schemas=app.separate_input_output_schemas,
    )
    models = models_json_schema([(model, "validation") for model in _MODELS], ref_template=_REF)
    schemas = found["components"]["schemas"]
    schemas.update(models[1]["$defs"])
    # FastAPI adds a 422 to every path with a parameter; here these are strings, never invalid.
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    for path in found["paths"].values():
        for operation in path.values():
            _complete(operation["responses"])
    app.openapi_schema = found
    return found


def _complete(responses: Schema) -> None:
    """Take FastAPI's own 422 out of an operation's responses, and add the header that all have."""
    if JSON in responses.get("422", {}).get("content", {}):
        del responses["422"]
    for response in responses.values():
        response.setdefault("headers", {})["X-Request-Id"] = _REQUEST_ID
