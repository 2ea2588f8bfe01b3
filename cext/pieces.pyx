"""Pieces of an open file in one call without the GIL: all asked for before the first is read."""

import os

from libc.errno cimport EINTR, errno
from libc.stdint cimport int64_t, uint8_t
from libc.string cimport memset

cdef extern from "<fcntl.h>" nogil:
    int posix_fadvise(int file, int64_t offset, int64_t size, int advice) noexcept
    int POSIX_FADV_WILLNEED

cdef extern from "<unistd.h>" nogil:
    Py_ssize_t pread(int file, void *to, size_t size, int64_t offset) noexcept


def read(
    int handle,
    const int64_t[::1] offsets,  # IN   (n,)
    const int64_t[::1] sizes,    # IN   (n,)  bytes of each
    uint8_t[::1] out,            # OUT  one behind the other; zeros where the file ends
):
    """Fill out with pieces of a file.

    ValueError unless the pieces fill it, OSError when they cannot be read.
    """
    cdef Py_ssize_t n = offsets.shape[0], left = out.shape[0], i
    cdef uint8_t *at = &out[0] if out.shape[0] else NULL
    cdef int failed = 0
    if sizes.shape[0] != n:
        raise ValueError(f"{n} offsets, {sizes.shape[0]} sizes")
    for i in range(n):
        if offsets[i] < 0 or not 0 <= sizes[i] <= left:
            raise ValueError(f"piece {i}: {sizes[i]} bytes at {offsets[i]}, there is room for {left}")
        left -= sizes[i]
    if left:
        raise ValueError(f"the pieces leave {left} bytes empty")
    with nogil:
        for i in range(n):
            posix_fadvise(handle, offsets[i], sizes[i], POSIX_FADV_WILLNEED)
        for i in range(n):
            failed = fill(handle, offsets[i], at, sizes[i])
            if failed:
                break
            at += sizes[i]
    if failed:
        raise OSError(failed, os.strerror(failed))


cdef int fill(int handle, int64_t offset, uint8_t *at, int64_t size) noexcept nogil:
    """Read one piece; return 0, or why it cannot be read."""
    cdef Py_ssize_t got
    while size > 0:
        got = pread(handle, at, size, offset)
        if got < 0 and errno != EINTR:
            return errno
        if got == 0:
            memset(at, 0, size)
            return 0
        if got > 0:
            at, offset, size = at + got, offset + got, size - got
    return 0
