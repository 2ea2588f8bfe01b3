"""Verbs and paths: read the request, have it performed, send the reply."""

from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.routing import APIRoute

from longspan.service.http.routes.indexes import describe_index, list_indexes
from longspan.service.http.routes.probes import livez, readyz, root
from longspan.service.http.routes.search import search, search_batch
from longspan.service.http.wire import openapi
from longspan.service.http.wire.openapi import problems


class BareRoute(APIRoute):
    """A route that calls its endpoint directly.

    FastAPI's solving of arguments is left out: it took 50 of the 180 us that a search request
    spent outside of the search, measured here. The signature still is what OpenAPI shows.
    TypeError for a route with dependencies: they would not be asked. What holds for every request
    is middleware.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return what answers a request."""
        endpoint = self.endpoint
        if self.dependencies:
            raise TypeError(f"{self.path}: a bare route has no dependencies, make them middleware")

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
    get("/readyz", readyz, responses=problems("unknown_index", "failed", "not_ready"))
    get("/", root, responses=problems("failed"))
    app.router.routes.sort(key=lambda route: not isinstance(route, BareRoute))
