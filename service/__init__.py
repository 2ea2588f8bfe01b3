"""Online: a published index in, answers out. `longspan.service.Index.open(path).search(...)`."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from longspan.service.search.answer import Answer
    from longspan.service.search.index import Index
    from longspan.service.search.request import SearchRequest

__all__ = ["Answer", "Index", "SearchRequest"]

_HOMES = {"Answer": "answer", "Index": "index", "SearchRequest": "request"}


def __getattr__(name: str) -> Any:
    # Late, because the command line lives in this package and `longspan --help` needs no numpy.
    if name in _HOMES:
        return getattr(import_module(f"longspan.service.search.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
