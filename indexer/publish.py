"""Publishing: an index exists or it does not.

It is written under a hidden name beside its own, each file is flushed to the disk, the manifest
is written last, and one rename makes it appear. What a failed build leaves is removed; what a
killed one leaves is a hidden directory that nothing reads and that the next build of the same
index removes.
"""

import errno
import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from longspan.indexer.errors import BadFile, DoesNotFit, IndexExists

MARK = ".building"


@contextmanager
def publishing(index: Path) -> Iterator[Path]:
    """Give an empty directory to write into; publish it as index when the block ends well.

    IndexExists when the index is there already or is being built, DoesNotFit when the disk is full.
    """
    with beside(index, MARK) as draft:
        yield draft
        for path in sorted(draft.iterdir()):
            flush(path)
        flush(draft)
        refuse_existing(index)
        draft.rename(index)
        flush(index.parent)


@contextmanager
def beside(index: Path, mark: str) -> Iterator[Path]:
    """Give an empty hidden directory beside an index that is to be; it is gone in the end.

    IndexExists when the index is there already or the directory in use, DoesNotFit when the disk
    is full.
    """
    refuse_existing(index)
    draft = index.parent / f".{index.name}{mark}"
    try:
        index.parent.mkdir(parents=True, exist_ok=True)
        handle = claim(draft)
    except OSError as error:
        raise BadFile(f"{index}: cannot be written: {error}") from error
    try:
        yield draft
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise DoesNotFit(f"{index}: the disk is full, nothing was kept") from error
        raise
    finally:
        shutil.rmtree(draft, ignore_errors=True)
        os.close(handle)


def claim(draft: Path) -> int:
    """Return a handle that holds the draft for this process alone, as long as it is open.

    IndexExists when another build holds it. What a killed one left in it is removed.
    """
    draft.mkdir(exist_ok=True)
    handle = os.open(draft, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        for left in draft.iterdir():
            left.unlink()
    except BlockingIOError:
        os.close(handle)
        raise IndexExists(f"{draft}: another build is writing there") from None
    except OSError:
        os.close(handle)
        raise
    return handle


def refuse_existing(index: Path) -> None:
    """Raise IndexExists when there is anything at the index's path."""
    if os.path.lexists(index):
        raise IndexExists(f"{index}: already exists; remove it or choose another name")


def require_space(directory: Path, size: int) -> None:
    """Raise DoesNotFit unless the disk has room for size bytes."""
    free = shutil.disk_usage(directory).free
    if free < size:
        raise DoesNotFit(f"{directory}: the index takes {size:,} bytes, the disk has {free:,}")


def flush(path: Path) -> None:
    """Make sure that a file's content, or a directory's names, are on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
