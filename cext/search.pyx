"""A whole search in one call without the GIL: heads, prune, fetch and scan, ids.

Why one call: each call that gives the GIL away must get it back, and with the arrays it takes
each costs 5 to 10 us; four of them were a quarter of a warm query.
"""

from libc.stdint cimport int64_t, uint32_t
from libc.stdlib cimport free
from posix.time cimport CLOCK_MONOTONIC, clock_gettime, timespec

from longspan.cext.ids cimport Ids
from longspan.cext.prune cimport worth_reading
from longspan.cext.room cimport ls_room, ls_times
from longspan.cext.scanner cimport COSINE, IP, Batch, Scanner
from longspan.cext.topk cimport LS_NOBODY
from longspan.cext.tree cimport HeadTree, Walk, free_walk


cdef double seconds() noexcept nogil:
    cdef timespec now
    clock_gettime(CLOCK_MONOTONIC, &now)
    return now.tv_sec + now.tv_nsec * 1e-9


cdef class Searcher:
    """An index that is open for searching; keeps its parts alive.

    tree, postings, ids  opened; they fit each other, which the manifest's checksums vouch for
    law      (3,)  of pruning (longspan.cext.prune)
    primary  (h,)  primary vectors of each posting
    """

    cdef HeadTree tree
    cdef Scanner postings
    cdef Ids ids
    cdef const float[::1] law
    cdef const uint32_t[::1] primary

    def __init__(
        self,
        HeadTree tree not None,
        Scanner postings not None,
        Ids ids not None,
        const float[::1] law,
        const uint32_t[::1] primary,
    ):
        cdef size_t heads = tree.heads.shape[0]
        if <size_t>primary.shape[0] != heads or <size_t>postings.counts.shape[0] != heads:
            raise ValueError(
                f"{heads} heads, {postings.counts.shape[0]} postings, {primary.shape[0]} primaries"
            )
        if law.shape[0] != 3 or law[0] > 0 or law[1] > 0:
            raise ValueError("the law of pruning must fall with rank and distance")
        self.tree, self.postings, self.ids = tree, postings, ids
        self.law, self.primary = law, primary

    def search(
        self,
        const unsigned char[:, ::1] queries,  # IN   (nq, bytes)  as the postings' kernels take them
        const unsigned char[:, ::1] lifted,   # IN   (nq, bytes)  the same in the head space
        const float[::1] inverses,            # IN   (nq,)        1 / norm; empty unless cosine
        const uint32_t[::1] beam,             # IN   nodes to expand at each inner level
        size_t m,                             # IN   heads to rank
        float threshold,                      # IN   log of the hits that a posting must promise
        bint settle,                          # IN   do with fewer than k vectors
        const float[:, ::1] turned,           # IN   (nq, groups * 8)  for the codes; empty if raw
        const float[::1] squares,             # IN   (nq,)  |q|^2 + radius^2; for codes with ip
        size_t depth,                         # IN   candidates by code to score exactly
        float[:, ::1] dist,                   # OUT  (nq, k)      nearest first, inf beyond the last
        int64_t[:, ::1] ids,                  # OUT  (nq, k)      -1 beyond the last
        uint32_t[:, ::1] rows,                # OUT  (nq, k)      2^32 - 1 beyond the last
        uint32_t[:, ::1] candidates=None,     # OUT  (nq, depth)  rows by estimate, no answers then
    ):
        """Fill dist, ids and rows; return what it took, or None when m heads hold too few vectors.

        Each query reads postings that have k vectors among their primary ones: a low recall or a
        large k may be content with less, but an answer is never short of k for it.

        returns  (heads scored, postings read, vectors and codes scored, bytes asked for, pages of
                 candidates alone, seconds for heads, seconds for the rest)
        ValueError when shapes disagree, a posting or an id has not its checksum, or a row no id.
        """
        cdef Py_ssize_t nq = queries.shape[0], i
        cdef Batch batch
        cdef int64_t scored = 0
        cdef bint enough = True, ready = True
        cdef double start, ranked, done
        self.postings.check(nq, queries.shape[1], inverses.shape[0])
        if nq == 0 or lifted.shape[0] != nq or lifted.shape[1] != <Py_ssize_t>self.tree.query_bytes:
            raise ValueError(f"{nq} queries, lifted are {lifted.shape[0]} x {lifted.shape[1]}")
        if (
            dist.shape[0] != nq or ids.shape[0] != nq or dist.shape[1] != ids.shape[1]
            or rows.shape[0] != nq or rows.shape[1] != ids.shape[1] or dist.shape[1] == 0 or m == 0
        ):
            raise ValueError(f"{nq} queries, dist is {dist.shape[0]} x {dist.shape[1]}, m {m}")
        if m > <size_t>self.tree.heads.shape[0]:
            raise ValueError(f"m is {m}, there are {self.tree.heads.shape[0]} heads")
        batch.nq, batch.k, batch.m = nq, dist.shape[1], m
        batch.queries, batch.lifted = &queries[0, 0], &lifted[0, 0]
        batch.inverses = &inverses[0] if self.postings.metric == COSINE else NULL
        if self.postings.width and (
            turned.shape[0] != nq or <size_t>turned.shape[1] != self.postings.width
            or (self.postings.metric == IP and squares.shape[0] != nq)
        ):
            raise ValueError(f"{nq} queries, turned is {turned.shape[0]} x {turned.shape[1]}")
        batch.turned = &turned[0, 0] if turned.shape[0] else NULL
        batch.squares = &squares[0] if squares.shape[0] else NULL
        batch.candidates = NULL
        if candidates is None:
            depth = min(depth, <size_t>self.ids.ids.shape[0])  # no more candidates than rows
        batch.depth = max(depth, batch.k)
        if candidates is not None:
            if candidates.shape[0] != nq or <size_t>candidates.shape[1] != batch.depth:
                raise ValueError(f"candidates are {candidates.shape[0]} x {candidates.shape[1]}")
            batch.candidates = &candidates[0, 0]
        batch.dist = &dist[0, 0]
        batch.postings = batch.vectors = batch.codes = batch.bytes = batch.pages = 0
        batch.foreign = batch.damaged = -1
        cdef Walk walk = self.tree.new_walk(beam, m)
        cdef float *near = <float *>ls_room(ls_times(nq, m), sizeof(float))
        cdef uint32_t *probes = <uint32_t *>ls_room(ls_times(nq, m), sizeof(uint32_t))
        cdef uint32_t *counts = <uint32_t *>ls_room(nq, sizeof(uint32_t))
        cdef float *block = NULL
        try:
            if near == NULL or probes == NULL or counts == NULL:
                raise MemoryError(f"no memory to rank {m} heads of {nq} queries")
            block = self.postings.new_block()
            batch.near, batch.probes, batch.counts, batch.rows = near, probes, counts, &rows[0, 0]
            with nogil:
                start = seconds()
                for i in range(nq):
                    scored += self.tree.descend(
                        &lifted[i, 0], beam, walk, m, near + i * m, probes + i * m
                    )
                    counts[i] = <uint32_t>worth_reading(
                        near + i * m, m, &self.law[0], threshold
                    )
                    enough &= self.hold(probes + i * m, m, batch.k, counts + i) or settle
                ranked = seconds()
                if enough:
                    ready = self.postings.answer(&batch, block)
                    if ready and batch.candidates == NULL and batch.foreign < 0 > batch.damaged:
                        batch.foreign = self.ids.fill(batch.rows, &ids[0, 0], nq * batch.k)
                done = seconds()
        finally:
            free_walk(walk)
            free(near)
            free(probes)
            free(counts)
            free(block)
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
