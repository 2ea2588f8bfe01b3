"""Search postings that hold vectors for their primary entries and codes for their copies.

How a search finds candidates depends on what is in memory, the tier:

    0  nothing but heads: a probe is read; its vectors are scored, its copies' codes estimated
       (longspan.cext.heads_tier)
    1  the first code of every vector: probes are not read, their vectors' codes are estimated
    2  both codes: the best by the first are estimated anew by both (longspan.cext.codes_tier)

Then the vectors of the best estimates are read, all pages asked for at once, and scored exactly.

The estimate is RaBitQ's (https://arxiv.org/abs/2405.12497, section 3), for any code. With x - c, the
vector less its head, coded as the direction p, scale = |x - c|^2 / <p, x - c> makes scale p unbiased:

    |q - x|^2  =  |q - c|^2 + |x - c|^2 - 2 <q - c, x - c>
               ~  |q - c|^2 + (|x - c|^2 + 2 scale <c, p>) - 2 scale <q, p>

The bracket is the addend, made at build time, so a query needs one table whatever the posting.
Inner product has an addend of its own (longspan.indexer.stages.codec).
"""

from libc.math cimport sqrt
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free
from libc.string cimport memset

from longspan.cext.kernels cimport (
    LS_GROUP, LS_POINTS, LS_SCALES, books_fit, books_of, kernels, ls_books, ls_codes,
)
from longspan.cext.mapped cimport Ids, Rows
from longspan.cext.pages cimport ls_major_faults
from longspan.cext.posting cimport coded_bytes, padded
from longspan.cext.postings cimport COSINE, Batch, Postings, Wave
from longspan.cext.room cimport ls_plus, ls_room, ls_times
from longspan.cext.topk cimport (
    ls_next_within, ls_topk, ls_topk_clear, ls_topk_push, ls_topk_sort,
)
from longspan.cext.tree cimport HeadTree


