"""Which parts of a mapped file have been asked for, for the other native modules."""

cdef extern from "pages.h" nogil:
    void ls_will_need(const void *at, size_t bytes)
    size_t ls_page_size()
    long ls_major_faults()

cdef class Asked:
    cdef unsigned char[::1] stamps
    cdef unsigned char epoch

    cdef void ask(self, size_t part, const void *at, size_t bytes) noexcept nogil
    cdef bint has(self, size_t part) noexcept nogil
    cdef void mark(self, size_t part) noexcept nogil
    cdef bint is_new(self, size_t part) noexcept nogil
    cdef void missed(self) noexcept nogil
