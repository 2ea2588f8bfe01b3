"""The candidates of pool.h."""

from libc.stdint cimport uint32_t

cdef extern from "pool.h" nogil:
    ctypedef struct ls_pool:
        float *dist
        uint32_t *key
        size_t keep
        size_t held
        float bound

    void ls_pool_thin(ls_pool *pool) noexcept
    void ls_pool_push(ls_pool *pool, float dist, uint32_t key) noexcept
