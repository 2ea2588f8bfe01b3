"""Checksums of pages: made when an index is published, compared when it is read.

Why pages: a candidate by code is one row, read with its page alone; to check the whole posting that
it lies in would read five times as much. A page is compared the first time that it is used, and
again once the kernel has dropped pages, which it then reads from the disk anew: 0.5 us a page,
where a read takes 80, and nothing while all is in memory.
"""

from libc.stdint cimport uint8_t, uint32_t

import numpy as np

from longspan.cext.kernels cimport kernels
from longspan.cext.pages cimport Asked

cpdef enum:
    CHECKED = 4096  # bytes that have a checksum together
cdef enum:
    NAMED = 1000  # damaged things that are remembered


def checksums(
    const uint8_t[::1] data,  # IN   bytes of a file, from the start of a page
    uint32_t[::1] out,        # OUT  (pages,)  the last may be cut off
):
    """Fill out with the CRC-32C of every 4,096 bytes. ValueError when there are not so many."""
    cdef size_t size = data.shape[0], page, start
    if <size_t>out.shape[0] != (size + CHECKED - 1) // CHECKED:
        raise ValueError(f"{out.shape[0]} checksums of {size} bytes")
    with nogil:
        for page in range(<size_t>out.shape[0]):
            start = page * CHECKED
            out[page] = kernels().check(&data[start], min(<size_t>CHECKED, size - start))


cdef class Checks:
    """Mapped bytes whose pages have checksums; keeps both alive.

    mapped   whole files, from the start of a page
    sums     (pages,) of every 4,096 bytes, as `checksums` gives them; None: nothing is compared
    damaged  what was found not to have its checksum so far, by name
    """

    def __init__(self, const uint8_t[::1] mapped, const uint32_t[::1] sums=None):
        cdef size_t pages = (mapped.shape[0] + CHECKED - 1) // CHECKED
        if sums is not None and <size_t>sums.shape[0] != pages:
            raise ValueError(f"{sums.shape[0]} checksums of {pages} pages")
        self.mapped, self.sums = mapped, sums
        self.held = Asked(0 if sums is None else pages)
        self.damaged = set()

    cdef bint hold(self, const void *at, size_t bytes) noexcept nogil:
        """Return whether the pages of some of the mapped bytes have their checksums."""
        cdef size_t start, page, size = self.mapped.shape[0]
        if self.sums is None:
            return True
        start = <const uint8_t *>at - &self.mapped[0]
        for page in range(start // CHECKED, (start + bytes - 1) // CHECKED + 1):
            if not self.held.has(page):
                start = page * CHECKED
                if self.sums[page] != kernels().check(
                    &self.mapped[start], min(<size_t>CHECKED, size - start)
                ):
                    return False
                self.held.mark(page)  # only now: another thread may be asking
        return True

    cdef object fault(self, str what):
        """Return the error that says what has not its checksum, and remember it."""
        if len(self.damaged) < NAMED:
            self.damaged.add(what)
        return ValueError(f"{what} has not its checksum")
