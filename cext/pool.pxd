"""The candidates of pool.h."""

from libc.stdint cimport uint32_t, uint64_t

cdef extern from "pool.h" nogil:
    ctypedef struct ls_pool:
        uint64_t *held
        size_t keep
        size_t count
        float bound

    size_t ls_pool_room(size_t keep) noexcept
    void ls_pool_clear(ls_pool *pool, size_t keep) noexcept
    uint64_t ls_candidate(float dist, uint32_t key) noexcept
    uint32_t ls_key(uint64_t candidate) noexcept
    float ls_dist(uint64_t candidate) noexcept
    void ls_pool_thin(ls_pool *pool) noexcept
    void ls_pool_offer(ls_pool *pool, const float *dist, size_t n, uint32_t first) noexcept
    void ls_pool_order(uint64_t *held, size_t n) noexcept
    void ls_pool_sort(ls_pool *pool) noexcept
