"""The head tree, for the native search."""

from cython cimport final
from libc.stdint cimport int64_t, uint8_t, uint32_t

from longspan.cext.pool cimport ls_pool


cdef struct TreeQuery:
    # A query as the nodes are compared with it; on a grid: bytes of 7 bits that stand for
    # low + step * byte, and the squared length beside the grid's offsets.
    const void *whole
    uint8_t *bytes
    float square, low, step


cdef struct Walk:
    # Scratch of a walk: distances of one node's children, and the nodes of two levels.
    TreeQuery query
    float *block
    ls_pool now, then


@final
cdef class HeadTree:
    cdef const unsigned char[:, ::1] inner
    cdef const unsigned char[:, ::1] heads
    cdef const uint32_t[::1] children
    cdef uint32_t inner_count
    cdef const float[::1] offsets, steps, squares, sums
    cdef size_t fan, dim, query_bytes, levels
    cdef int dtype
    cdef bint on_grid

    cdef Walk new_walk(self, const uint32_t[::1] beam, size_t m) except *
    cdef int64_t descend(
        self, const void *query, const uint32_t[::1] beam, Walk *walk, size_t m,
        float *dist, uint32_t *found,
    ) noexcept nogil
    cdef uint8_t *new_bytes(self) noexcept nogil
    cdef void take(self, TreeQuery *query, const void *whole) noexcept nogil
    cdef void distances(
        self, const TreeQuery *query, uint32_t first, uint32_t last, float *out
    ) noexcept nogil


cdef void free_walk(Walk walk) noexcept nogil
