"""How many of a query's nearest postings are worth reading.

The expected new hits of the i-th nearest posting follow a power law,

    hits(i) ~ i^-a * (d_i / d_1)^-b * (d_9 / d_1)^c

with d the distance of its head, and the query reads postings while that is above a threshold.
a, b >= 0, so it falls with i and the postings read are always the first ones. The law is fitted
and the thresholds are measured at build time (longspan.indexer.stages.calibrate).

Why: the same number for every query needs 31 postings for recall@10 of .95 on 1 M SIFT (50,000
heads), SPANN's ratio alone 53, this law 27; squares and products of its terms made it worse.
"""

from libc.math cimport INFINITY, log, logf
from libc.stdint cimport uint32_t


cdef enum:
    NINTH = 8


cdef inline float log_ratio(float far, float near) noexcept nogil:
    """Return log(far / near) of distances whose squares are given, both kept within range."""
    cdef float least = 1e-18, most = 1e18
    return 0.5 * logf(min(max(far, least), most) / min(max(near, least), most))


def features(
    const float[:, ::1] dist,  # IN   (nq, m)     squared L2 to the nearest heads, ascending
    float[:, :, ::1] out,      # OUT  (nq, m, 3)  log i, log d_i / d_1, log d_9 / d_1
):
    """Fill out with the terms of the law, for the fit."""
    cdef size_t nq = dist.shape[0], m = dist.shape[1], i, j
    cdef float ninth
    if out.shape[0] != dist.shape[0] or out.shape[1] != dist.shape[1] or out.shape[2] != 3:
        raise ValueError(f"dist is {nq} x {m}, out {out.shape[0]} x {out.shape[1]}")
    with nogil:
        for i in range(nq):
            ninth = log_ratio(dist[i, min(NINTH, m - 1)], dist[i, 0])
            for j in range(m):
                out[i, j, 0] = log(j + 1)
                out[i, j, 1] = log_ratio(dist[i, j], dist[i, 0])
                out[i, j, 2] = ninth


def promises(
    const float[:, ::1] dist,  # IN   (nq, m)  squared L2 to the nearest heads, ascending
    const float[::1] law,      # IN   (3,)     -a, -b, c
    float[:, ::1] out,         # OUT  (nq, m)  log of the hits promised, -inf beyond the last head
):
    """Fill out with what each posting promises; out may be dist itself."""
    cdef size_t nq = dist.shape[0], m = dist.shape[1], i, j
    cdef float base, near
    if out.shape[0] != dist.shape[0] or out.shape[1] != dist.shape[1] or law.shape[0] != 3:
        raise ValueError(f"dist is {nq} x {m}, out {out.shape[0]} x {out.shape[1]}")
    with nogil:
        for i in range(nq):
            near = dist[i, 0]
            base = law[2] * log_ratio(dist[i, min(NINTH, m - 1)], near)
            for j in range(m):
                out[i, j] = promise(base, &law[0], j, dist[i, j], near)


cdef inline float promise(
    float base, const float *law, size_t place, float dist, float nearest,
) noexcept nogil:
    """Return the log of the hits that the posting at a place (from 0) promises."""
    if dist == INFINITY:
        return -INFINITY
    return base + law[0] * <float>log(place + 1) + law[1] * log_ratio(dist, nearest)


cdef size_t worth_reading(
    const float *dist, size_t m, const float *law, float threshold
) noexcept nogil:
    """Return how many of the m nearest postings promise the threshold, at least 1.

    By bisection, as the promise falls. A head beyond the last (distance inf) promises nothing.
    """
    cdef float base = law[2] * log_ratio(dist[min(NINTH, m - 1)], dist[0])
    cdef size_t low = 1, high = m, middle  # the answer lies in [low, high]
    while low < high:
        middle = (low + high + 1) // 2
        if promise(base, law, middle - 1, dist[middle - 1], dist[0]) >= threshold:
            low = middle
        else:
            high = middle - 1
    return low


def choose(
    const float[:, ::1] dist,   # IN   (nq, m)  squared L2 to the nearest heads, ascending
    const float[::1] law,       # IN   (3,)     -a, -b, c
    float threshold,            # IN   log of the hits that a posting must promise
    uint32_t[::1] counts,       # OUT  (nq,)    how many postings to read, at least 1
):
    """Fill counts with how many of the nearest postings each query reads; return the least.

    A head beyond the last (distance inf) is never read.
    """
    cdef size_t nq = dist.shape[0], m = dist.shape[1], i, least
    if counts.shape[0] != dist.shape[0] or law.shape[0] != 3 or m == 0:
        raise ValueError(f"dist is {nq} x {m}, counts {counts.shape[0]}, law {law.shape[0]}")
    if law[0] > 0 or law[1] > 0:
        raise ValueError(f"the law must fall with rank and distance, found {law[0]}, {law[1]}")
    least = m
    with nogil:
        for i in range(nq):
            counts[i] = <uint32_t>worth_reading(&dist[i, 0], m, &law[0], threshold)
            least = min(least, counts[i])
    return least
