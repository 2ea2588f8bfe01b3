"""A whole search in one call without the GIL: heads, prune, fetch and scan, ids.

Why one call: each call that gives the GIL away must get it back, and with the arrays it takes
each costs 5 to 10 us; four of them were a quarter of a warm query.
"""

from cython cimport final
from libc.stdint cimport int64_t, uint32_t
from libc.stdlib cimport free
from posix.time cimport CLOCK_MONOTONIC, clock_gettime, timespec

from longspan.cext.files cimport Files
from longspan.cext.mapped cimport Ids
from longspan.cext.postings cimport COSINE, IP, Batch, Postings
from longspan.cext.prune cimport worth_reading
from longspan.cext.room cimport ls_room, ls_times
from longspan.cext.topk cimport LS_NOBODY
from longspan.cext.tree cimport HeadTree, Walk, free_walk


cdef double seconds() noexcept nogil:
    cdef timespec now
    clock_gettime(CLOCK_MONOTONIC, &now)
    return now.tv_sec + now.tv_nsec * 1e-9


@final
cdef class QueryBatch:
    """Queries in every form that a search takes them in; keeps the arrays alive.

    queries   (nq, bytes)       as the postings' kernels take them
    lifted    (nq, bytes)       the same in the head space
    inverses  (nq,)             1 / norm; empty unless cosine
    turned    (nq, groups * 8)  for the codes; empty if raw
    slopes    (nq,)             with shifts, (nq,), they make an exact distance one of the head
                                space; empty unless codes with ip
    """

    cdef const unsigned char[:, ::1] queries, lifted
    cdef const float[::1] inverses, slopes, shifts
    cdef const float[:, ::1] turned

    def __init__(
        self,
        const unsigned char[:, ::1] queries,
        const unsigned char[:, ::1] lifted,
        const float[::1] inverses,
        const float[:, ::1] turned,
        const float[::1] slopes,
        const float[::1] shifts,
    ):
        self.queries, self.lifted, self.inverses = queries, lifted, inverses
        self.turned, self.slopes, self.shifts = turned, slopes, shifts


@final
cdef class SearchPlan:
    """What is done for each query of a batch; serves any number of searches.

    beam       nodes to expand at each inner level
    m          heads to rank
    threshold  log of the hits that a posting must promise
    depth      candidates by code to score exactly
    settle     do with fewer than k vectors
    """

    cdef const uint32_t[::1] beam
    cdef size_t m, depth
    cdef float threshold
    cdef bint settle

    def __init__(
        self, const uint32_t[::1] beam, size_t m, float threshold, size_t depth, bint settle
    ):
        self.beam, self.m, self.threshold = beam, m, threshold
        self.depth, self.settle = depth, settle


