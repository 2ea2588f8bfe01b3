"""What was asked for, and compared, of the pages of mapped files, for the other native modules."""

from cython cimport final
from libc.stdint cimport uint8_t, uint32_t

cdef extern from "pages.h" nogil:
    void ls_will_need(const void *at, size_t bytes)
    size_t ls_page_size()
    long ls_major_faults()

@final
cdef class Asked:
    cdef unsigned char[::1] stamps
    cdef unsigned char epoch

    cdef void ask(self, size_t part, const void *at, size_t bytes) noexcept nogil
    cdef bint has(self, size_t part) noexcept nogil
    cdef void mark(self, size_t part) noexcept nogil
    cdef bint is_new(self, size_t part) noexcept nogil
    cdef void missed(self) noexcept nogil


@final
cdef class Checks:
    cdef const uint8_t[::1] mapped
    cdef const uint32_t[::1] sums
    cdef Asked held
    cdef readonly set damaged

    cdef bint hold(self, const void *at, size_t bytes) noexcept nogil
    cdef object fault(self, str what)
