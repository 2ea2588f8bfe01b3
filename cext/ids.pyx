"""From row numbers to ids: the pages of a query's answers are asked for together."""

from libc.stdint cimport int64_t, uint32_t

from longspan.cext.pages cimport Asked, ls_major_faults
from longspan.cext.topk cimport LS_NOBODY


cdef class Ids:
    """The mapped ids of an index, one a row; keeps the array alive."""

    cdef const int64_t[::1] ids
    cdef Asked asked
    cdef size_t first_page

    def __init__(self, const int64_t[::1] ids):
        self.ids = ids
        self.asked = Asked(ids.shape[0] * sizeof(int64_t) // 4096 + 2)
        self.first_page = <size_t>&ids[0] // 4096  # the file has a header: ids do not begin a page

    def look_up(
        self,
        const uint32_t[:, ::1] rows,  # IN   (nq, k)  2^32 - 1 for nobody
        int64_t[:, ::1] out,          # OUT  (nq, k)  -1 for nobody
    ):
        """Fill out with the ids of rows. ValueError for a row that is not there."""
        cdef size_t n = self.ids.shape[0], i, j, page
        cdef long faults
        if out.shape[0] != rows.shape[0] or out.shape[1] != rows.shape[1]:
            raise ValueError(f"rows are {rows.shape[0]} x {rows.shape[1]}, out is not")
        for i in range(<size_t>rows.shape[0]):
            for j in range(<size_t>rows.shape[1]):
                if rows[i, j] != LS_NOBODY and rows[i, j] >= n:
                    raise ValueError(f"row {rows[i, j]} of {n}")
        with nogil:
            faults = ls_major_faults()
            for i in range(<size_t>rows.shape[0]):
                for j in range(<size_t>rows.shape[1]):
                    if rows[i, j] != LS_NOBODY:
                        page = <size_t>&self.ids[rows[i, j]] // 4096 - self.first_page
                        self.asked.ask(page, &self.ids[rows[i, j]], sizeof(int64_t))
            for i in range(<size_t>rows.shape[0]):
                for j in range(<size_t>rows.shape[1]):
                    out[i, j] = -1 if rows[i, j] == LS_NOBODY else self.ids[rows[i, j]]
            if ls_major_faults() != faults:
                self.asked.missed()
