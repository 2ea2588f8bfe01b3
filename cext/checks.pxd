"""The pages of mapped files, compared with their checksums, for the native search."""

from libc.stdint cimport uint8_t, uint32_t

from longspan.cext.pages cimport Asked


cdef class Checks:
    cdef const uint8_t[::1] mapped
    cdef const uint32_t[::1] sums
    cdef Asked held
    cdef readonly set damaged

    cdef bint hold(self, const void *at, size_t bytes) noexcept nogil
    cdef object fault(self, str what)
