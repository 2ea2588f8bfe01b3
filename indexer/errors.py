"""Everything that can go wrong, for both programs: one small tree.

    LongspanError
    ├── BadInput (ValueError)   what the caller gave cannot be used; nothing was written
    │   ├── BadConfig           a knob is out of its range
    │   ├── BadFile             a file of vectors, ids, payload or answers is malformed
    │   ├── BadQuery            a search asks for what the index cannot answer
    │   │   └── IndexClosed     it was closed
    │   ├── BadIndex            the directory is no longspan index, or of another version or kind
    │   ├── UnknownIndex        a server has no index of this name
    │   ├── IndexExists         the output is already there
    │   ├── CannotResume        the build that was cut off was of something else
    │   └── BuildCutOff         a build that was cut off is there, and no word on what becomes of it
    ├── DamagedIndex            a checksum, a size or a count disagrees with the manifest
    ├── DamagedBuild            a file that a build has left for itself cannot be read back
    ├── NotReady                an index of a server is not open, yet or any more; ask again
    ├── NoAccess (OSError)      the system does not give a file of an index or a build
    └── DoesNotFit (OSError)    the memory budget or the disk is too small

Each class carries the exit code that the command line gives for it (docs/cli.md).
"""

import errno
import resource
from pathlib import Path


class LongspanError(Exception):
    """Any error that longspan raises on purpose."""

    exit_code = 1


class BadInput(LongspanError, ValueError):  # noqa: N818  the name is the message
    """What the caller gave cannot be used; nothing was written."""

    exit_code = 2


class BadConfig(BadInput):
    """A knob is out of its range."""


class BadFile(BadInput):
    """A file of vectors, ids, payload or answers is malformed."""


class BadQuery(BadInput):
    """A search asks for what the index cannot answer."""


class IndexClosed(BadQuery):
    """The index was closed, by `close` or because its files changed."""


class BadIndex(BadInput):
    """The directory is no longspan index, or one of another version or kind than is wanted."""


class UnknownIndex(BadInput):
    """A server has no index of this name."""


class IndexExists(BadInput):
    """The output is already there."""


class CannotResume(BadInput):
    """The build that was cut off was of something else."""


class BuildCutOff(BadInput):
    """A build that was cut off is there, and nobody said what is to become of it."""


class DamagedIndex(LongspanError):  # noqa: N818
    """A checksum, a size or a count disagrees with the manifest."""

    exit_code = 3


class NotReady(LongspanError):  # noqa: N818
    """An index of a server is not open, yet or any more; to be asked again."""


class NoAccess(LongspanError, OSError):  # noqa: N818
    """The system does not give a file: no right to read it, too many open files."""


class DamagedBuild(LongspanError):  # noqa: N818
    """A file that a build has left for itself cannot be read back."""

    exit_code = 3


class DoesNotFit(LongspanError, OSError):  # noqa: N818
    """The memory budget or the disk is too small."""

    exit_code = 4


NO_ROOM = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the user's share of the disk is used up",
    errno.EFBIG: "a file may not grow that large (`ulimit -f`)",
}
NO_RIGHT = (errno.EACCES, errno.EPERM)
NO_HANDLES = (errno.EMFILE, errno.ENFILE)


def no_access(error: OSError, path: Path) -> LongspanError | None:
    """Return why the system does not give a file that is there; None when that was not it.

    path  to name where the system names no file
    """
    if error.errno in NO_RIGHT:
        return NoAccess(f"{error.filename or path}: this user has no right to read it")
    if error.errno == errno.ENOMEM:
        return DoesNotFit(f"{error.filename or path}: no memory, or no address space, to map it")
    return shortage(error, path) if error.errno in NO_HANDLES else None


def shortage(error: OSError, path: Path) -> LongspanError | None:
    """Return what the system is short of as one of our errors; None when that was not it.

    path  to name where the system names no file
    """
    where = error.filename or path
    if error.errno in NO_ROOM:
        return DoesNotFit(f"{where}: cannot be written: {NO_ROOM[error.errno]}")
    if error.errno in NO_HANDLES:
        limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        return NoAccess(f"{where}: no more than {limit} files may be open (`ulimit -n`)")
    return None
