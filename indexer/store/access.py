"""What the system says when it does not give a file, as an error that names file and cause."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from longspan.indexer.errors import DoesNotFit, LongspanError, NoAccess

REMEDIES = {
    errno.EMFILE: "this process may open no more files: raise `ulimit -n`",
    errno.ENFILE: "the system may open no more files",
    errno.EACCES: "this user has no right to read it",
    errno.EPERM: "this user has no right to read it",
}


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
        cause = REMEDIES.get(error.errno or 0, error.strerror or str(error))
        raise NoAccess(f"{where}: cannot be opened: {cause}") from error
