"""From row numbers to ids: the pages of a query's answers are asked for together."""

from libc.stdint cimport int64_t, uint8_t, uint32_t

from longspan.cext.pages cimport Asked, Checks, ls_major_faults, ls_page_size
from longspan.cext.topk cimport LS_NOBODY

cdef const uint8_t[::1] NO_FILE = b""


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
            self.asked.ask(
                <size_t>&self.ids[rows[i]] // self.page - self.first_page, &self.ids[rows[i]],
                sizeof(int64_t),
            )
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
