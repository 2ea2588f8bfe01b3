"""Search postings that hold vectors for their primary entries and codes for their copies.

How a search goes depends on what is resident, the tier:

    0  nothing but heads: a probe is read; its vectors are scored, its copies' codes estimated
    1  the first code of every vector: probes are not read, their vectors' codes are estimated
    2  both codes: the best by the first are estimated anew by both

Then the vectors of the best estimates are read, all pages asked for at once, and scored exactly.

The estimate is RaBitQ's (https://arxiv.org/abs/2405.12497, section 3), for any code. With x - c, the
vector less its head, coded as the direction p, scale = |x - c|^2 / <p, x - c> makes scale p unbiased:

    |q - x|^2  =  |q - c|^2 + |x - c|^2 - 2 <q - c, x - c>
               ~  |q - c|^2 + (|x - c|^2 + 2 scale <c, p>) - 2 scale <q, p>

The bracket is the addend, made at build time, so a query needs one table whatever the posting.
Inner product has an addend of its own (longspan.indexer.codec).
"""

from libc.math cimport INFINITY
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, memset

from longspan.cext.kernels cimport LS_GROUP, LS_POINTS, kernels, ls_codes, ls_half
from longspan.cext.layout cimport SCALARS_1, SCALARS_2, coded_bytes, copies_at, padded
from longspan.cext.pages cimport ls_major_faults
from longspan.cext.pool cimport ls_pool, ls_pool_push, ls_pool_thin
from longspan.cext.rows cimport Rows
from longspan.cext.scanner cimport COSINE, IP, L2, Batch, Scanner, Wave, whole_pages
from longspan.cext.topk cimport (
    LS_NOBODY, ls_next_within, ls_topk, ls_topk_clear, ls_topk_heapify, ls_topk_push,
    ls_topk_push_once, ls_topk_sort,
)
from longspan.cext.tree cimport HeadTree

cdef enum:
    WIDER = 6  # candidates by the first code that get the second, for each one that is reranked


cdef float PROBED = -1
cdef enum:
    STRANGERS = 1024  # heads beyond the ranked ones whose distances are kept


# What one search needs beside its batch.
cdef struct Scratch:
    float *tables       # (tiers, groups, 256)
    float *block        # distances of a posting
    float *dist         # (2 wide,)  of the candidates
    uint32_t *rows
    uint32_t *survivors  # (2, depth + 1)  rows to rerank of this query and the one before; count first
    uint32_t *known     # (mask + 1,)  a hash table of postings,
    float *near         # (mask + 1,)  with the distance of their heads; PROBED when they are read
    size_t mask, free


