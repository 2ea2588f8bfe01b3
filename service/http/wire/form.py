"""What the two forms of a search share, JSON and raw: its settings, its vectors, its answer."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Literal, NamedTuple, TypeVar
from urllib.parse import parse_qsl

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from longspan.indexer.errors import BadQuery
from longspan.service.http.wire.limits import Limits
from longspan.service.http.wire.problems import Refused, invalid
from longspan.service.search.request import SearchRequest, settings

Queries = NDArray[Any]
Model = TypeVar("Model", bound=BaseModel)

DtypeName = Literal["f32", "f16", "u8", "i8"]
Float = Annotated[float, Field(allow_inf_nan=False)]
OfOne = list[Literal["payload", "explain"]]  # what the answer to one query may include
OfMany = list[Literal["payload"]]
Format = Literal["rows", "columns"]


def _without_point(given: Any) -> Any:
    """Return 10.0 as 10: JSON has one kind of number, and some languages write all alike."""
    return int(given) if isinstance(given, float) and given.is_integer() else given


Whole = Annotated[int, BeforeValidator(_without_point)]
WholeOrNone = Annotated[int | None, BeforeValidator(_without_point)]

_DTYPES = {"f32": "<f4", "f16": "<f2", "u8": "u1", "i8": "i1"}  # on the wire: little-endian
_SETTINGS = {spec.name: spec for spec in settings(SearchRequest)}


def setting(name: str) -> Any:
    """Return the field of a setting of a search, as `SearchRequest` has it."""
    spec = _SETTINGS[name]
    low, high = spec.metadata.get("low"), spec.metadata.get("high")
    above = spec.metadata.get("above")
    return Field(
        list(spec.default) if "among" in spec.metadata else spec.default,  # type: ignore[arg-type]
        description=spec.metadata["help"],
        ge=None if above else low,
        gt=low if above else None,
        le=high,
    )


class _Settings(BaseModel):
    """What a search may ask for. A field that is not known is refused, never ignored."""

    model_config = ConfigDict(extra="forbid")

    def given(self) -> dict[str, Any]:
        """Return the settings of a search by name."""
        return {name: getattr(self, name) for name in _SETTINGS if hasattr(self, name)}


class Wanted(_Settings):
    """What most searches name."""

    k: Whole = setting("k")
    recall: float | None = setting("recall")
    max_distance: Float | None = setting("max_distance")
    stats: bool = setting("stats")


class Params(_Settings):
    """Expert overrides in place of `recall`."""

    probes: WholeOrNone = setting("probes")
    beam: WholeOrNone = setting("beam")
    depth: WholeOrNone = setting("depth")
    exact: bool = setting("exact")


class AnswerQuery(BaseModel):
    """The query string beside a JSON body."""

    model_config = ConfigDict(extra="forbid")

    ids: Literal["number", "string"] = Field(
        "number", description="JavaScript needs strings for ids above 2^53"
    )


@dataclass(frozen=True, slots=True)
class Search:
    """A search, decoded.

    queries  (n, dim), of the dtype that came; JSON numbers come as float32
    """

    queries: Queries
    request: SearchRequest
    ids_as_text: bool = False
    columns: bool = False


class Reply(NamedTuple):
    """A body with the headers that belong to it."""

    body: bytes
    headers: dict[str, str]


def request_of(given: dict[str, Any], where: str) -> SearchRequest:
    """Return the settings of a search; refuse those that do not go together.

    where  they stood, for the refusal
    """
    try:
        return SearchRequest(**given)
    except BadQuery as error:
        raise wrong(where, str(error)) from error


def read_query(model: type[Model], query: str) -> Model:
    """Return the model in a query string; no parameter may come twice."""
    given: dict[str, str] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        if name in given:
            raise Refused("invalid_request", f"{name} is given twice")
        given[name] = value
    return validated(lambda: model.model_validate_strings(given), of_query=True)


def validated(validate: Callable[[], Model], *, of_query: bool = False) -> Model:
    """Return what pydantic makes of a request; refuse what it refuses."""
    try:
        return validate()
    except ValidationError as error:
        errors = error.errors(include_url=False, include_context=False)
        if errors[0]["type"] == "json_invalid":
            raise Refused("bad_json", errors[0]["msg"]) from error
        raise invalid(errors, of_query=of_query) from error


def vectors_in(block: bytes, dtype: str | None, limits: Limits, where: str) -> Queries:
    """Return the vectors that lie one after the other in a block, (n, dim)."""
    name = dtype or limits.dtype
    size = vector_bytes(dtype, limits)
    if not block or len(block) % size:
        raise wrong(
            where,
            f"{len(block)} bytes, want {size} for each vector: {limits.dim} dims of {name}",
            code="wrong_dimension",
        )
    return np.frombuffer(block, _DTYPES[name]).reshape(-1, limits.dim)


def vector_bytes(dtype: str | None, limits: Limits) -> int:
    """Return the bytes of one vector in a block."""
    return limits.dim * np.dtype(_DTYPES[dtype or limits.dtype]).itemsize


def check_one(queries: Queries, limits: Limits) -> None:
    """Refuse all but one vector."""
    if len(queries) != 1:
        raise Refused(
            "wrong_dimension", f"{queries.size} values, want {limits.dim}; search/batch takes many"
        )


def check_batch(count: int, limits: Limits) -> None:
    """Refuse more vectors than a batch may have."""
    if count > limits.batch:
        raise Refused("too_large", f"{count} vectors, at most {limits.batch} in a batch")


def wrong(where: str, what: str, code: str = "invalid_request") -> Refused:
    """Return the refusal of one place in the request: a pointer into its JSON, or words."""
    errors = [{"pointer": where, "detail": what}] if where.startswith("#") else []
    return Refused(code, f"{where}: {what}", errors=errors)
