"""What can go wrong with a request, and the answer that says so.

Every error is an `application/problem+json` (RFC 9457) with a code that programs can rely on;
`PROBLEMS` is the one table of codes and statuses.
"""

import logging
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import quote

import orjson
from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic_core import ErrorDetails
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from longspan.indexer.errors import BadQuery, DamagedIndex, IndexClosed, NotReady, UnknownIndex

MEDIA_TYPE = "application/problem+json"
_SHORT = 40  # characters of a wrong value that are shown
_SHOWN = 8  # errors listed in one answer: enough to mend a request by

_LOGGED = "the server's log says more under the request's id"

_log = logging.getLogger(__name__)


class Kind(NamedTuple):
    """A kind of problem: its status, and its title for a person."""

    status: int
    title: str


PROBLEMS = {
    "bad_request": Kind(400, "The request cannot be read"),
    "bad_json": Kind(400, "The body is not JSON"),
    "unknown_path": Kind(404, "Nothing is at this path"),
    "unknown_index": Kind(404, "No index has this name"),
    "wrong_method": Kind(405, "This path does not answer this method"),
    "not_acceptable": Kind(406, "The answer cannot be had in this media type"),
    "too_slow": Kind(408, "The request took too long to come"),
    "too_large": Kind(413, "The request is too large"),
    "wrong_content_type": Kind(415, "A body of this media type is not read here"),
    "invalid_request": Kind(422, "A field or parameter is not valid"),
    "wrong_dimension": Kind(422, "A vector has the wrong number of dimensions"),
    "bad_query": Kind(422, "The index cannot answer this search"),
    "failed": Kind(500, "The server failed"),
    "damaged_index": Kind(500, "The index is damaged"),
    "not_ready": Kind(503, "The server is not ready"),
    "overloaded": Kind(503, "Too many searches are waiting"),
}
_OF_STATUS = {404: "unknown_path", 405: "wrong_method"}


class Refused(Exception):  # noqa: N818  the code is the message
    """A request that is not answered: one of `PROBLEMS`, what was found and what was wanted.

    errors   the places, as {"pointer": "#/vector/3", "detail": …} (RFC 6901, in a JSON body) or
             {"parameter": "k", "detail": …} (in the query string)
    headers  more headers of the answer
    """

    def __init__(
        self,
        code: str,
        detail: str,
        *,
        errors: Sequence[Mapping[str, str]] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.code, self.detail, self.errors, self.headers = code, detail, errors, headers


def invalid(found: Sequence[ErrorDetails], *, of_query: bool = False) -> Refused:
    """Return the refusal for what pydantic found wrong in a body, or in the query string.

    Where a field may be of two types pydantic reports both tries, so only the errors that lie
    deepest in a field are kept: those of the type that was meant.
    """
    deepest: dict[Any, int] = {}
    for error in found:
        field = error["loc"][:1]
        deepest[field] = max(deepest.get(field, 0), len(error["loc"]))
    errors = [
        {**_place(error["loc"], of_query), "detail": _what(error)}
        for error in found
        if len(error["loc"]) == deepest[error["loc"][:1]]
    ][:_SHOWN]
    where, what = errors[0].values()
    return Refused("invalid_request", f"{where}: {what}", errors=errors)


def _what(error: ErrorDetails) -> str:
    """Return what was wanted, and what was found when that is short."""
    if error["type"] == "extra_forbidden":
        return "is not known here"
    found = error["input"]
    short = isinstance(found, str | int | float | None) and len(repr(found)) <= _SHORT
    return f"{error['msg']}, found {found!r}" if short else error["msg"]


def _place(loc: Sequence[int | str], of_query: bool) -> dict[str, str]:
    """Return where an error is, without pydantic's names of types: ("vector", "list[float]", 3)."""
    if of_query:
        return {"parameter": str(loc[-1]) if loc else ""}
    inside = (step for step in loc[1:] if loc[0] == "params" or isinstance(step, int))
    steps = (str(step).replace("~", "~0").replace("/", "~1") for step in (*loc[:1], *inside))
    return {"pointer": "/".join(["#", *map(quote, steps)])}


async def answer(request: Request, error: Exception) -> Response:
    """Answer any exception that leaves a route, FastAPI's own included."""
    refused = _refusal(request, error)
    path = request.scope["path"]  # request.url would decode the query, of any bytes
    body = body_of(refused, path, request.state.request_id)
    return Response(body, PROBLEMS[refused.code].status, refused.headers, MEDIA_TYPE)


def body_of(refused: Refused, path: str, request_id: str) -> bytes:
    """Return the JSON that says what was refused."""
    kind = PROBLEMS[refused.code]
    body = {
        "type": f"urn:longspan:problem:{refused.code.replace('_', '-')}",
        "title": kind.title,
        "status": kind.status,
        "detail": refused.detail,
        "instance": path,
        "code": refused.code,
        "request_id": request_id,
    }
    if refused.errors:
        body["errors"] = refused.errors
    return orjson.dumps(body)


def _refusal(request: Request, error: Exception) -> Refused:
    """Translate an exception into one of the problems."""
    match error:
        case Refused():
            return error
        case IndexClosed() | NotReady():
            return Refused("not_ready", str(error), headers={"Retry-After": "1"})
        case UnknownIndex():
            return Refused("unknown_index", f"{error}, GET /v1/indexes lists them")
        case BadQuery():
            return Refused("bad_query", str(error))
        case RequestValidationError():
            return invalid(error.errors(), of_query=True)
        case HTTPException():
            code = _OF_STATUS.get(error.status_code, "bad_request")
            where = f"{request.method} {request.scope['path']}"
            return Refused(code, f"{where}: {error.detail}", headers=error.headers)
        case ClientDisconnect():
            return Refused("bad_request", "the connection was closed before the body ended")
        case DamagedIndex():
            _log.error("request %s: %s", request.state.request_id, error)
            name = request.path_params.get("name", "")
            return Refused("damaged_index", f"index {name} is damaged; {_LOGGED}")
        case _:
            # Outside of the middleware that names requests, so the header is set here.
            request_id = request.state.request_id
            _log.error("request %s failed: %r", request_id, error)
            detail = f"this is a fault of the server; {_LOGGED}"
            return Refused("failed", detail, headers={"X-Request-Id": request_id})


HANDLERS: dict[int | type[Exception], Any] = dict.fromkeys(
    (
        Refused,
        BadQuery,
        DamagedIndex,
        NotReady,
        UnknownIndex,
        ClientDisconnect,
        HTTPException,
        RequestValidationError,
        Exception,
    ),
    answer,
)
