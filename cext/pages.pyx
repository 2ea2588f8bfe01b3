"""Pages of mapped files: each is asked for, and compared with its checksum, once while it is there.

Why: asking for a posting costs 1.2 us even when it is in memory (measured here, 20 KB), 40 us a
query or a quarter of a warm one. So each part is asked for once, until a page fault that had to
wait for the disk shows that the kernel has dropped pages; then all count as not asked again.

Checksums are made when an index is published, of pages and not of postings: a candidate by code is
one row, read with its page alone; to check the whole posting that it lies in would read five times
as much. A page is compared the first time that it is used, and again once the kernel has dropped
pages, which it then reads from the disk anew: 0.5 us a page, where a read takes 80, and nothing
while all is in memory.
"""

from cython cimport final
from libc.stdint cimport uint8_t, uint32_t
from libc.string cimport memset

import numpy as np

from longspan.cext.kernels cimport kernels

cpdef enum:
    CHECKED = 4096  # bytes that have a checksum together
cdef enum:
    NAMED = 1000  # damaged things that are remembered


@final
cdef class Asked:
    """What was asked for since pages were last seen to be missing; `parts` are the caller's."""

    def __init__(self, size_t parts):
        self.stamps = np.zeros(parts, np.uint8)
        self.epoch = 1

    cdef void ask(self, size_t part, const void *at, size_t bytes) noexcept nogil:
        """Start reading a part unless that was done in this epoch."""
        if self.is_new(part):
            ls_will_need(at, bytes)

    cdef bint is_new(self, size_t part) noexcept nogil:
        """Return whether a part was not asked for in this epoch; from now on it was."""
        cdef bint new = not self.has(part)
        self.mark(part)
        return new

    cdef bint has(self, size_t part) noexcept nogil:
        """Return whether a part was marked in this epoch."""
        return self.stamps[part] == self.epoch

    cdef void mark(self, size_t part) noexcept nogil:
        """Mark a part as asked for, or whatever else holds until pages are missing."""
        self.stamps[part] = self.epoch

    cdef void missed(self) noexcept nogil:
        """Begin a new epoch: pages that had been asked for were gone."""
        cdef unsigned char epoch = self.epoch  # read once: another thread may be doing the same
        if epoch == 255 and self.stamps.shape[0]:
            memset(&self.stamps[0], 0, self.stamps.shape[0])
        self.epoch = epoch + 1 if epoch < 255 else 1  # never 0, which stands for never asked


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


@final
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
