"""What the routes work with, made when a server starts."""

from dataclasses import dataclass

from fastapi import Request

from longspan.service.catalog.catalog import Catalog
from longspan.service.http.schedule.intake import Intake
from longspan.service.http.schedule.queue import Admission
from longspan.service.http.settings import Settings
from longspan.service.http.wire.limits import Limits, limits_for
from longspan.service.search.index import Index


@dataclass(frozen=True, slots=True)
class Serving:
    """The parts of a server; `app.state.serving`."""

    settings: Settings
    catalog: Catalog
    admission: Admission
    intake: Intake

    def limits_of(self, index: Index) -> Limits:
        """Return what one request may ask of an index."""
        return limits_for(
            index,
            max_body=self.settings.max_body,
            max_batch=self.settings.max_batch,
            max_payload=self.settings.max_payload,
        )


def serving_of(request: Request) -> Serving:
    """Return the server that a request came to."""
    serving: Serving = request.app.state.serving
    return serving
