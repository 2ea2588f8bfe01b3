"""The bounded heap of topk.h."""

from libc.stdint cimport uint32_t

cdef extern from "topk.h" nogil:
    const uint32_t LS_NOBODY
    ctypedef struct ls_topk:
        float *dist
        uint32_t *key
        size_t k

    void ls_topk_clear(ls_topk top) noexcept
    void ls_topk_push(ls_topk top, float dist, uint32_t key) noexcept
    void ls_topk_push_once(ls_topk top, float dist, uint32_t key) noexcept
    size_t ls_next_within(const float *dist, size_t start, size_t n, float bound) noexcept
    void ls_topk_heapify(ls_topk top) noexcept
    void ls_topk_sort(ls_topk top) noexcept
