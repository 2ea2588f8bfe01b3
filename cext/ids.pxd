"""The ids of an index, for the native search."""

from libc.stdint cimport int64_t, uint32_t

from longspan.cext.pages cimport Asked, Checks


cdef class Ids:
    cdef const int64_t[::1] ids
    cdef Asked asked
    cdef readonly Checks checks
    cdef size_t first_page, page

    cdef int64_t fill(self, const uint32_t *rows, int64_t *out, size_t count) noexcept nogil
    cdef object fault(self, int64_t row)
