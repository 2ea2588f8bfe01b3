"""Reads and writes of all the bytes that are asked for: the kernel may do fewer at a time."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


def read_at(handle: int, offset: int, size: int) -> bytes:
    """Return the bytes of an open file from offset on; fewer where it ends before."""
    found = os.pread(handle, size, offset)
    while len(found) < size:
        more = os.pread(handle, size - len(found), offset + len(found))
        if not more:
            break
        found += more
    return found


def read_into(handle: int, offset: int, array: NDArray[np.uint8]) -> int:
    """Fill an array of bytes in C order from an open file; return how many there were.

    Without the second copy, and in larger pages of memory, than `read_at`.
    """
    view, done = array.reshape(-1).data, 0
    while done < len(view) and (count := os.preadv(handle, [view[done:]], offset + done)):
        done += count
    return done


def read_exactly(handle: int, offset: int, size: int) -> bytes:
    """Return the bytes of an open file from offset on; EOFError where it ends before."""
    found = read_at(handle, offset, size)
    if len(found) < size:
        raise EOFError(f"it ends at {offset + len(found):,}, wanted {offset + size:,} bytes")
    return found


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Have an OSError of a write name the file: that of an open one does not."""
    try:
        yield
    except OSError as error:
        if error.errno and error.filename is None:
            error.filename = str(path)
        raise


def bytes_of(array: NDArray[Any]) -> memoryview:
    """Return an array's bytes; no copy of one in C order."""
    return np.ascontiguousarray(array).reshape(-1).view(np.uint8).data


def write_at(handle: int, offset: int, data: bytes | memoryview) -> None:
    """Write bytes into an open file from offset on."""
    view = memoryview(data)
    while view:
        count = os.pwrite(handle, view, offset)
        view, offset = view[count:], offset + count
