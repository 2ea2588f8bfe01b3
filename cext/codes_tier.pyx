"""The tiers of codes: find candidates with codes in memory, by estimates that read nothing.

With both codes the best by the first are estimated anew by both.
"""

from cython cimport final
from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy

from longspan.cext.coded cimport CodedPostings, Scratch, survivors_of
from longspan.cext.kernels cimport (
    LS_POINTS, kernels, ls_code_sum, ls_half, ls_prefetch,
    ls_small_sum,
)
from longspan.cext.mapped cimport Ids
from longspan.cext.pool cimport (
    ls_candidate, ls_dist, ls_key, ls_pool, ls_pool_clear, ls_pool_offer, ls_pool_room,
    ls_pool_order, ls_pool_thin,
)
from longspan.cext.posting cimport SCALARS_1, SCALARS_2, Place, place_in_tile
from longspan.cext.postings cimport Batch, Wave
from longspan.cext.room cimport ls_room, ls_times
from longspan.cext.topk cimport LS_NOBODY

cpdef enum:
    WIDER = 6  # candidates by the first code that get the second, for each one that is reranked
cdef enum:
    AHEAD = 2  # postings whose codes are on their way from memory
    SOON = 8   # and second codes


@final
cdef class CodesTier(CodedPostings):
    """Coded postings with the codes of every vector in memory.

    first   (n, groups + 3)  records of the first tier, those of each posting in tiles
    second  (n, groups + 2)  and of the second; or empty
    """

    cdef const uint8_t[:, ::1] first, second

    def __init__(self, *args, const uint8_t[:, ::1] first, const uint8_t[:, ::1] second, **given):
        CodedPostings.__init__(self, *args, **given)
        self.first, self.second = first, second
        self.tiers = 2 if second.shape[0] else 1
        if (
            <size_t>first.shape[0] != self.rows.n
            or <size_t>first.shape[1] != self.groups + SCALARS_1
        ):
            raise ValueError(f"{first.shape[0]} codes of {self.rows.n} vectors")
        if self.tiers > 1 and (
            <size_t>second.shape[0] != self.rows.n
            or <size_t>second.shape[1] != self.groups + SCALARS_2
        ):
            raise ValueError(f"{second.shape[0]} second codes of {self.rows.n} vectors")

    cdef inline size_t wide(self, Batch *batch) noexcept nogil:
        """Return how many candidates are kept by the first estimate."""
        return ls_times(batch.depth, WIDER if self.tiers == 2 else 1)

    cdef bint prepare(self, Batch *batch, Scratch *scratch) noexcept nogil:
        cdef size_t room = ls_pool_room(self.wide(batch))
        scratch.held = <uint64_t *>ls_room(room, sizeof(uint64_t))
        return CodedPostings.prepare(self, batch, scratch) and scratch.held != NULL

    cdef void find(
        self, Batch *batch, size_t i, Wave *wave, Scratch *scratch, Ids ids
    ) noexcept nogil:
        cdef const uint32_t *probes = batch.probes + i * batch.m
        cdef uint32_t *survivors = survivors_of(batch, i, scratch)
        cdef ls_pool best
        cdef size_t j, row, count
        best.held = scratch.held
        ls_pool_clear(&best, self.wide(batch))
        for j in range(batch.counts[i]):
            if j + AHEAD < batch.counts[i]:
                row = self.rows.first[probes[j + AHEAD]]
                ls_prefetch(
                    &self.first[row, 0],
                    self.counts[probes[j + AHEAD]] * (self.groups + SCALARS_1),
                )
            row, count = self.rows.first[probes[j]], self.counts[probes[j]]
            kernels().estimates(
                &self.first[row, 0], count, &scratch.codes, batch.near[i * batch.m + j], scratch.block,
            )
            ls_pool_offer(&best, scratch.block, count, <uint32_t>row)
            batch.codes += count
        ls_pool_thin(&best)
        if self.tiers == 2:
            self.refine(&best, scratch)
            best.keep = batch.depth
            ls_pool_thin(&best)
        survivors[0] = <uint32_t>best.count
        for j in range(best.count):
            survivors[j + 1] = ls_key(best.held[j])
        best.keep = batch.k
        ls_pool_thin(&best)
        for j in range(best.count):
            ids.ask(ls_key(best.held[j]))

    cdef void refine(self, ls_pool *best, Scratch *scratch) noexcept nogil:
        """Replace the estimates by those of both codes.

        The first estimate gives back |q - c|^2 + addend, from which the second code goes on.
        """
        cdef size_t r, row, posting, of_first
        cdef Place record
        cdef const uint8_t *second
        cdef float sum_first, sum_second, scale, near
        cdef const float *tables = scratch.tables + 2 * self.groups * LS_POINTS
        for r in range(best.count):
            if r + SOON < best.count:
                ls_prefetch(&self.second[ls_key(best.held[r + SOON]), 0], 1)
            row = ls_key(best.held[r])
            posting = self.rows.owner(<uint32_t>row)
            of_first = self.rows.first[posting]
            record = place_in_tile(
                &self.first[of_first, 0], self.counts[posting], row - of_first, self.groups
            )
            second = &self.second[row, 0]
            sum_first = scratch.codes.base + scratch.codes.step * ls_small_sum(
                record.code, record.rows, &scratch.codes
            )
            sum_second = ls_code_sum(second, self.groups, tables)
            scale = self.scales[record.scale[0]]
            near = ls_dist(best.held[r]) + 2 * scale * sum_first
            near += self.addend(second + self.groups) - self.addend(record.addend)
            best.held[r] = ls_candidate(
                near - 2 * self.ratio * scale * (sum_first + sum_second), <uint32_t>row
            )

    cdef inline float addend(self, const uint8_t *at) noexcept nogil:
        cdef uint16_t half
        memcpy(&half, at, sizeof(half))
        return ls_half(half) * self.unit

    cdef void list_candidates(
        self, Batch *batch, size_t i, const Scratch *scratch
    ) noexcept nogil:
        cdef uint32_t *out = batch.candidates + i * batch.depth
        cdef size_t held = survivors_of(batch, i, scratch)[0], r
        ls_pool_order(scratch.held, held)
        for r in range(batch.depth):
            out[r] = ls_key(scratch.held[r]) if r < held else LS_NOBODY
