"""Online: a published index in, answers out. `longspan.service.Index.open(path).search(...)`."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from longspan.service.search.index import Index

__all__ = ["Index"]


def __getattr__(name: str) -> Any:
    # Late, because the command line lives in this package and `longspan --help` needs no numpy.
    if name == "Index":
        from longspan.service.search.index import Index

        return Index
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
