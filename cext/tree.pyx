"""A query's nearest heads: a beam walks down the head tree, one sequential scan a node.

Nodes are numbered level by level from the top, heads last, so the children of one node are
neighbours in memory. children[i] is the first child of inner node i, children[i + 1] one past its
last; the nodes before children[0] are the top level. With few heads there are no inner nodes.

Nodes on a grid are bytes: node c stands for offsets + steps * c, and with w = steps * (q - offsets)

    |q - node|^2  =  |q - offsets|^2 + |steps * c|^2 - 2 <w, c>

of which <w, c> is a dot product of bytes once w is rounded to 7 bits, low + step * byte.
"""

from cython cimport final
from libc.math cimport INFINITY
from libc.stdint cimport int8_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free

from longspan.cext.kernels cimport LS_DTYPES, LS_F16, LS_F32, LS_I8, LS_U8, kernels
from longspan.cext.pool cimport (
    ls_dist, ls_key, ls_pool, ls_pool_clear, ls_pool_offer, ls_pool_room, ls_pool_sort,
)
from longspan.cext.room cimport ls_room, ls_times
from longspan.cext.topk cimport LS_NOBODY


cdef enum:
    MOST = 127  # that a byte of a query stands for


cdef void free_walk(Walk walk) noexcept nogil:
    """Give the scratch of a walk back."""
    free(walk.query.bytes)
    free(walk.block)
    free(walk.now.held)


def check_levels(const uint32_t[::1] children, size_t inner, size_t heads, levels):
    """Raise ValueError unless the nodes of each level have their children in the next one.

    children ascends and ends at the last head; so this bounds every walk down the tree.
    """
    cdef size_t first = 0, last = 0, lowest = len(levels) - 1, level, nodes
    if not levels or min(levels) < 1:
        raise ValueError(f"levels {levels}: want at least one, and nodes in each")
    for level in range(lowest):
        nodes = levels[level]
        last = first + nodes
        if last > inner or children[first] != last:
            raise ValueError(f"levels {levels} do not fit the tree: no level ends at node {last}")
        first = last
    if last != inner or levels[lowest] != heads or (inner == 0 and children[0] != heads):
        raise ValueError(f"levels {levels} do not fit {inner} inner nodes and {heads} heads")


cdef inline float value_of(const void *query, int dtype, size_t d) noexcept nogil:
    """Return a value of a query."""
    if dtype == LS_U8:
        return (<const uint8_t *>query)[d]
    if dtype == LS_I8:
        return (<const int8_t *>query)[d]
    return (<const float *>query)[d]


