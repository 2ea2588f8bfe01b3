"""Errors for files that the system refuses to give: each names the file and the cause."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from longspan.indexer.errors import DoesNotFit, LongspanError, NoAccess, shortage

NO_RIGHT = (errno.EACCES, errno.EPERM)


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
        if error.errno == errno.ENOMEM:
            raise DoesNotFit(f"{where}: no memory, or no address space, to map it") from error
        if error.errno in NO_RIGHT:
            raise NoAccess(f"{where}: this user has no right to read it") from error
        cause = NoAccess(f"{where}: cannot be opened: {error.strerror or error}")
        raise (shortage(error, path) or cause) from error
