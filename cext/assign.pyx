"""Where vectors belong: the centre of each in k-means, the heads that it is stored under.

BLAS makes the products of vectors and centres; what it does not do is here.
"""

from libc.math cimport INFINITY
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free
from libc.string cimport memcpy, memset

from longspan.cext.kernels cimport LS_F32, kernels
from longspan.cext.pool cimport (
    ls_dist, ls_key, ls_pool, ls_pool_clear, ls_pool_offer, ls_pool_room, ls_pool_sort,
)
from longspan.cext.room cimport ls_room
from longspan.cext.topk cimport LS_NOBODY

NOBODY = LS_NOBODY  # stands where there is no head


def label(
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


def reorder(
    uint8_t[:, ::1] rows,        # INOUT  (n, bytes)  row i becomes what row order[i] was
    const int64_t[::1] order,    # IN     (n,)        every number below n once
):
    """Bring rows into an order, in place: along each circle of moves with one row at hand.

    ValueError when a number is missing, before anything is moved.
    """
    cdef Py_ssize_t n = order.shape[0], i, start
    cdef size_t size = rows.shape[1]
    if rows.shape[0] != n:
        raise ValueError(f"{rows.shape[0]} rows, {n} numbers")
    cdef uint8_t[::1] left = bytearray(n), held = bytearray(size)
    for i in range(n):
        if not 0 <= order[i] < n or left[order[i]]:
            raise ValueError(f"number {order[i]} of {n} rows, each must come once")
        left[order[i]] = 1
    if size == 0:
        return
    with nogil:
        for start in range(n):
            if not left[start]:
                continue
            memcpy(&held[0], &rows[start, 0], size)
            i = start
            while order[i] != start:
                memcpy(&rows[i, 0], &rows[order[i], 0], size)
                left[i] = 0
                i = order[i]
            memcpy(&rows[i, 0], &held[0], size)
            left[i] = 0


def nearest(
    const float[:, ::1] dots,       # IN   (n, c)  vectors times candidate heads
    const float[::1] vector_norm,   # IN   (n,)    squared
    const float[::1] head_norm,     # IN   (c,)    squared
    const uint32_t[::1] head_ids,   # IN   (c,)     the likeliest first, for speed
    float[:, ::1] dist,             # OUT  (n, m)  squared L2, nearest first, padded with inf
    uint32_t[:, ::1] heads,         # OUT  (n, m)  padded with 2^32 - 1
):
    """Fill dist and heads with the m nearest of the c candidate heads of each vector."""
    cdef size_t n = dots.shape[0], c = dots.shape[1], m = dist.shape[1], i, j
    cdef ls_pool pool
    if (
        <size_t>vector_norm.shape[0] != n or <size_t>head_norm.shape[0] != c
        or <size_t>head_ids.shape[0] != c or <size_t>dist.shape[0] != n
        or <size_t>heads.shape[0] != n or <size_t>heads.shape[1] != m or m == 0
    ):
        raise ValueError(f"dots are {n} x {c}, but another argument has another shape")
    cdef float *row = <float *>ls_room(c, sizeof(float))
    pool.held = <uint64_t *>ls_room(ls_pool_room(m), sizeof(uint64_t))
    try:
        if row == NULL or pool.held == NULL:
            raise MemoryError(f"no memory for the distances of {c} heads")
        with nogil:
            for i in range(n):
                for j in range(c):
                    row[j] = max(vector_norm[i] + head_norm[j] - 2 * dots[i, j], <float>0)
                ls_pool_clear(&pool, m)
                ls_pool_offer(&pool, row, c, 0)
                ls_pool_sort(&pool)
                for j in range(pool.count):
                    dist[i, j] = ls_dist(pool.held[j])
                    heads[i, j] = head_ids[ls_key(pool.held[j])]
                for j in range(pool.count, m):
                    dist[i, j] = INFINITY
                    heads[i, j] = LS_NOBODY
    finally:
        free(row)
        free(pool.held)


def spread(
    const float[:, ::1] dist,         # IN   (n, m)   squared L2, nearest first
    const uint32_t[:, ::1] candidates,  # IN (n, m)   padded with 2^32 - 1
    const float[:, ::1] heads,        # IN   (h, dim)
    float ratio,                      # IN   greatest dist over the nearest one, squared L2
    float factor,                     # IN   of the distance to the vector, squared L2
    uint32_t[:, ::1] kept,            # OUT  (n, copies)  nearest first, padded with 2^32 - 1
    float[:, ::1] kept_dist,          # OUT  (n, copies)  squared L2, padded with inf
):
    """Keep, of each vector's nearest heads, those that no kept head stands in front of.

    A head is kept while it lies within ratio of the nearest and no head kept before is nearer to
    it than factor times the vector is: the closure with the relative neighbourhood rule of SPANN,
    https://arxiv.org/abs/2111.08566 section 3.2.2, in the form of SPTAG (against every kept head).
    """
    cdef size_t n = dist.shape[0], m = dist.shape[1], copies = kept.shape[1]
    cdef size_t dim = heads.shape[1], i, j, r, count
    cdef float apart
    cdef uint32_t head
    cdef bint hidden
    if (
        candidates.shape[0] != dist.shape[0] or candidates.shape[1] != dist.shape[1]
        or kept.shape[0] != dist.shape[0] or kept_dist.shape[0] != dist.shape[0]
        or kept_dist.shape[1] != kept.shape[1]
    ):
        raise ValueError(f"dist is {n} x {m}, but another argument has another shape")
    with nogil:
        for i in range(n):
            count = 0
            for j in range(m):
                head = candidates[i, j]
                if head == LS_NOBODY or count == copies or dist[i, j] > ratio * dist[i, 0]:
                    break
                hidden = False
                for r in range(count):
                    kernels().l2[LS_F32](
                        &heads[kept[i, r], 0], &heads[head, 0], 1, dim, &apart
                    )
                    if apart < factor * dist[i, j]:
                        hidden = True
                        break
                if not hidden:
                    kept[i, count] = head
                    kept_dist[i, count] = dist[i, j]
                    count += 1
            for j in range(count, copies):
                kept[i, j] = LS_NOBODY
                kept_dist[i, j] = INFINITY
