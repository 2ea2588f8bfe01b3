"""What lies in mapped files: the bytes of all shards as one range, a row's vector in it, a row's id.

Rows are numbered in the order of the postings whose primary entries they are, so a posting and a
place in it follow from the number. They are found by a table of every 64th row and a few steps. The
pages of a query's candidates, and of its answers' ids, are asked for together.
"""

from cython cimport final
import os

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport qsort

import numpy as np

from longspan.cext.pages cimport Asked, Checks, ls_major_faults, ls_page_size, ls_will_need
from longspan.cext.topk cimport LS_NOBODY

cdef extern from "<sys/mman.h>" nogil:
    void *mmap(void *at, size_t size, int prot, int flags, int file, long offset) noexcept
    int munmap(void *at, size_t size) noexcept
    int madvise(void *at, size_t size, int advice) noexcept
    void *MAP_FAILED
    int PROT_NONE, PROT_READ, MAP_PRIVATE, MAP_SHARED, MAP_ANONYMOUS, MAP_NORESERVE, MAP_FIXED
    int MADV_RANDOM, MADV_DONTNEED

cdef enum:
    ALIGNED = 1 << 16  # the largest page of any system
    BLOCK = 64  # rows; the owner of each block's first row is at hand
    KEPT = 1 << 30  # bytes that were read and stay mapped: pages that come again are found at once
cdef const uint8_t[::1] NO_FILE = b""


@final
cdef class Mapping:
    """A read-only buffer of the bytes of some files; nothing is read ahead.

    starts  where each file begins in it
    Raises OSError when a file cannot be mapped.
    """

    cdef uint8_t *base
    cdef size_t size, kept
    cdef readonly tuple starts
    cdef Py_ssize_t shape[1]
    cdef Py_ssize_t strides[1]

    def __cinit__(self, paths):
        cdef size_t size, at
        cdef int file
        sizes = [os.path.getsize(path) for path in paths]
        starts = [0]
        for size in sizes:
            starts.append(starts[len(starts) - 1] + (size + ALIGNED - 1) // ALIGNED * ALIGNED)
        if not sizes or min(sizes) == 0:
            raise ValueError("want files to map, and none of them empty")
        self.starts = tuple(starts[: len(sizes)])
        # What lies between two files is mapped to nothing: whoever reads there is stopped.
        self.size = starts[len(sizes)]
        cdef void *base = mmap(
            NULL, self.size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0
        )
        if base == MAP_FAILED:
            self.size = 0
            raise OSError(f"no room for a map of {starts[len(sizes)]} bytes")
        self.base = <uint8_t *>base
        for path, size, at in zip(paths, sizes, starts):
            file = os.open(path, os.O_RDONLY)
            base = mmap(self.base + at, size, PROT_READ, MAP_SHARED | MAP_FIXED, file, 0)
            os.close(file)
            if base == MAP_FAILED:
                raise OSError(f"{path} cannot be mapped")
        madvise(self.base, self.size, MADV_RANDOM)

    def __dealloc__(self):
        if self.size:
            munmap(self.base, self.size)

    def release(self, size_t start, size_t stop):
        """Give the pages of some bytes back to the kernel; they can be read again."""
        cdef size_t first = start // ALIGNED * ALIGNED
        if first < stop <= self.size:
            madvise(self.base + first, stop - first, MADV_DONTNEED)

    def has_read(self, size_t size):
        """Count bytes that were read; give all pages back when they are KEPT since the last time."""
        self.kept += size
        if self.kept >= KEPT:
            self.kept = 0
            self.release(0, self.size)

    def __len__(self):
        return self.size

    def __getbuffer__(self, Py_buffer *view, int flags):
        if flags & 1:  # PyBUF_WRITABLE
            raise BufferError("the files are mapped for reading")
        self.shape[0], self.strides[0] = self.size, 1
        view.buf, view.obj, view.len, view.itemsize = self.base, self, self.size, 1
        view.readonly, view.ndim, view.format = 1, 1, b"B"
        view.shape, view.strides, view.suboffsets, view.internal = (
            self.shape, self.strides, NULL, NULL
        )


cdef int ascending(const void *a, const void *b) noexcept nogil:
    cdef uint32_t x = (<const uint32_t *>a)[0], y = (<const uint32_t *>b)[0]
    return (x > y) - (x < y)


@final
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


@final
cdef class Ids:
    """The mapped ids of an index, one a row; keeps the array alive.

    file  the bytes of the file that they lie in, and sums, of its pages (longspan.cext.pages);
          None: they are not compared
    """

    def __init__(
        self, const int64_t[::1] ids, const uint8_t[::1] file=None, const uint32_t[::1] sums=None
    ):
        cdef size_t start
        if file is not None:
            start = <size_t>&ids[0] - <size_t>&file[0]
            if start + ids.shape[0] * sizeof(int64_t) > <size_t>file.shape[0]:
                raise ValueError("the ids lie outside of their file")
        elif sums is not None:
            raise ValueError("checksums without the file that they are of")
        self.ids = ids
        self.checks = Checks(NO_FILE if file is None else file, sums)
        self.page = ls_page_size()
        self.asked = Asked(ids.shape[0] * sizeof(int64_t) // self.page + 2)
        self.first_page = <size_t>&ids[0] // self.page  # the file has a header before the ids

    def look_up(
        self,
        const uint32_t[:, ::1] rows,  # IN   (nq, k)  2^32 - 1 for nobody
        int64_t[:, ::1] out,          # OUT  (nq, k)  -1 for nobody
    ):
        """Fill out with the ids of rows. ValueError for one that is not there or damaged."""
        if out.shape[0] != rows.shape[0] or out.shape[1] != rows.shape[1]:
            raise ValueError(f"rows are {rows.shape[0]} x {rows.shape[1]}, out is not")
        cdef size_t count = rows.shape[0] * rows.shape[1]
        cdef int64_t foreign = -1
        if count:
            with nogil:
                foreign = self.fill(&rows[0, 0], &out[0, 0], count)
        if foreign >= 0:
            raise self.fault(foreign)

    cdef void ask(self, uint32_t row) noexcept nogil:
        """Start reading the id of a row, when there is such a row."""
        cdef const int64_t *at
        if row < <size_t>self.ids.shape[0]:
            at = &self.ids[row]
            self.asked.ask(<size_t>at // self.page - self.first_page, at, sizeof(int64_t))

    cdef int64_t fill(self, const uint32_t *rows, int64_t *out, size_t count) noexcept nogil:
        """Fill out with the ids of rows, their pages asked for first.

        Returns -1, or the first row that is not there or has not its checksum.
        """
        cdef size_t n = self.ids.shape[0], i
        cdef long faults = ls_major_faults()
        for i in range(count):
            if rows[i] == LS_NOBODY:
                continue
            if rows[i] >= n:
                return rows[i]
            self.ask(rows[i])
        for i in range(count):
            if rows[i] == LS_NOBODY:
                out[i] = -1
            elif self.checks.hold(&self.ids[rows[i]], sizeof(int64_t)):
                out[i] = self.ids[rows[i]]
            else:
                return rows[i]
        if ls_major_faults() != faults:
            self.asked.missed()
            self.checks.held.missed()
        return -1

    cdef object fault(self, int64_t row):
        """Return the error for a row that is not there, or whose id has not its checksum."""
        if row >= self.ids.shape[0]:
            return ValueError(f"row {row} of {self.ids.shape[0]}")
        return self.checks.fault(f"the id of row {row}")
