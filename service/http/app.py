"""The application: opens the indexes, wires the routes, closes.

`uvicorn --factory longspan.service.http.app:create_app` runs it with the settings of the
environment; `longspan serve` does that.
"""

import faulthandler
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import partial
from importlib.metadata import version
from threading import Event

from fastapi import FastAPI
from starlette.middleware import Middleware

from longspan.service.catalog.catalog import Catalog
from longspan.service.http import routes
from longspan.service.http.middleware.head import Head
from longspan.service.http.middleware.request_id import RequestId
from longspan.service.http.middleware.unread import Unread
from longspan.service.http.protocol import HEAD_SECONDS
from longspan.service.http.routes.serving import Serving
from longspan.service.http.schedule.intake import Intake
from longspan.service.http.schedule.queue import Admission
from longspan.service.http.schedule.work import perform
from longspan.service.http.settings import Settings, read_settings
from longspan.service.http.stopping import told_to_stop
from longspan.service.http.wire import openapi, problems


def create_app(settings: Settings | None = None) -> FastAPI:
    """Return the application; without settings they are read from the environment."""
    stopping = Event()
    app = FastAPI(
        title="longspan",
        version=version("longspan"),
        description="Nearest-neighbour search. Errors are application/problem+json (RFC 9457).",
        lifespan=partial(_lifespan, settings or read_settings(), stopping),
        middleware=[
            Middleware(Unread, stopping.is_set),
            Middleware(RequestId),
            Middleware(Head),
        ],
        exception_handlers=problems.HANDLERS,
        redirect_slashes=False,
        docs_url=None,  # a page from other machines: blank in a closed network
        redoc_url=None,
        separate_input_output_schemas=False,  # an answer's optional fields are optional
    )
    routes.install(app)
    app.openapi = partial(openapi.document, app)  # type: ignore[method-assign]
    return app


@asynccontextmanager
async def _lifespan(
    settings: Settings, stopping: Event, app: FastAPI
) -> AsyncIterator[dict[str, float]]:
    """Open the indexes in the background, so that `/livez` and `/readyz` answer meanwhile.

    Told to stop, it is not ready any more, and bodies that are still coming get a moment; in the
    end nothing is waited for. Gives what `protocol` wants to know.
    """
    catalog = Catalog(settings.indexes, settings.memory, settings.shares)
    admission = Admission(perform, settings.threads, settings.queue)
    intake = Intake(settings.max_bodies, settings.body_seconds)
    app.state.serving = Serving(settings, catalog, admission, intake)

    def stop() -> None:
        stopping.set()
        catalog.stop()
        intake.stop()

    with suppress(OSError, ValueError):  # no stderr
        faulthandler.enable()  # what ends a process without a word, such as a page that is gone
    catalog.start()
    with told_to_stop(stop):
        yield {HEAD_SECONDS: settings.body_seconds}
    stop()
    admission.close()
    catalog.close()