cdef class Coded(Scanner):
    """The coded postings of one mapped shard; counts are their primary entries.

    copies      (h,)  entries that are codes
    books       (tiers, groups or 1, 8, 256)  the points that a byte of a code names
    groups      bytes of a code
    scales      (256,)  what the scale byte of a record means
    unit        of the addends
    ratio       scale of the second tier over that of the first
    first_tier  (n, groups + 3) records, when resident; else empty
    second_tier (n, groups + 2)
    tree        opened: a copy's code goes with its own head, not with the one it is found under
    """

    cdef const uint32_t[::1] copies
    cdef HeadTree tree
    cdef Rows rows
    cdef const float[:, :, :, ::1] books
    cdef const float[::1] scales
    cdef const uint8_t[:, ::1] first_tier, second_tier
    cdef size_t groups, shared
    cdef float unit, ratio
    cdef int tier

    def __init__(
        self,
        const unsigned char[::1] mapped,
        const uint64_t[::1] offsets,
        const uint32_t[::1] counts,
        int dtype,
        size_t dim,
        int metric,
        *,
        const uint32_t[::1] copies,
        const float[:, :, :, ::1] books,
        size_t groups,
        const float[::1] scales,
        float unit,
        float ratio,
        const uint8_t[:, ::1] first_tier,
        const uint8_t[:, ::1] second_tier,
        HeadTree tree not None,
    ):
        cdef size_t i, n = 0
        if copies.shape[0] != counts.shape[0] or books.shape[0] != 2 or scales.shape[0] != LS_POINTS:
            raise ValueError(f"{copies.shape[0]} copies, {books.shape[0]} books, {scales.shape[0]}")
        if books.shape[2] != LS_GROUP or books.shape[3] != LS_POINTS or (
            books.shape[1] != 1 and books.shape[1] != <Py_ssize_t>groups
        ):
            raise ValueError(f"books of {books.shape[1]} x {books.shape[2]} x {books.shape[3]}")
        self.copies, self.books, self.scales = copies, books, scales
        self.groups, self.unit, self.ratio = groups, unit, ratio
        self.width = groups * LS_GROUP
        self.shared = books.shape[1] == 1
        Scanner.__init__(self, mapped, offsets, counts, dtype, dim, metric)
        for i in range(<size_t>copies.shape[0]):
            self.longest = max(self.longest, copies[i])
        self.rows = Rows(mapped, offsets, counts, self.row_bytes)
        n = self.rows.n
        if tree.heads.shape[0] != counts.shape[0] or n == 0:
            raise ValueError(f"{tree.heads.shape[0]} heads, {counts.shape[0]} postings")
        self.tree = tree
        self.first_tier, self.second_tier = first_tier, second_tier
        self.tier = (first_tier.shape[0] > 0) + (first_tier.shape[0] > 0 < second_tier.shape[0])
        if self.tier > 0 and (
            <size_t>first_tier.shape[0] != n or <size_t>first_tier.shape[1] != groups + SCALARS_1
        ):
            raise ValueError(f"{first_tier.shape[0]} codes of {n} vectors")
        if self.tier > 1 and (
            <size_t>second_tier.shape[0] != n or <size_t>second_tier.shape[1] != groups + SCALARS_2
        ):
            raise ValueError(f"{second_tier.shape[0]} second codes of {n} vectors")

    cdef size_t bytes_of(self, size_t posting) noexcept nogil:
        return coded_bytes(
            self.counts[posting], self.copies[posting], self.row_bytes, self.metric == COSINE,
            self.groups,
        )

    cdef void score_exact(
        self, size_t posting, const void *query, float inverse, ls_topk top, float *block,
    ) noexcept nogil:
        """Fold the vectors of a posting into the top k."""
        cdef size_t count = self.counts[posting], i
        self.vectors_of(posting, query, inverse, block)
        i = ls_next_within(block, 0, count, top.dist[0])
        while i < count:
            ls_topk_push(top, block[i], self.rows.first[posting] + <uint32_t>i)
            i = ls_next_within(block, i + 1, count, top.dist[0])

    cdef inline void vectors_of(
        self, size_t posting, const void *query, float inverse, float *block
    ) noexcept nogil:
        """Fill block with the exact distances of a posting's vectors."""
        cdef const unsigned char *at = &self.mapped[self.offsets[posting]]
        cdef size_t count = self.counts[posting]
        self.distances(
            query, inverse, at, <const float *>(at + padded(count * self.row_bytes)), count, block
        )

    cdef inline size_t wide(self, Batch *batch) noexcept nogil:
        """Return how many candidates are kept by the first estimate."""
        return batch.depth * (WIDER if self.tier == 2 else 1)

    cdef bint prepare(self, Batch *batch, Scratch *scratch) noexcept nogil:
        """Allocate what a search needs; return whether there was memory for it."""
        cdef size_t wide = self.wide(batch)
        scratch.mask = 1
        while scratch.mask < 2 * (batch.m + STRANGERS):
            scratch.mask *= 2
        scratch.tables = <float *>malloc(2 * self.groups * LS_POINTS * sizeof(float))
        scratch.dist = <float *>malloc(2 * wide * sizeof(float))
        scratch.rows = <uint32_t *>malloc(2 * wide * sizeof(uint32_t))
        scratch.survivors = <uint32_t *>malloc(2 * (batch.depth + 1) * sizeof(uint32_t))
        scratch.known = <uint32_t *>malloc(scratch.mask * sizeof(uint32_t))
        scratch.near = <float *>malloc(scratch.mask * sizeof(float))
        scratch.mask -= 1
        return (
            scratch.tables != NULL and scratch.dist != NULL and scratch.rows != NULL
            and scratch.survivors != NULL and scratch.known != NULL and scratch.near != NULL
        )

    cdef bint answer(self, Batch *batch, float *block) noexcept nogil:
        """Search query by query; one's vectors are read while the next one's codes are scored."""
        cdef Scratch scratch
        cdef Wave wave = Wave(0, 0, 0)
        cdef long faults = ls_major_faults()
        cdef size_t i, each = batch.depth + 1
        cdef uint32_t *survivors
        cdef int64_t pages
        cdef bint ready = self.prepare(batch, &scratch)
        scratch.block = block
        if ready:
            for i in range(batch.nq):
                ls_topk_clear(ls_topk(batch.dist + i * batch.k, batch.rows + i * batch.k, batch.k))
                if self.tier == 0:
                    self.read_probes(batch, i, &wave, &scratch)
                else:
                    self.scan_codes(batch, i, &scratch)
                survivors = scratch.survivors + (i & 1) * each
                if batch.candidates != NULL:
                    self.list_candidates(batch, i, &scratch)
                    continue
                pages = self.rows.ask(survivors + 1, survivors[0])
                batch.pages += pages
                batch.bytes += 4096 * pages
                if i > 0:
                    self.rerank(batch, i - 1, scratch.survivors + ((i - 1) & 1) * each)
            if batch.candidates == NULL:
                self.rerank(batch, batch.nq - 1, scratch.survivors + ((batch.nq - 1) & 1) * each)
        if ls_major_faults() != faults:
            self.asked.missed()
            self.rows.asked.missed()
        free(scratch.tables)
        free(scratch.dist)
        free(scratch.rows)
        free(scratch.survivors)
        free(scratch.known)
        free(scratch.near)
        return ready

    cdef void tables_of(self, Batch *batch, size_t i, Scratch *scratch) noexcept nogil:
        """Make the query's tables, one for each tier in use."""
        cdef size_t tier
        for tier in range(2 if self.tier == 2 else 1):
            kernels().tables(
                batch.turned + i * self.groups * LS_GROUP, &self.books[tier, 0, 0, 0], self.groups,
                self.shared, scratch.tables + tier * self.groups * LS_POINTS,
            )

    cdef inline float addend(self, const uint8_t *at) noexcept nogil:
        cdef uint16_t half
        memcpy(&half, at, sizeof(half))
        return ls_half(half) * self.unit

    cdef void read_probes(
        self, Batch *batch, size_t i, Wave *wave, Scratch *scratch
    ) noexcept nogil:
        """Score the vectors of the probes, then find copies that may be nearer than they are.

        The candidates are the best `depth` of vectors and codes together, in the head space; of
        these, the ones whose own posting is not among the probes survive.
        """
        cdef const uint32_t *probes = batch.probes + i * batch.m
        cdef const float *near = batch.near + i * batch.m
        cdef ls_topk best = ls_topk(scratch.dist, scratch.rows, batch.depth)
        cdef uint32_t *survivors = scratch.survivors + (i & 1) * (batch.depth + 1)
        cdef size_t j, r
        ls_topk_clear(best)
        memset(scratch.known, 0xff, (scratch.mask + 1) * sizeof(uint32_t))
        scratch.free = STRANGERS
        self.tables_of(batch, i, scratch)
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
        cdef float slope = 1 if self.metric == L2 else 2
        cdef float shift = batch.squares[i] if self.metric == IP else 0
        cdef ls_topk top = ls_topk(batch.dist + i * batch.k, batch.rows + i * batch.k, batch.k)
        cdef size_t count = self.counts[posting], r
        cdef uint32_t row = self.rows.first[posting]
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
        cdef ls_codes codes = ls_codes(scratch.tables, &self.scales[0], self.unit, self.groups)
        cdef float nearest = batch.near[i * batch.m], near
        kernels().estimates(<const uint8_t *>(numbers + count), count, &codes, 0, scratch.block)
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
        cdef float near
        if scratch.known[at] != LS_NOBODY:
            return scratch.near[at]
        kernels().l2[self.tree.dtype](
            batch.lifted + i * self.tree.query_bytes, &self.tree.heads[posting, 0], 1,
            self.tree.dim, &near,
        )
        if scratch.free:
            scratch.free -= 1
            scratch.known[at], scratch.near[at] = posting, near
        return near

    cdef void scan_codes(self, Batch *batch, size_t i, Scratch *scratch) noexcept nogil:
        """Find the vectors with the best estimates among the resident codes of the probes."""
        cdef const uint32_t *probes = batch.probes + i * batch.m
        cdef ls_pool best = ls_pool(scratch.dist, scratch.rows, self.wide(batch), 0, INFINITY)
        cdef uint32_t *survivors = scratch.survivors + (i & 1) * (batch.depth + 1)
        cdef ls_codes codes = ls_codes(scratch.tables, &self.scales[0], self.unit, self.groups)
        cdef size_t j, r, posting, count
        self.tables_of(batch, i, scratch)
        for j in range(batch.counts[i]):
            posting = probes[j]
            count = self.counts[posting]
            kernels().estimates(
                &self.first_tier[self.rows.first[posting], 0], count, &codes,
                batch.near[i * batch.m + j], scratch.block,
            )
            batch.codes += count
            r = ls_next_within(scratch.block, 0, count, best.bound)
            while r < count:
                ls_pool_push(&best, scratch.block[r], self.rows.first[posting] + <uint32_t>r)
                r = ls_next_within(scratch.block, r + 1, count, best.bound)
        ls_pool_thin(&best)
        if self.tier == 2:
            self.refine(&best, scratch)
            best.keep = batch.depth
            ls_pool_thin(&best)
        survivors[0] = <uint32_t>best.held
        memcpy(survivors + 1, best.key, best.held * sizeof(uint32_t))

    cdef void refine(self, ls_pool *best, Scratch *scratch) noexcept nogil:
        """Replace the estimates by those of both codes.

        The first estimate gives back |q - c|^2 + addend, from which the second code goes on.
        """
        cdef size_t r, row
        cdef const uint8_t *record
        cdef const uint8_t *second
        cdef float sum_first, sum_second, scale, near
        cdef const float *tables = scratch.tables + self.groups * LS_POINTS
        for r in range(best.held):
            row = best.key[r]
            record = &self.first_tier[row, 0]
            second = &self.second_tier[row, 0]
            kernels().sums(record, 0, 1, self.groups, scratch.tables, &sum_first)
            kernels().sums(second, 0, 1, self.groups, tables, &sum_second)
            scale = self.scales[record[self.groups]]
            near = best.dist[r] - self.addend(record + self.groups + 1) + 2 * scale * sum_first
            best.dist[r] = (
                near + self.addend(second + self.groups)
                - 2 * self.ratio * scale * (sum_first + sum_second)
            )

    cdef void list_candidates(self, Batch *batch, size_t i, Scratch *scratch) noexcept nogil:
        """Write the candidates, best first, in place of an answer; 2^32 - 1 beyond the last."""
        cdef uint32_t *out = batch.candidates + i * batch.depth
        cdef size_t held = batch.depth, r
        if self.tier:
            held = scratch.survivors[(i & 1) * (batch.depth + 1)]
        cdef ls_topk best = ls_topk(scratch.dist, scratch.rows, held)
        ls_topk_heapify(best)
        ls_topk_sort(best)
        for r in range(batch.depth):
            out[r] = best.key[r] if r < held else LS_NOBODY

    cdef void rerank(self, Batch *batch, size_t i, const uint32_t *survivors) noexcept nogil:
        """Fold the exact distances of the survivors into the top k, and sort it."""
        cdef const unsigned char *query = batch.queries + i * self.query_bytes
        cdef float inverse = batch.inverses[i] if self.metric == COSINE else 0
        cdef ls_topk top = ls_topk(batch.dist + i * batch.k, batch.rows + i * batch.k, batch.k)
        cdef size_t r
        cdef uint32_t posting, row
        cdef const float *norms
        cdef float dist
        for r in range(1, survivors[0] + 1):
            row = survivors[r]
            posting = self.rows.owner(row)
            norms = <const float *>(
                &self.mapped[self.offsets[posting]] + padded(self.counts[posting] * self.row_bytes)
            )
            self.distances(
                query, inverse, self.rows.at(row), norms + (row - self.rows.first[posting]), 1,
                &dist,
            )
            ls_topk_push(top, dist, row)
        batch.vectors += survivors[0]
        ls_topk_sort(top)


cdef inline size_t place_of(const Scratch *scratch, uint32_t posting) noexcept nogil:
    """Return where a posting is in the hash table, or would be: open addressing, Knuth's hash."""
    cdef size_t at = (posting * <uint32_t>2654435769) & scratch.mask
    while scratch.known[at] != LS_NOBODY and scratch.known[at] != posting:
        at = (at + 1) & scratch.mask
    return at
