"""Pieces of a file in one call without the GIL: asked for before the first of them is read."""

import os

from libc.errno cimport EINTR, errno
from libc.stdint cimport int64_t, uint8_t
from libc.string cimport memcpy, memset

from longspan.cext.pages cimport ls_will_need

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


cdef enum:
    WAVE = 256  # rows that are asked for together


def take(
    const uint8_t[::1] mapped,  # IN   bytes of a mapped file
    size_t offset,              # of its first row
    const int64_t[::1] rows,    # IN   (n,)
    uint8_t[:, ::1] out,        # OUT  (n, bytes of a row)
):
    """Fill out with rows from here and there in a mapped file, a wave asked for ahead of the copy.

    ValueError for a row that is not there.
    """
    cdef Py_ssize_t n = rows.shape[0], i, asked = 0, some
    cdef size_t size = mapped.shape[0], stride = out.shape[1]
    if out.shape[0] != n:
        raise ValueError(f"{n} rows, room for {out.shape[0]}")
    if n == 0 or stride == 0:
        return
    cdef int64_t there = (size - offset) // stride if offset < size else 0
    for i in range(n):
        if not 0 <= rows[i] < there:
            raise ValueError(f"row {rows[i]} of {there}")
    i = 0
    with nogil:
        while i < n:  # half a wave is asked for while the other is copied
            if asked < n and asked <= i + WAVE // 2:
                some = min(n - asked, WAVE // 2)
                ask(&mapped[0] + offset, stride, &rows[asked], some)
                asked += some
            memcpy(&out[i, 0], &mapped[0] + offset + rows[i] * stride, stride)
            i += 1


cdef void ask(const uint8_t *first, size_t stride, const int64_t *rows, size_t n) noexcept nogil:
    """Start reading some rows."""
    cdef size_t i
    for i in range(n):
        ls_will_need(first + rows[i] * stride, stride)


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
