"""Verbs and paths: read the request, have it performed, send the reply."""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from time import perf_counter
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.routing import APIRoute

from longspan.indexer.store import payload
from longspan.indexer.store.tiers import tiers
from longspan.service.catalog.catalog import Catalog, Status
from longspan.service.http.schedule.intake import SMALL, Intake
from longspan.service.http.schedule.queue import Admission
from longspan.service.http.schedule.work import Call
from longspan.service.http.settings import Settings
from longspan.service.http.wire import limits, openapi
from longspan.service.http.wire.media import JSON, RAW, media_of
from longspan.service.http.wire.openapi import problems
from longspan.service.http.wire.schemas import (
    Health,
    IndexDetails,
    IndexList,
    IndexSummary,
    Limits,
    Memory,
    Server,
    TierCost,
)
from longspan.service.search.index import Index
from longspan.service.search.request import MAX_K


@dataclass(frozen=True, slots=True)
class Serving:
    """What the routes work with; `app.state.serving`."""

    settings: Settings
    catalog: Catalog
    admission: Admission
    intake: Intake


def _serving(request: Request) -> Serving:
    serving: Serving = request.app.state.serving
    return serving


class BareRoute(APIRoute):
    """A route that calls its endpoint directly.

    FastAPI's solving of arguments is left out: it took 50 of the 180 us that a search request
    spent outside of the search, measured here. The signature still is what OpenAPI shows.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return what answers a request."""
        endpoint = self.endpoint

        async def handle(request: Request) -> Response:
            response: Response = await endpoint(request.path_params["name"], request)
            return response

        return handle


def install(app: FastAPI) -> None:
    """Add all paths to the application, those that must be fast first.

    They go straight into its own router: an included one took 40 us more a request.
    """
    post = partial(app.router.add_api_route, methods=["POST"], route_class_override=BareRoute)
    post("/v1/indexes/{name}/search", search, **openapi.SEARCH)
    post("/v1/indexes/{name}/search/batch", search_batch, **openapi.BATCH)
    get = partial(app.router.add_api_route, methods=["GET"], response_model_exclude_none=True)
    get("/v1/indexes", list_indexes, responses=problems("failed"))
    get(
        "/v1/indexes/{name}",
        describe_index,
        responses=problems("unknown_index", "failed", "not_ready"),
    )
    get("/livez", livez, responses=problems("failed"))
    get("/readyz", readyz, responses=problems("failed", "not_ready"))
    get("/", root, responses=problems("failed"))
    app.router.routes.sort(key=lambda route: not isinstance(route, BareRoute))


async def root() -> Server:
    """Say name and version."""
    return Server(version=version("longspan"))


async def livez() -> Health:
    """Pass as long as requests are answered at all."""
    return Health()


async def readyz(request: Request, index: str | None = None) -> Health:
    """Pass when the indexes are open: all, any (`LONGSPAN_READY`), or the one that is named."""
    serving = _serving(request)
    serving.catalog.check_ready(serving.settings.ready, index)
    return Health()


async def list_indexes(request: Request) -> IndexList:
    """List the indexes served, open or not."""
    return IndexList(indexes=[_summary(*one) for one in _serving(request).catalog])


async def describe_index(name: str, request: Request) -> IndexDetails:
    """Say what an index holds, and what may be asked of it."""
    serving = _serving(request)
    return _details(name, serving.catalog.get(name), serving.settings)


async def search(name: str, request: Request) -> Response:
    """Find the nearest vectors to one query."""
    return await _answer(name, request, many=False)


async def search_batch(name: str, request: Request) -> Response:
    """Find the nearest vectors to each of many queries, with the same settings for all."""
    return await _answer(name, request, many=True)


async def _answer(name: str, request: Request, *, many: bool) -> Response:
    """Read the request; threads do the rest."""
    serving = _serving(request)
    index = serving.catalog.get(name)
    media, accept = media_of(request.headers)
    most = limits_of(index, serving.settings).body(media)
    query = request.scope["query_string"].decode("latin-1")
    with serving.admission.place(), serving.intake.body() as body:  # before anything is read
        read = await body.read(request, most)
        call = Call(
            name, index, many, read, media, accept, query, perf_counter(), len(read) > SMALL
        )
        reply = await serving.admission.run(call)
    return Response(reply.body, headers=reply.headers)


def _summary(name: str, status: Status, index: Index | None) -> IndexSummary:
    return IndexSummary(name=name, status=status, **(_facts(index) if index else {}))


def _details(name: str, index: Index, settings: Settings) -> IndexDetails:
    manifest = index.manifest
    return IndexDetails(
        name=name,
        **_facts(index),
        heads=manifest.heads,
        entries=manifest.entries,
        codec=manifest.codec["kind"],
        size_bytes=manifest.size_bytes,
        payload_bytes=payload.size(manifest),
        memory=_memory(index),
        created=manifest.created,
        format=manifest.format,
        built_by=manifest.longspan,
        limits=_limits(limits_of(index, settings)),
    )


def limits_of(index: Index, settings: Settings) -> limits.Limits:
    """Return what one request may ask of an index."""
    return limits.limits_for(
        index,
        max_body=settings.max_body,
        max_batch=settings.max_batch,
        max_payload=settings.max_payload,
    )


def _limits(most: limits.Limits) -> Limits:
    return Limits(
        k=MAX_K,
        batch=most.batch,
        body_bytes=most.body(JSON),
        raw_body_bytes=most.body(RAW),
        payload_bytes=most.payload_bytes,
        hits=most.hits,
        payload_hits=most.objects,
        reads=most.reads,
    )


def _memory(index: Index) -> Memory:
    each = [TierCost(**tier.as_dict()) for tier in tiers(index.manifest)]
    now = each[index.tier]
    return Memory(resident=now.resident, bytes=now.bytes, locked=index.locked, tiers=each)


def _facts(index: Index) -> dict[str, Any]:
    return {"metric": index.metric, "dtype": index.dtype_name, "dim": index.dim, "n": index.n}