cdef class CodedPostings(Postings):
    """The coded postings of one mapped shard; counts are their primary entries.

    copies  (h,)  entries that are codes
    books   (tiers, 2 groups or 1, span, 16)  the points that a nibble of a code names
    groups  bytes of a code, an even number
    scales  (256,)  what the scale byte of a record means
    unit    of the addends
    ratio   scale of the second tier over that of the first
    tree    opened: a copy's code goes with its own head, not with the one it is found under
    """

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
        HeadTree tree not None,
        const uint32_t[::1] sums=None,
    ):
        cdef size_t i
        if copies.shape[0] != counts.shape[0] or books.shape[0] != 2 or scales.shape[0] != LS_SCALES:
            raise ValueError(f"{copies.shape[0]} copies, {books.shape[0]} books, {scales.shape[0]}")
        if groups % 2 or not books_fit(
            books.shape[1], books.shape[2], books.shape[3], groups
        ):
            raise ValueError(
                f"{groups} groups, books of {books.shape[1]} x {books.shape[2]} x {books.shape[3]}"
            )
        self.copies, self.books, self.scales = copies, books, scales
        self.groups, self.unit, self.ratio = groups, unit, ratio
        self.width = groups * LS_GROUP
        self.tiers = 1
        Postings.__init__(self, mapped, offsets, counts, dtype, dim, metric, sums)
        for i in range(<size_t>copies.shape[0]):
            self.longest = max(self.longest, copies[i])
        self.rows = Rows(mapped, offsets, counts, self.row_bytes)
        if tree.heads.shape[0] != counts.shape[0] or self.rows.n == 0:
            raise ValueError(f"{tree.heads.shape[0]} heads, {counts.shape[0]} postings")
        self.tree = tree

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

    cdef void vectors_of(
        self, size_t posting, const void *query, float inverse, float *block
    ) noexcept nogil:
        """Fill block with the exact distances of a posting's vectors."""
        cdef const unsigned char *at = &self.mapped[self.offsets[posting]]
        cdef size_t count = self.counts[posting]
        self.distances(
            query, inverse, at, <const float *>(at + padded(count * self.row_bytes)), count, block
        )

    cdef bint prepare(self, Batch *batch, Scratch *scratch) noexcept nogil:
        """Allocate what a search needs; return whether there was memory for it. Tiers want more."""
        scratch.tables = <float *>ls_room(
            ls_times(self.tiers, 2 * self.groups), LS_POINTS * sizeof(float)
        )
        scratch.small = <uint8_t *>ls_room(2 * self.groups, LS_POINTS)
        scratch.survivors = <uint32_t *>ls_room(ls_plus(batch.depth, 1), 2 * sizeof(uint32_t))
        return scratch.tables != NULL and scratch.small != NULL and scratch.survivors != NULL

    cdef void find(
        self, Batch *batch, size_t i, Wave *wave, Scratch *scratch, Ids ids
    ) noexcept nogil:
        """Fill a query's survivors, the rows to rerank; each tier knows how.

        Asks for the ids of the likely answers: they are read together with the survivors.
        """

    cdef void list_candidates(
        self, Batch *batch, size_t i, const Scratch *scratch
    ) noexcept nogil:
        """Write the candidates, best first, in place of an answer; 2^32 - 1 beyond the last."""

    cdef bint answer(self, Batch *batch, float *block, Ids ids) noexcept nogil:
        """Search query by query; one's vectors are read while the next one's are found."""
        cdef Scratch scratch
        cdef Wave wave = Wave(0, 0, 0)
        cdef long faults = ls_major_faults()
        cdef size_t i
        cdef uint32_t *survivors
        cdef int64_t pages
        memset(&scratch, 0, sizeof(scratch))
        cdef bint ready = self.prepare(batch, &scratch)
        scratch.block = block
        if ready:
            for i in range(batch.nq):
                ls_topk_clear(ls_topk(batch.dist + i * batch.k, batch.rows + i * batch.k, batch.k))
                self.tables_of(batch, i, &scratch)
                self.find(batch, i, &wave, &scratch, ids)
                if batch.candidates != NULL:
                    self.list_candidates(batch, i, &scratch)
                    continue
                survivors = survivors_of(batch, i, &scratch)
                pages = self.rows.ask(survivors + 1, survivors[0])
                batch.pages += pages
                batch.bytes += self.rows.page * pages
                if i > 0:
                    self.rerank(batch, i - 1, survivors_of(batch, i - 1, &scratch))
            if batch.candidates == NULL:
                self.rerank(batch, batch.nq - 1, survivors_of(batch, batch.nq - 1, &scratch))
        if ls_major_faults() != faults:
            self.missed()
            self.rows.asked.missed()
        free(scratch.tables)
        free(scratch.small)
        free(scratch.survivors)
        free(scratch.held)
        free(scratch.dist)
        free(scratch.rows)
        free(scratch.known)
        free(scratch.query.bytes)
        free(scratch.near)
        return ready

    cdef void tables_of(self, Batch *batch, size_t i, Scratch *scratch) noexcept nogil:
        """Make the query's tables, one for each tier in use."""
        cdef size_t tier, nibbles = 2 * self.groups
        cdef ls_books books
        for tier in range(self.tiers):
            books = books_of(self.books[tier], self.groups)
            kernels().tables(
                batch.turned + i * self.width, &books, scratch.tables + tier * nibbles * LS_POINTS
            )
        scratch.codes = ls_codes(scratch.small, &self.scales[0], 0, 0, self.unit, self.groups)
        kernels().small(
            scratch.tables, self.groups, scratch.small, &scratch.codes.base, &scratch.codes.step
        )

    cdef void rerank(self, Batch *batch, size_t i, const uint32_t *survivors) noexcept nogil:
        """Fold the exact distances of the survivors into the top k, and sort it."""
        cdef const unsigned char *query = batch.queries + i * self.query_bytes
        cdef float inverse = batch.inverses[i] if self.metric == COSINE else 0
        cdef ls_topk top = ls_topk(batch.dist + i * batch.k, batch.rows + i * batch.k, batch.k)
        cdef size_t r
        cdef uint32_t row
        cdef float norm = 0, dist
        cdef const unsigned char *at
        for r in range(1, survivors[0] + 1):
            row = survivors[r]
            at = self.rows.at(row)
            if not self.checks.hold(at, self.row_bytes):
                batch.damaged = self.rows.owner(row)
            if self.metric == COSINE:  # the stored one lies behind the posting, on another page
                norm = <float>(1 / sqrt(kernels().square[self.dtype](at, self.dim)))
            self.distances(query, inverse, at, &norm, 1, &dist)
            ls_topk_push(top, dist, row)
        batch.vectors += survivors[0]
        ls_topk_sort(top)


cdef uint32_t *survivors_of(const Batch *batch, size_t i, const Scratch *scratch) noexcept nogil:
    """Return a query's survivors: how many, then the rows."""
    return scratch.survivors + (i & 1) * (batch.depth + 1)
