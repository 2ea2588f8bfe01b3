"""The law of pruning, for the native search."""

from libc.stdint cimport uint32_t

cdef size_t worth_reading(
    const float *dist, size_t m, const float *law, float threshold
) noexcept nogil
