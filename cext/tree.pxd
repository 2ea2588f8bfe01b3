"""The head tree, for the native search."""

from cython cimport final
from libc.stdint cimport int64_t, uint32_t

from longspan.cext.pool cimport ls_pool


cdef struct Walk:
    # Scratch of a walk: distances of one node's children, and the nodes of two levels.
    float *block
    ls_pool now, then


@final
cdef class HeadTree:
    cdef const unsigned char[:, ::1] inner
    cdef const unsigned char[:, ::1] heads
    cdef const uint32_t[::1] children
    cdef uint32_t inner_count
    cdef size_t fan, dim, query_bytes, levels
    cdef int dtype

    cdef Walk new_walk(self, const uint32_t[::1] beam, size_t m) except *
    cdef int64_t descend(
        self, const void *query, const uint32_t[::1] beam, Walk walk, size_t m,
        float *dist, uint32_t *found,
    ) noexcept nogil
    cdef void score(
        self, const void *query, uint32_t first, uint32_t last, float *block, ls_pool *near,
    ) noexcept nogil


cdef void free_walk(Walk walk) noexcept nogil
