"""What the system says when it does not give a file, as an error that names file and cause."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from longspan.indexer.errors import DoesNotFit, LongspanError, NoAccess, shortage

NO_RIGHT = (errno.EACCES, errno.EPERM)


@contextmanager
def access(path: Path) -> Iterator[None]:
    """Turn what the system refuses while an index is opened into one of our errors.

    path  of the index, where the system names no file
    NoAccess for rights and descriptors and what else it may say, DoesNotFit for memory.
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