@final
cdef class Searcher:
    """An index that is open for searching; keeps its parts alive.

    tree, postings, ids  opened; they fit each other, which the manifest's checksums vouch for
    law      (3,)  of pruning (longspan.cext.prune)
    primary  (h,)  primary vectors of each posting
    files    that all of it is mapped from; None: nobody looks whether they shrink
    """

    cdef HeadTree tree
    cdef Postings postings
    cdef Ids ids
    cdef const float[::1] law
    cdef const uint32_t[::1] primary
    cdef Files files

    def __init__(
        self,
        HeadTree tree not None,
        Postings postings not None,
        Ids ids not None,
        const float[::1] law,
        const uint32_t[::1] primary,
        Files files=None,
    ):
        cdef size_t heads = tree.heads.shape[0]
        if <size_t>primary.shape[0] != heads or <size_t>postings.counts.shape[0] != heads:
            raise ValueError(
                f"{heads} heads, {postings.counts.shape[0]} postings, {primary.shape[0]} primaries"
            )
        if law.shape[0] != 3 or law[0] > 0 or law[1] > 0:
            raise ValueError("the law of pruning must fall with rank and distance")
        self.tree, self.postings, self.ids = tree, postings, ids
        self.law, self.primary, self.files = law, primary, files

    def search(
        self,
        QueryBatch queries not None,
        SearchPlan plan not None,
        float[:, ::1] dist,     # OUT  (nq, k)  nearest first, inf beyond the last
        int64_t[:, ::1] ids,    # OUT  (nq, k)  -1 beyond the last
        uint32_t[:, ::1] rows,  # OUT  (nq, k)  2^32 - 1 beyond the last
    ):
        """Fill dist, ids and rows; return what it took, or None when m heads hold too few vectors.

        Each query reads postings that have k vectors among their primary ones: a low recall or a
        large k may be content with less, but an answer is never short of k for it.

        returns  (heads scored, postings read, vectors and codes scored, bytes asked for, pages of
                 candidates alone, seconds for heads, seconds for the rest)
        ValueError when shapes disagree, a file has shrunk, a posting or an id has not its checksum,
        or a row no id.
        """
        cdef Py_ssize_t nq = queries.queries.shape[0]
        cdef Batch batch
        self.take(&batch, queries, plan)
        if (
            dist.shape[0] != nq or ids.shape[0] != nq or dist.shape[1] != ids.shape[1]
            or rows.shape[0] != nq or rows.shape[1] != ids.shape[1] or dist.shape[1] == 0
        ):
            raise ValueError(f"{nq} queries, dist is {dist.shape[0]} x {dist.shape[1]}")
        batch.k, batch.dist, batch.rows = dist.shape[1], &dist[0, 0], &rows[0, 0]
        # No more candidates than rows.
        batch.depth = max(min(plan.depth, <size_t>self.ids.ids.shape[0]), batch.k)
        return self.run(&batch, plan, &ids[0, 0])

    def candidates(
        self,
        QueryBatch queries not None,
        SearchPlan plan not None,
        uint32_t[:, ::1] rows,  # OUT  (nq, depth)  best first, 2^32 - 1 beyond the last
    ):
        """Fill rows with the plan's candidates by estimate; return as `search` does, for k = 1.

        ValueError when shapes disagree, postings have no codes, or one has not its checksum.
        """
        cdef Py_ssize_t nq = queries.queries.shape[0]
        cdef Batch batch
        self.take(&batch, queries, plan)
        if rows.shape[0] != nq or <size_t>rows.shape[1] != plan.depth or plan.depth == 0:
            raise ValueError(f"candidates are {rows.shape[0]} x {rows.shape[1]}")
        if not self.postings.width:
            raise ValueError("postings without codes have no candidates")
        # A tier that reads its probes scores their vectors exactly, whoever wants to know.
        cdef float *dist = <float *>ls_room(nq, sizeof(float))
        cdef uint32_t *nearest = <uint32_t *>ls_room(nq, sizeof(uint32_t))
        try:
            if dist == NULL or nearest == NULL:
                raise MemoryError(f"no memory to search for {nq} queries")
            batch.k, batch.dist, batch.rows = 1, dist, nearest
            batch.depth, batch.candidates = plan.depth, &rows[0, 0]
            return self.run(&batch, plan, NULL)
        finally:
            free(dist)
            free(nearest)

    cdef int take(self, Batch *batch, QueryBatch queries, SearchPlan plan) except -1:
        """Set all of a batch but what is asked of it. ValueError when shapes disagree."""
        cdef Py_ssize_t nq = queries.queries.shape[0]
        self.postings.check(nq, queries.queries.shape[1], queries.inverses.shape[0])
        if (
            nq == 0 or queries.lifted.shape[0] != nq
            or queries.lifted.shape[1] != <Py_ssize_t>self.tree.query_bytes
        ):
            raise ValueError(
                f"{nq} queries, lifted are {queries.lifted.shape[0]} x {queries.lifted.shape[1]}"
            )
        if plan.m == 0 or plan.m > <size_t>self.tree.heads.shape[0]:
            raise ValueError(f"m is {plan.m}, there are {self.tree.heads.shape[0]} heads")
        if self.postings.width and (
            queries.turned.shape[0] != nq
            or <size_t>queries.turned.shape[1] != self.postings.width
            or (
                self.postings.metric == IP
                and (queries.slopes.shape[0] != nq or queries.shifts.shape[0] != nq)
            )
        ):
            raise ValueError(
                f"{nq} queries, turned is {queries.turned.shape[0]} x {queries.turned.shape[1]}"
            )
        batch.nq, batch.m = nq, plan.m
        batch.queries, batch.lifted = &queries.queries[0, 0], &queries.lifted[0, 0]
        batch.inverses = &queries.inverses[0] if self.postings.metric == COSINE else NULL
        batch.turned = &queries.turned[0, 0] if queries.turned.shape[0] else NULL
        batch.slopes = &queries.slopes[0] if queries.slopes.shape[0] else NULL
        batch.shifts = &queries.shifts[0] if queries.shifts.shape[0] else NULL
        batch.candidates = NULL
        batch.postings = batch.vectors = batch.codes = batch.bytes = batch.pages = 0
        batch.foreign = batch.damaged = -1
        return 0

    cdef object run(self, Batch *batch, SearchPlan plan, int64_t *ids):
        """Search for a batch, and look up the ids of its rows unless it wants candidates."""
        cdef size_t nq = batch.nq, m = batch.m, i
        cdef int64_t scored = 0
        cdef bint enough = True, ready = True
        cdef double start, ranked, done
        cdef Py_ssize_t cut = -1
        cdef Walk walk = self.tree.new_walk(plan.beam, m)
        cdef float *near = <float *>ls_room(ls_times(nq, m), sizeof(float))
        cdef uint32_t *probes = <uint32_t *>ls_room(ls_times(nq, m), sizeof(uint32_t))
        cdef uint32_t *counts = <uint32_t *>ls_room(nq, sizeof(uint32_t))
        cdef float *block = NULL
        try:
            if near == NULL or probes == NULL or counts == NULL:
                raise MemoryError(f"no memory to rank {m} heads of {nq} queries")
            block = self.postings.new_block()
            batch.near, batch.probes, batch.counts = near, probes, counts
            with nogil:
                start = seconds()
                if self.files is not None:
                    cut = self.files.shrunk(start)
                    if cut >= 0:
                        nq, enough = 0, False
                for i in range(nq):
                    scored += self.tree.descend(
                        batch.lifted + i * self.tree.query_bytes, plan.beam, &walk, m,
                        near + i * m, probes + i * m,
                    )
                    counts[i] = <uint32_t>worth_reading(
                        near + i * m, m, &self.law[0], plan.threshold
                    )
                    enough &= self.hold(probes + i * m, m, batch.k, counts + i) or plan.settle
                ranked = seconds()
                if enough:
                    ready = self.postings.answer(batch, block, self.ids)
                    if ready and batch.candidates == NULL and batch.foreign < 0 > batch.damaged:
                        batch.foreign = self.ids.fill(batch.rows, ids, nq * batch.k)
                done = seconds()
        finally:
            free_walk(walk)
            free(near)
            free(probes)
            free(counts)
            free(block)
        if cut >= 0:
            raise self.files.fault(cut)
        if not enough:
            return None
        if not ready:
            raise MemoryError(f"no memory to search for {nq} queries")
        if batch.damaged >= 0:
            raise self.postings.fault(batch.damaged)
        if batch.foreign >= 0:
            raise self.ids.fault(batch.foreign)
        return (
            scored, batch.postings, batch.vectors, batch.codes, batch.bytes, batch.pages,
            ranked - start, done - ranked,
        )

    cdef bint hold(
        self, const uint32_t *probes, size_t m, size_t k, uint32_t *count
    ) noexcept nogil:
        """Raise count until the first so many probes have k primary vectors; say whether they do."""
        cdef size_t held = 0, j
        for j in range(m):
            if probes[j] == LS_NOBODY:
                break  # a narrow beam finds fewer heads than were asked for
            held += self.primary[probes[j]]
            if j >= count[0]:
                count[0] += 1
            if held >= k:
                return True
        return False
