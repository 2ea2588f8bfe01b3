"""Whether an open file is still what it was: its size, and when it was last written."""

import hashlib
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import BinaryIO

from longspan.indexer.errors import BadFile

Stamp = tuple[int, int]


def stamp_of(handle: int) -> Stamp:
    """Return the size of an open file and when it was last written, in nanoseconds."""
    state = os.fstat(handle)
    return state.st_size, state.st_mtime_ns


def digest_of(stamps: Sequence[Stamp]) -> str:
    """Return the stamps of some files in one short word."""
    return hashlib.sha256(repr(stamps).encode()).hexdigest()[:16]


def refuse_changed(name: object, handle: int, stamp: Stamp) -> None:
    """Raise BadFile when an open file was written to since it had its stamp."""
    if stamp_of(handle) != stamp:
        raise BadFile(f"{name}: was changed while it was read")


@contextmanager
def unchanged(name: object, file: BinaryIO) -> Iterator[None]:
    """Refuse a file that is written to while the block reads it, whatever else that leads to."""
    stamp = stamp_of(file.fileno())
    try:
        yield
    finally:
        refuse_changed(name, file.fileno(), stamp)