@final
cdef class HeadTree:
    """The head tree and the heads, opened for searching; keeps its arrays alive.

    inner     (inner, bytes)  the nodes above the heads, as bytes
    heads     (h, bytes)
    children  (inner + 1,)
    dtype     of the nodes, on a grid of what the queries are; queries are float32 for f32 and f16,
              of the same type for u8 and i8
    dim       elements of a node
    levels    nodes of each level from the top, the heads last
    offsets, steps, squares, sums   of nodes on a grid, which are int8: (dim,) twice, then of each
              node, inner + h: |steps * c|^2, and the sum of its bytes
    Raises ValueError when the arrays do not fit each other.
    """

    def __init__(
        self,
        const unsigned char[:, ::1] inner,
        const unsigned char[:, ::1] heads,
        const uint32_t[::1] children,
        int dtype,
        size_t dim,
        levels,
        const float[::1] offsets=None,
        const float[::1] steps=None,
        const float[::1] squares=None,
        const float[::1] sums=None,
    ):
        cdef Py_ssize_t i
        cdef Py_ssize_t nodes = inner.shape[0] + heads.shape[0]
        cdef size_t item = 4 if dtype == LS_F32 else 2 if dtype == LS_F16 else 1
        if not 0 <= dtype < LS_DTYPES:
            raise ValueError(f"dtype code {dtype}, must be in [0, {LS_DTYPES})")
        self.query_bytes = dim * (4 if dtype == LS_F16 else item)
        self.on_grid = offsets is not None
        if self.on_grid:
            item = 1
            if (
                steps is None or squares is None or sums is None
                or <size_t>offsets.shape[0] != dim or <size_t>steps.shape[0] != dim
                or squares.shape[0] != nodes or sums.shape[0] != nodes
            ):
                raise ValueError(f"the grid does not fit {nodes} nodes of {dim}")
            self.offsets, self.steps, self.squares, self.sums = offsets, steps, squares, sums
        if heads.shape[1] != <Py_ssize_t>(dim * item) or heads.shape[0] == 0:
            raise ValueError(f"heads are {heads.shape[0]} x {heads.shape[1]} bytes, dim is {dim}")
        if inner.shape[0] and inner.shape[1] != heads.shape[1]:
            raise ValueError(f"inner nodes have {inner.shape[1]} bytes, heads {heads.shape[1]}")
        if children.shape[0] != inner.shape[0] + 1:
            raise ValueError(f"{inner.shape[0]} inner nodes, children has {children.shape[0]}")
        self.fan = children[0]
        for i in range(inner.shape[0]):
            if children[i + 1] <= children[i] or children[i] <= i:
                raise ValueError(f"inner node {i} has children {children[i]} to {children[i + 1]}")
            self.fan = max(self.fan, children[i + 1] - children[i])
        if children[inner.shape[0]] != inner.shape[0] + heads.shape[0]:
            raise ValueError(f"children end at {children[inner.shape[0]]}, not at the last head")
        check_levels(children, inner.shape[0], heads.shape[0], levels)
        self.levels = len(levels)
        self.inner, self.heads, self.children = inner, heads, children
        self.inner_count = <uint32_t>inner.shape[0]
        self.dtype, self.dim = dtype, dim

    def nearest(
        self,
        const unsigned char[:, ::1] queries,  # IN   (nq, bytes)  in the head space
        const uint32_t[::1] beam,             # IN   (levels,)    nodes to expand at each inner level
        float[:, ::1] dist,                   # OUT  (nq, m)      squared L2, nearest first
        uint32_t[:, ::1] found,               # OUT  (nq, m)      heads, 2^32 - 1 beyond the last
    ):
        """Fill dist and found with the nearest heads of each query; return the nodes scored."""
        cdef size_t nq = queries.shape[0], m = dist.shape[1], i
        cdef int64_t scored = 0
        if dist.shape[0] != queries.shape[0] or found.shape[0] != queries.shape[0]:
            raise ValueError(f"{nq} queries, dist has {dist.shape[0]}, found {found.shape[0]}")
        if found.shape[1] != dist.shape[1] or m == 0:
            raise ValueError(f"dist is {m} wide, found {found.shape[1]}, want the same, not 0")
        if <size_t>queries.shape[1] != self.query_bytes:
            raise ValueError(f"queries have {queries.shape[1]} bytes, want {self.query_bytes}")
        cdef Walk walk = self.new_walk(beam, m)
        with nogil:
            for i in range(nq):
                scored += self.descend(&queries[i, 0], beam, &walk, m, &dist[i, 0], &found[i, 0])
        free_walk(walk)
        return scored

    cdef Walk new_walk(self, const uint32_t[::1] beam, size_t m) except *:
        """Return scratch for walks with a beam; ValueError when the beam does not fit the tree.

        m  heads to find
        """
        cdef size_t widest = m, i, room
        if <size_t>beam.shape[0] != self.levels - 1:
            raise ValueError(f"{beam.shape[0]} beams for {self.levels - 1} inner levels")
        for i in range(<size_t>beam.shape[0]):
            if beam[i] == 0:
                raise ValueError(f"the beam of level {i} is 0")
            widest = max(widest, min(beam[i], self.inner_count))
        room = ls_pool_room(widest)
        cdef float *block = <float *>ls_room(self.fan, sizeof(float))
        cdef uint64_t *held = <uint64_t *>ls_room(ls_times(2, room), sizeof(uint64_t))
        cdef uint8_t *bytes = self.new_bytes()
        if block == NULL or held == NULL or bytes == NULL:
            free(block)
            free(held)
            free(bytes)
            raise MemoryError(f"no memory for a beam of {widest} nodes")
        return Walk(
            TreeQuery(NULL, bytes, 0, 0, 0), block,
            ls_pool(held, 0, 0, INFINITY), ls_pool(held + room, 0, 0, INFINITY),
        )

    cdef int64_t descend(
        self, const void *query, const uint32_t[::1] beam, Walk *walk, size_t m,
        float *dist, uint32_t *found,
    ) noexcept nogil:
        """Fill dist and found with m heads, nearest first; return the nodes scored."""
        cdef ls_pool now = walk.now, then = walk.then
        cdef uint32_t first = 0, node, below, end
        cdef int64_t scored = self.children[0]
        cdef size_t level = 0, i
        self.take(&walk.query, query)
        ls_pool_clear(&now, min(beam[0], self.inner_count) if self.inner_count else m)
        self.distances(&walk.query, 0, self.children[0], walk.block)
        ls_pool_offer(&now, walk.block, self.children[0], 0)
        while first < self.inner_count:
            first = self.children[first]  # the first node of the next level
            level += 1
            ls_pool_clear(
                &then, min(beam[level], self.inner_count) if first < self.inner_count else m
            )
            ls_pool_sort(&now)  # the children of the nearest first: fewer get in to be thrown out
            for i in range(now.count):
                node = ls_key(now.held[i])
                below, end = self.children[node], self.children[node + 1]
                self.distances(&walk.query, below, end, walk.block)
                ls_pool_offer(&then, walk.block, end - below, below)
                scored += end - below
            now, then = then, now
        ls_pool_sort(&now)
        for i in range(m):
            if i < now.count:
                dist[i], found[i] = ls_dist(now.held[i]), ls_key(now.held[i]) - self.inner_count
            else:
                dist[i], found[i] = INFINITY, LS_NOBODY
        return scored

    cdef uint8_t *new_bytes(self) noexcept nogil:
        """Return room for the bytes of a query; NULL when there is none."""
        return <uint8_t *>ls_room(self.dim if self.on_grid else 1, 1)

    cdef void take(self, TreeQuery *query, const void *whole) noexcept nogil:
        """Set a query that has room for its bytes."""
        cdef float least = INFINITY, most = -INFINITY, beside, weight, scale
        cdef size_t d
        query.whole = whole
        if not self.on_grid:
            return
        query.square = 0
        for d in range(self.dim):
            beside = value_of(whole, self.dtype, d) - self.offsets[d]
            weight = beside * self.steps[d]
            query.square += beside * beside
            least, most = min(least, weight), max(most, weight)
        query.low, query.step = least, (most - least) / MOST
        scale = 1 / query.step if query.step > 0 else 0
        for d in range(self.dim):
            weight = (value_of(whole, self.dtype, d) - self.offsets[d]) * self.steps[d]
            query.bytes[d] = <uint8_t>((weight - least) * scale + <float>0.5)

    cdef void distances(
        self, const TreeQuery *query, uint32_t first, uint32_t last, float *out
    ) noexcept nogil:
        """Fill out with the squared distances of the nodes [first, last), all inner or all heads."""
        cdef const unsigned char *rows
        cdef const float *squares
        cdef const float *sums
        cdef float square = query.square, low = 2 * query.low, step = 2 * query.step, found
        cdef size_t i
        if first < self.inner_count:
            rows = &self.inner[first, 0]
        else:
            rows = &self.heads[first - self.inner_count, 0]
        if not self.on_grid:
            kernels().l2[self.dtype](query.whole, rows, last - first, self.dim, out)
            return
        kernels().bytes(query.bytes, rows, last - first, self.dim, out)
        squares, sums = &self.squares[first], &self.sums[first]
        for i in range(last - first):
            found = square + squares[i] - low * sums[i] - step * out[i]
            out[i] = found if found > 0 else 0
