"""The kernel's page cache: how much of a file is in it, and how to throw a file out."""

import ctypes
import mmap
import os
from pathlib import Path

import numpy as np

from longspan.indexer.errors import LongspanError


def evict(directory: Path) -> int:
    """Throw the files of a directory out of the page cache; return the bytes still in it.

    Only pages that no process has mapped go, so the index must be closed everywhere.
    """
    return sum(evict_file(path) for path in files_of(directory))


def evict_file(path: Path) -> int:
    """Throw one file out of the page cache; return the bytes still in it."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    return resident_bytes(path)


def files_of(directory: Path) -> list[Path]:
    """Return the files of an index that are not empty."""
    return [path for path in sorted(directory.iterdir()) if path.is_file() and path.stat().st_size]


def resident_bytes(path: Path) -> int:
    """Return how many bytes of a file are in the page cache, by mincore, without reading any."""
    size = path.stat().st_size
    with path.open("rb") as file, mmap.mmap(file.fileno(), size, prot=mmap.PROT_READ) as mapped:
        view = np.frombuffer(mapped, np.uint8)
        pages = np.zeros(-(-size // mmap.PAGESIZE), np.uint8)
        libc = ctypes.CDLL(None, use_errno=True)
        failed = libc.mincore(
            ctypes.c_void_p(view.ctypes.data),
            ctypes.c_size_t(size),
            pages.ctypes.data_as(ctypes.c_void_p),
        )
        del view
    if failed:
        raise LongspanError(f"{path}: mincore failed: {os.strerror(ctypes.get_errno())}")
    return int((pages & 1).sum()) * mmap.PAGESIZE
