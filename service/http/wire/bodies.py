"""Request bodies into arrays: JSON numbers, base64 in JSON, raw bytes.

Here lies the door: shape, type and limits are checked. The values themselves (finite, in the
range of the index's type, not zero for cosine) are checked by `Index.search`, for all its callers.
"""

import binascii
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import parse_qsl

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ValidationError

from longspan.indexer.errors import BadQuery
from longspan.service.http.wire.problems import Refused, invalid
from longspan.service.http.wire.schemas import (
    AnswerQuery,
    BatchBody,
    RawBatchQuery,
    RawQuery,
    SearchBody,
)
from longspan.service.search.index import Index
from longspan.service.search.request import SearchRequest

Queries = NDArray[Any]
Model = TypeVar("Model", bound=BaseModel)

_DTYPES = {"f32": "<f4", "f16": "<f2", "u8": "u1", "i8": "i1"}  # on the wire: little-endian


@dataclass(frozen=True, slots=True)
class Search:
    """A request, decoded.

    queries  (n, dim), of the dtype that came; JSON numbers come as float32
    """

    queries: Queries
    request: SearchRequest
    ids_as_text: bool
    columns: bool = False


def json_search(body: bytes, query: str, index: Index) -> Search:
    """Decode `SearchBody`."""
    given = _read_json(SearchBody, body)
    if isinstance(given.vector, str):
        queries = _from_base64(given.vector, given.dtype, index, "#/vector")
        _check_one(queries, index)
    else:
        _no_base64_fields(given)
        _check_dim(given.vector, index, "#/vector")
        queries = _floats([given.vector])
    return Search(queries, _request_of(given, "#/params"), _ids_as_text(query))


def json_batch(body: bytes, query: str, index: Index, max_batch: int) -> Search:
    """Decode `BatchBody`."""
    given = _read_json(BatchBody, body)
    if isinstance(given.vectors, str):
        queries = _from_base64(given.vectors, given.dtype, index, "#/vectors")
        if given.n not in (None, len(queries)):
            raise _wrong("#/n", f"n is {given.n}, the block holds {len(queries)} vectors")
    else:
        _no_base64_fields(given)
        for number, row in enumerate(given.vectors):
            _check_dim(row, index, f"#/vectors/{number}")
        queries = _floats(given.vectors)
    _check_batch(queries, max_batch)
    columns = given.format == "columns"
    return Search(queries, _request_of(given, "#/params"), _ids_as_text(query), columns)


def raw_search(body: bytes, query: str, index: Index) -> Search:
    """Decode one raw vector; `RawQuery` is in the query string."""
    given = _read_query(RawQuery, query)
    queries = _from_bytes(body, given.dtype, index, "the body")
    _check_one(queries, index)
    return Search(queries, _request_of(given, "the parameters"), given.ids == "string")


def raw_batch(body: bytes, query: str, index: Index, max_batch: int) -> Search:
    """Decode raw vectors, one after the other; `RawBatchQuery` is in the query string."""
    given = _read_query(RawBatchQuery, query)
    queries = _from_bytes(body, given.dtype, index, "the body")
    _check_batch(queries, max_batch)
    columns = given.format == "columns"
    return Search(queries, _request_of(given, "the parameters"), given.ids == "string", columns)


def _read_json(model: type[Model], body: bytes) -> Model:
    """Return the model in a JSON body, without conversions: "10" is no number."""
    try:
        return model.model_validate_json(body, strict=True)
    except ValidationError as exc:
        errors = exc.errors(include_url=False, include_context=False)
        if errors[0]["type"] == "json_invalid":
            raise Refused("bad_json", errors[0]["msg"]) from exc
        raise invalid(errors) from exc


def _read_query(model: type[Model], query: str) -> Model:
    """Return the model in a query string; no parameter may come twice."""
    given: dict[str, str] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        if name in given:
            raise Refused("invalid_request", f"{name} is given twice")
        given[name] = value
    try:
        return model.model_validate_strings(given)
    except ValidationError as exc:
        errors = exc.errors(include_url=False, include_context=False)
        raise invalid(errors, of_query=True) from exc


def _request_of(given: SearchBody | BatchBody | RawQuery, where: str) -> SearchRequest:
    """Return the settings of a search; refuse those that do not go together."""
    try:
        return SearchRequest(**given.given())
    except BadQuery as error:
        raise _wrong(where, str(error)) from error


def _ids_as_text(query: str) -> bool:
    return bool(query) and _read_query(AnswerQuery, query).ids == "string"


def _no_base64_fields(given: SearchBody | BatchBody) -> None:
    """Refuse fields that say how a string is to be read where there are numbers."""
    for field in ("encoding", "dtype", "n"):
        if getattr(given, field, None) is not None:
            raise _wrong(f"#/{field}", f"{field} goes with a base64 string, not with numbers")


def _check_dim(row: list[float], index: Index, pointer: str) -> None:
    if len(row) != index.dim:
        what = f"{len(row)} dims, index has {index.dim}"
        raise _wrong(pointer, what, code="wrong_dimension")


def _floats(rows: list[list[float]]) -> Queries:
    """Return JSON numbers as float32; one too large for it becomes infinite, and is refused."""
    with np.errstate(over="ignore"):
        return np.array(rows, dtype=np.float32)


def _from_base64(text: str, dtype: str | None, index: Index, pointer: str) -> Queries:
    """Return the vectors in a base64 string of the standard alphabet, with padding."""
    try:
        block = binascii.a2b_base64(text, strict_mode=True)
    except ValueError as exc:
        raise _wrong(pointer, f"not base64: {exc}") from exc
    return _from_bytes(block, dtype, index, pointer)


def _from_bytes(block: bytes, dtype: str | None, index: Index, where: str) -> Queries:
    """Return the vectors that lie one after the other in a block, (n, dim)."""
    name = dtype or index.dtype_name
    kind = np.dtype(_DTYPES[name])
    size = index.dim * kind.itemsize
    if not block or len(block) % size:
        raise _wrong(
            where,
            f"{len(block)} bytes, want {size} for each vector: {index.dim} dims of {name}",
            code="wrong_dimension",
        )
    return np.frombuffer(block, kind).reshape(-1, index.dim)


def _check_one(queries: Queries, index: Index) -> None:
    if len(queries) != 1:
        raise Refused(
            "wrong_dimension", f"{queries.size} values, want {index.dim}; search/batch takes many"
        )


def _check_batch(queries: Queries, max_batch: int) -> None:
    if len(queries) > max_batch:
        raise Refused("too_large", f"{len(queries)} vectors, at most {max_batch} in a batch")


def _wrong(where: str, what: str, code: str = "invalid_request") -> Refused:
    """Return the refusal of one place in the body."""
    errors = [{"pointer": where, "detail": what}] if where.startswith("#") else []
    return Refused(code, f"{where}: {what}", errors=errors)
