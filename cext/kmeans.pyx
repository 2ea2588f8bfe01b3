"""The two steps of balanced k-means that BLAS does not do: choose a centre, sum its vectors."""

from libc.stdint cimport int32_t
from libc.string cimport memset


def assign(
    const float[:, ::1] dots,    # IN   (n, k)  vectors times centres
    const float[::1] offset,     # IN   (k,)    |centre|^2 plus the penalty of its size
    int32_t[::1] labels,         # OUT  (n,)    the cheapest centre of each vector
):
    """Give each vector the centre with the least |centre|^2 + penalty - 2 dot."""
    cdef Py_ssize_t n = dots.shape[0], k = dots.shape[1], i, j, best
    cdef float cost, least
    if offset.shape[0] != k or labels.shape[0] != n or k == 0:
        raise ValueError(f"dots are {n} x {k}, offset {offset.shape[0]}, labels {labels.shape[0]}")
    with nogil:
        for i in range(n):
            best = 0
            least = offset[0] - 2 * dots[i, 0]
            for j in range(1, k):
                cost = offset[j] - 2 * dots[i, j]
                if cost < least:
                    least = cost
                    best = j
            labels[i] = <int32_t>best


def sum_by_label(
    const float[:, ::1] vectors,  # IN   (n, dim)
    const int32_t[::1] labels,    # IN   (n,)      in [0, k)
    float[:, ::1] sums,           # OUT  (k, dim)
    int32_t[::1] counts,          # OUT  (k,)
):
    """Fill sums and counts with the total and the number of the vectors under each label."""
    cdef Py_ssize_t n = vectors.shape[0], dim = vectors.shape[1], k = sums.shape[0], i, j
    cdef int32_t label
    if sums.shape[1] != dim or counts.shape[0] != k or labels.shape[0] != n:
        raise ValueError(f"vectors are {n} x {dim}, labels {labels.shape[0]}, sums {k} x {dim}")
    for i in range(n):
        if not 0 <= labels[i] < k:
            raise ValueError(f"label {labels[i]} of vector {i}, must be in [0, {k})")
    with nogil:
        memset(&counts[0], 0, k * sizeof(int32_t))
        memset(&sums[0, 0], 0, k * dim * sizeof(float))
        for i in range(n):
            label = labels[i]
            counts[label] += 1
            for j in range(dim):
                sums[label, j] += vectors[i, j]
