"""The indexes of one server process: opened in the background, closed at the end."""

import logging
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Literal

from longspan.indexer.errors import LongspanError
from longspan.service.http.wire.problems import Refused
from longspan.service.search.index import Index
from longspan.service.search.memory import divide

Status = Literal["opening", "open", "failed"]

_log = logging.getLogger(__name__)


class Catalog:
    """Indexes by name. They open one after the other, while others already answer."""

    def __init__(self, paths: Mapping[str, Path], memory: int | None = None) -> None:
        self._paths, self._memory = dict(paths), memory
        self._open: dict[str, Index] = {}
        self._failed: dict[str, str] = {}

    def open(self) -> None:
        """Open all; one that fails is logged, named by `/readyz`, and stops no other."""
        for name, path in self._paths.items():
            try:
                self._open[name] = Index.open(path, self._share(name))
            except Exception as exc:
                self._failed[name] = f"cannot be opened: {exc}"
                expected = isinstance(exc, LongspanError)
                _log.error("index %s cannot be opened: %s", name, exc, exc_info=not expected)

    def _share(self, name: str) -> int | None:
        return None if self._memory is None else divide(self._paths, self._memory)[name]

    def close(self) -> None:
        """Close all; no search may be under way."""
        while self._open:
            self._open.popitem()[1].close()

    def get(self, name: str) -> Index:
        """Return an open index; refuse an unknown name, and one that is not open."""
        index = self._open.get(name)
        if index is not None:
            return index
        if name not in self._paths:
            raise Refused("unknown_index", f"{name}: no such index, GET /v1/indexes lists them")
        raise Refused("not_ready", self._why_not(name), headers={"Retry-After": "1"})

    def __iter__(self) -> Iterator[tuple[str, Status, Index | None]]:
        for name in self._paths:
            status: Status = "failed" if name in self._failed else "opening"
            index = self._open.get(name)
            yield name, "open" if index else status, index

    def check_ready(self) -> None:
        """Refuse until every index is open."""
        waiting = [self._why_not(name) for name in self._paths if name not in self._open]
        if waiting:
            raise Refused("not_ready", "; ".join(waiting), headers={"Retry-After": "1"})

    def _why_not(self, name: str) -> str:
        return f"index {name} {self._failed.get(name) or 'is being opened'}"
