"""Offline: vectors in, a published index out. `longspan.indexer.build(...)` does it all."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from longspan.indexer.pipeline import build

__all__ = ["build"]


def __getattr__(name: str) -> Any:
    # Late, because the server imports the store below this package and needs no build stage.
    if name == "build":
        from longspan.indexer.pipeline import build

        return build
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
