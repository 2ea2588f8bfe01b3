"""Errors for files that the system refuses to give: each names the file and the cause."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from longspan.indexer.errors import DoesNotFit, LongspanError, NoAccess, no_access, shortage


@contextmanager
def access(path: Path) -> Iterator[None]:
    """Turn the errors of the system while an index is opened into ours.

    path  of the index, to name where the system names no file
    DoesNotFit when memory is short; NoAccess for missing rights or descriptors, and for the rest.
    """
    try:
        yield
    except LongspanError:
        raise
    except MemoryError as error:
        raise DoesNotFit(f"{path}: no memory to open it: {error}") from error
    except OSError as error:
        where = error.filename or path
        cause = NoAccess(f"{where}: cannot be opened: {error.strerror or error}")
        raise (no_access(error, path) or shortage(error, path) or cause) from error
