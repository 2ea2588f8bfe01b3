"""The tier of heads: find candidates with heads alone in memory, by reading the probes.

A probe's own vectors are scored exactly at once. Its copies are estimated by their codes, and those
that may be nearer are read where they are vectors, unless that posting is a probe as well.
"""

from cython cimport final
from libc.stdint cimport uint8_t, uint32_t
from libc.string cimport memset

from longspan.cext.coded cimport CodedPostings, Scratch, survivors_of
from longspan.cext.kernels cimport kernels
from longspan.cext.mapped cimport Ids
from longspan.cext.posting cimport copies_at
from longspan.cext.postings cimport COSINE, IP, L2, Batch, Wave, whole_pages
from longspan.cext.room cimport ls_room
from longspan.cext.topk cimport (
    LS_NOBODY, ls_next_within, ls_topk, ls_topk_clear, ls_topk_push, ls_topk_push_once,
    ls_topk_sort,
)

cdef enum:
    STRANGERS = 1024  # heads beyond the ranked ones whose distances are kept
cdef float PROBED = -1  # stands for the distance of a head whose posting is read


@final
cdef class HeadsTier(CodedPostings):
    """Coded postings of which heads alone are in memory."""

    cdef bint prepare(self, Batch *batch, Scratch *scratch) noexcept nogil:
        cdef size_t known = 2
        scratch.shift = 31
        while known < 2 * (batch.m + STRANGERS):  # m is at most the number of heads
            known *= 2
            scratch.shift -= 1
        scratch.dist = <float *>ls_room(batch.depth, sizeof(float))
        scratch.rows = <uint32_t *>ls_room(batch.depth, sizeof(uint32_t))
        scratch.known = <uint32_t *>ls_room(known, sizeof(uint32_t))
        scratch.near = <float *>ls_room(known, sizeof(float))
        scratch.mask = known - 1
        scratch.query.bytes = self.tree.new_bytes()
        return CodedPostings.prepare(self, batch, scratch) and (
            scratch.dist != NULL and scratch.rows != NULL
            and scratch.known != NULL and scratch.near != NULL and scratch.query.bytes != NULL
        )

    cdef void find(
        self, Batch *batch, size_t i, Wave *wave, Scratch *scratch, Ids ids
    ) noexcept nogil:
        """Score the vectors of the probes, then find copies that may be nearer than they are.

        The candidates are the best `depth` of vectors and codes together, in the head space; of
        these, the ones whose own posting is not among the probes survive.
        """
        cdef const uint32_t *probes = batch.probes + i * batch.m
        cdef const float *near = batch.near + i * batch.m
        cdef ls_topk best = ls_topk(scratch.dist, scratch.rows, batch.depth)
        cdef uint32_t *survivors = survivors_of(batch, i, scratch)
        cdef size_t j, r
        ls_topk_clear(best)
        self.tree.take(&scratch.query, batch.lifted + i * self.tree.query_bytes)
        memset(scratch.known, 0xff, (scratch.mask + 1) * sizeof(uint32_t))
        scratch.free = STRANGERS
        for j in range(batch.m):
            if probes[j] != LS_NOBODY:
                r = place_of(scratch, probes[j])
                scratch.known[r] = probes[j]
                scratch.near[r] = PROBED if j < batch.counts[i] else near[j]
        for j in range(batch.counts[i]):
            self.ask_ahead(batch, wave)
            self.score_vectors(batch, i, probes[j], best, scratch.block)
            wave.ahead -= 1
        for j in range(batch.counts[i]):
            self.score_copies(batch, i, probes[j], best, scratch)
        for r in range(batch.k):
            ids.ask(batch.rows[i * batch.k + r])
        survivors[0] = 0
        for r in range(best.k):
            if best.key[r] != LS_NOBODY:
                if self.distance_to(batch, i, self.rows.owner(best.key[r]), scratch) != PROBED:
                    survivors[0] += 1
                    survivors[survivors[0]] = best.key[r]

    cdef void score_vectors(
        self, Batch *batch, size_t i, size_t posting, ls_topk best, float *block
    ) noexcept nogil:
        """Fold the vectors of a probe into the answer, and in the head space into the best."""
        cdef float inverse = batch.inverses[i] if self.metric == COSINE else 0
        cdef float slope = batch.slopes[i] if self.metric == IP else 1 if self.metric == L2 else 2
        cdef float shift = batch.shifts[i] if self.metric == IP else 0
        cdef ls_topk top = ls_topk(batch.dist + i * batch.k, batch.rows + i * batch.k, batch.k)
        cdef size_t count = self.counts[posting], r
        cdef uint32_t row = self.rows.first[posting]
        if not self.intact(posting):
            batch.damaged = posting
        self.vectors_of(posting, batch.queries + i * self.query_bytes, inverse, block)
        for r in range(count):
            ls_topk_push(top, block[r], row + <uint32_t>r)
            ls_topk_push(best, slope * block[r] + shift, row + <uint32_t>r)
        batch.postings += 1
        batch.vectors += count
        batch.bytes += whole_pages(self.bytes_of(posting))

    cdef void score_copies(
        self, Batch *batch, size_t i, size_t posting, ls_topk best, Scratch *scratch
    ) noexcept nogil:
        """Fold the estimates of a probe's copies into the best, but for those scored exactly."""
        cdef size_t count = self.copies[posting], r = 0
        cdef const uint32_t *numbers = <const uint32_t *>(
            &self.mapped[self.offsets[posting]]
            + copies_at(self.counts[posting], self.row_bytes, self.metric == COSINE)
        )
        cdef float nearest = batch.near[i * batch.m], near
        kernels().estimates(<const uint8_t *>(numbers + count), count, &scratch.codes, 0, scratch.block)
        batch.codes += count
        while True:  # no head is nearer than the nearest: most copies need no look at their own
            r = ls_next_within(scratch.block, r, count, best.dist[0] - nearest)
            if r == count:
                break
            if numbers[r] >= self.rows.n:
                batch.foreign = numbers[r]
            else:
                near = self.distance_to(batch, i, self.rows.owner(numbers[r]), scratch)
                if near != PROBED:
                    ls_topk_push_once(best, near + scratch.block[r], numbers[r])
            r += 1

    cdef float distance_to(
        self, Batch *batch, size_t i, uint32_t posting, Scratch *scratch
    ) noexcept nogil:
        """Return the distance to a posting's head, or PROBED."""
        cdef size_t at = place_of(scratch, posting)
        cdef uint32_t head
        cdef float near
        if scratch.known[at] != LS_NOBODY:
            return scratch.near[at]
        head = self.tree.inner_count + posting
        self.tree.distances(&scratch.query, head, head + 1, &near)
        if scratch.free:
            scratch.free -= 1
            scratch.known[at], scratch.near[at] = posting, near
        return near

    cdef void list_candidates(
        self, Batch *batch, size_t i, const Scratch *scratch
    ) noexcept nogil:
        cdef uint32_t *out = batch.candidates + i * batch.depth
        cdef size_t r
        ls_topk_sort(ls_topk(scratch.dist, scratch.rows, batch.depth))
        for r in range(batch.depth):
            out[r] = scratch.rows[r]


cdef inline size_t place_of(const Scratch *scratch, uint32_t posting) noexcept nogil:
    """Return where a posting is in the hash table, or would be: open addressing, Knuth's hash."""
    cdef size_t at = (posting * <uint32_t>2654435769) >> scratch.shift
    while scratch.known[at] != LS_NOBODY and scratch.known[at] != posting:
        at = (at + 1) & scratch.mask
    return at
