"""Libraries that only some inputs need: imported when the first such input is opened."""

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from longspan.indexer.errors import BadFile, LongspanError, no_access
from longspan.indexer.reader.address import Address


def need(module: str, address: Address) -> Any:
    """Return the module that reads an input; BadFile says what to install."""
    try:
        return importlib.import_module(module)
    except ImportError as exc:
        library = module.partition(".")[0]
        raise BadFile(f"{address}: needs {library}: pip install 'longspan[inputs]'") from exc


@contextmanager
def refusing(address: Address, errors: type[Exception] = Exception) -> Iterator[None]:
    """Turn what a library says against an input into BadFile.

    All of it by default: each store has errors of its own, and a damaged file upsets a library
    in many ways. OSError is for what is read without one.
    """
    try:
        yield
    except (LongspanError, MemoryError):
        raise
    except errors as exc:
        if isinstance(exc, OSError) and (refused := no_access(exc, address.path)):
            raise refused from exc
        raise BadFile(f"{address}: cannot be read: {type(exc).__name__}: {exc}") from exc
