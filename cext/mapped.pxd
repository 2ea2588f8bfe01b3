"""Where a row's vector is, and what its id is, for the native search."""

from cython cimport final
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from longspan.cext.pages cimport Asked, Checks


@final
cdef class Rows:
    cdef const uint8_t[::1] mapped
    cdef const uint64_t[::1] offsets
    cdef uint32_t[::1] first, owners
    cdef size_t row_bytes, n, page
    cdef Asked asked

    cdef uint32_t owner(self, uint32_t row) noexcept nogil
    cdef const uint8_t *at(self, uint32_t row) noexcept nogil
    cdef void ask_run(self, uint64_t first, uint64_t end) noexcept nogil
    cdef int64_t ask(self, uint32_t *rows, size_t count) noexcept nogil


@final
cdef class Ids:
    cdef const int64_t[::1] ids
    cdef Asked asked
    cdef readonly Checks checks
    cdef size_t first_page, page

    cdef void ask(self, uint32_t row) noexcept nogil
    cdef int64_t fill(self, const uint32_t *rows, int64_t *out, size_t count) noexcept nogil
    cdef object fault(self, int64_t row)
