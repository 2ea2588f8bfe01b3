"""Single vectors among the postings that own them: where a row is, and asking for some of them.

Rows are numbered in the order of the postings whose primary entries they are, so a posting and a
place in it follow from the number. They are found by a table of every 64th row and a few steps.
"""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport qsort

import numpy as np

from longspan.cext.pages cimport Asked, ls_page_size, ls_will_need

cdef enum:
    BLOCK = 64  # rows; the owner of each block's first row is at hand


cdef int ascending(const void *a, const void *b) noexcept nogil:
    cdef uint32_t x = (<const uint32_t *>a)[0], y = (<const uint32_t *>b)[0]
    return (x > y) - (x < y)


cdef class Rows:
    """The rows of one mapped shard; keeps its arrays alive.

    mapped     the bytes of the file
    offsets    (h,)  where each posting starts: with its primary vectors
    counts     (h,)  primary vectors of each
    row_bytes  of a vector
    """

    def __init__(
        self,
        const uint8_t[::1] mapped,
        const uint64_t[::1] offsets,
        const uint32_t[::1] counts,
        size_t row_bytes,
    ):
        cdef size_t i, posting = 0, block
        self.mapped, self.offsets, self.row_bytes = mapped, offsets, row_bytes
        self.first = np.zeros(counts.shape[0] + 1, np.uint32)
        for i in range(<size_t>counts.shape[0]):
            self.n += counts[i]
            self.first[i + 1] = <uint32_t>self.n
        self.owners = np.empty((self.n + BLOCK - 1) // BLOCK, np.uint32)
        for block in range(<size_t>self.owners.shape[0]):
            while self.first[posting + 1] <= block * BLOCK:
                posting += 1
            self.owners[block] = <uint32_t>posting
        self.page = ls_page_size()
        self.asked = Asked(mapped.shape[0] // self.page + 2)

    cdef uint32_t owner(self, uint32_t row) noexcept nogil:
        """Return the posting whose primary entry a row is; row must be one of the n."""
        cdef uint32_t posting = self.owners[row // BLOCK]
        while self.first[posting + 1] <= row:
            posting += 1
        return posting

    cdef const uint8_t *at(self, uint32_t row) noexcept nogil:
        """Return where a row's vector is."""
        cdef uint32_t posting = self.owner(row)
        return &self.mapped[
            self.offsets[posting] + <uint64_t>(row - self.first[posting]) * self.row_bytes
        ]

    cdef int64_t ask(self, uint32_t *rows, size_t count) noexcept nogil:
        """Ask for the pages of some rows, each once, those side by side together; return how many.

        Puts the rows in the order of the file, which is theirs.
        """
        cdef uint64_t start, page, last, counted = 0, run = 0, end = 0  # of pages to ask for
        cdef int64_t pages = 0
        cdef size_t i
        qsort(rows, count, sizeof(uint32_t), &ascending)
        for i in range(count):
            start = self.at(rows[i]) - &self.mapped[0]
            last = (start + self.row_bytes - 1) // self.page
            page = max(start // self.page, counted)
            counted = max(counted, last + 1)
            while page <= last:
                if self.asked.is_new(page):
                    if page != end:
                        self.ask_run(run, end)
                        run = page
                    end = page + 1
                pages += 1
                page += 1
        self.ask_run(run, end)
        return pages

    cdef void ask_run(self, uint64_t first, uint64_t end) noexcept nogil:
        """Ask for the pages [first, end) of the file."""
        if first < end:
            ls_will_need(&self.mapped[first * self.page], (end - first - 1) * self.page + 1)
