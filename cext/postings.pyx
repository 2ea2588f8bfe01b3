"""Postings of a mapped file: their pages are asked for in a wave ahead of use, raw ones scored.

The wave runs over all probes of a batch as one list, so a query's first postings arrive while the
last ones of the query before are scored. Of raw postings every entry is a vector, and a row may
stand in several; coded ones are longspan.cext.coded's.
"""

from cython cimport final
from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.stdlib cimport free

from longspan.cext.kernels cimport LS_DTYPES, LS_F16, LS_F32, kernels
from longspan.cext.mapped cimport Ids
from longspan.cext.pages cimport Asked, Checks, ls_major_faults
from longspan.cext.posting cimport inverses_at, numbers_at, posting_bytes
from longspan.cext.room cimport ls_room
from longspan.cext.topk cimport (
    ls_next_within, ls_topk, ls_topk_clear, ls_topk_push_once, ls_topk_sort,
)

# Postings that may be on their way at once: past 128 this disk gives no more, and at 4 pages each
# the wave is 2 MB. It is refilled when half of it has been scored.
cdef enum:
    WAVE = 128


cdef size_t whole_pages(size_t size) noexcept nogil:
    """Return the bytes of the pages that a posting of this size takes, its header included."""
    return (16 + size + 4095) & ~<size_t>4095


cdef class Postings:
    """The postings of one mapped shard, opened for scanning; keeps its arrays alive.

    mapped    the bytes of the file
    offsets   (h,)  where each posting starts
    counts    (h,)  its vectors
    dtype, dim, metric (0 l2, 1 ip, 2 cosine)  of the index
    sums      of the file's pages (longspan.cext.pages); None: they are not compared
    Raises ValueError when a posting lies outside the file.
    """

    def __init__(
        self,
        const unsigned char[::1] mapped,
        const uint64_t[::1] offsets,
        const uint32_t[::1] counts,
        int dtype,
        size_t dim,
        int metric,
        const uint32_t[::1] sums=None,
    ):
        cdef size_t i, size
        if not 0 <= dtype < LS_DTYPES or not L2 <= metric <= COSINE:
            raise ValueError(f"dtype code {dtype} or metric code {metric} is unknown")
        if offsets.shape[0] != counts.shape[0]:
            raise ValueError(f"{offsets.shape[0]} offsets, {counts.shape[0]} counts")
        self.mapped, self.offsets, self.counts = mapped, offsets, counts
        self.dtype, self.dim, self.metric = dtype, dim, metric
        self.row_bytes = dim * (4 if dtype == LS_F32 else 2 if dtype == LS_F16 else 1)
        self.query_bytes = dim * (4 if dtype == LS_F32 or dtype == LS_F16 else 1)
        self.asked = Asked(offsets.shape[0])
        self.checks = Checks(mapped, sums)
        for i in range(<size_t>offsets.shape[0]):
            size = self.bytes_of(i)
            self.longest = max(self.longest, counts[i])
            if (
                offsets[i] % 4 or size > <uint64_t>mapped.shape[0]
                or offsets[i] > <uint64_t>mapped.shape[0] - size
            ):
                raise ValueError(f"posting {i} starts at byte {offsets[i]} of {mapped.shape[0]}")

    def scan_every(
        self,
        const unsigned char[:, ::1] queries,  # IN   (nq, bytes)
        const float[::1] inverses,            # IN   (nq,)      1 / norm; empty unless cosine
        float[:, ::1] dist,                   # OUT  (nq, k)    nearest first, inf beyond the last
        uint32_t[:, ::1] rows,                # OUT  (nq, k)    2^32 - 1 beyond the last
    ):
        """Fill dist and rows from all postings, each read once, in file order, for all queries.

        returns  (postings read, vectors scored, bytes read)
        ValueError when shapes disagree, or a posting has not its checksum.
        """
        cdef size_t nq = queries.shape[0], k = dist.shape[1], h = self.counts.shape[0]
        cdef size_t asked = 0, posting, i, read = 0, vectors = 0
        cdef float inverse = 0
        cdef long faults
        cdef int64_t damaged = -1
        self.check(queries.shape[0], queries.shape[1], inverses.shape[0])
        if (
            dist.shape[0] != queries.shape[0] or rows.shape[0] != queries.shape[0]
            or dist.shape[1] != rows.shape[1] or k == 0
        ):
            raise ValueError(f"dist is {dist.shape[0]} x {k}, rows {rows.shape[0]}, {nq} queries")
        cdef float *block = self.new_block()
        with nogil:
            faults = ls_major_faults()
            for i in range(nq):
                ls_topk_clear(ls_topk(&dist[i, 0], &rows[i, 0], k))
            for posting in range(h):
                if asked <= posting + WAVE / 2:
                    while asked < min(posting + WAVE, h):
                        self.ask(asked)
                        asked += 1
                if not self.intact(posting):
                    damaged = posting
                    break
                for i in range(nq):
                    if self.metric == COSINE:
                        inverse = inverses[i]
                    self.score_exact(
                        posting, &queries[i, 0], inverse, ls_topk(&dist[i, 0], &rows[i, 0], k),
                        block,
                    )
                vectors += nq * self.counts[posting]
                read += nq * whole_pages(self.bytes_of(posting))
            for i in range(nq):
                ls_topk_sort(ls_topk(&dist[i, 0], &rows[i, 0], k))
            if ls_major_faults() != faults:
                self.missed()
        free(block)
        if damaged >= 0:
            raise self.fault(damaged)
        return nq * h, vectors, read

    cdef int check(self, Py_ssize_t nq, size_t query_bytes, Py_ssize_t inverses) except -1:
        """Raise ValueError unless queries fit the postings."""
        if inverses != (nq if self.metric == COSINE else 0):
            raise ValueError(f"{nq} queries, {inverses} inverses")
        if query_bytes != self.query_bytes:
            raise ValueError(f"queries have {query_bytes} bytes, want {self.query_bytes}")
        return 0

    cdef float *new_block(self) except NULL:
        """Return room for the distances of the longest posting."""
        cdef float *block = <float *>ls_room(self.longest, sizeof(float))
        if block == NULL:
            raise MemoryError(f"no memory for the distances of {self.longest} entries")
        return block

    cdef size_t bytes_of(self, size_t posting) noexcept nogil:
        """Return the bytes of a posting, without padding; its own kind knows."""
        return 0

    cdef bint answer(self, Batch *batch, float *block, Ids ids) noexcept nogil:
        """Fill the batch's rows and distances; its own kind knows how. False: no memory.

        ids  of the rows: those that are likely to be wanted may be asked for already
        """
        return False

    cdef void score_exact(
        self, size_t posting, const void *query, float inverse, ls_topk top, float *block,
    ) noexcept nogil:
        """Fold the vectors of a posting into the top k; its own kind knows how."""

    cdef void distances(
        self, const void *query, float inverse, const unsigned char *rows, const float *norms,
        size_t count, float *block,
    ) noexcept nogil:
        """Fill block with the distances of some rows: squared L2, -dot, or 1 - cosine.

        A cosine distance is 0 to 2 whatever rounding says, and 2 for what has no direction: a row
        of zeros, which only damage makes.
        """
        cdef size_t i
        cdef float near
        if self.metric == L2:
            kernels().l2[self.dtype](query, rows, count, self.dim, block)
            return
        kernels().dot[self.dtype](query, rows, count, self.dim, block)
        if self.metric == IP:
            for i in range(count):
                block[i] = -block[i]
        else:
            for i in range(count):
                near = 1 - block[i] * inverse * norms[i]
                near = near if near <= 2 else 2
                block[i] = near if near > 0 else 0

    cdef bint intact(self, size_t posting) noexcept nogil:
        """Return whether the pages of a posting have their checksums."""
        return self.checks.hold(&self.mapped[self.offsets[posting]], self.bytes_of(posting))

    cdef void missed(self) noexcept nogil:
        """Ask for, and check, everything anew: pages had been dropped."""
        self.asked.missed()
        self.checks.held.missed()

    cdef object fault(self, size_t posting):
        """Return the error for a posting that has not its checksum."""
        return self.checks.fault(f"posting {posting}")

    cdef void ask(self, size_t posting) noexcept nogil:
        """Start reading a posting."""
        self.asked.ask(posting, &self.mapped[self.offsets[posting]], self.bytes_of(posting))

    cdef void ask_ahead(self, Batch *batch, Wave *wave) noexcept nogil:
        """Fill the wave up when half of it has been scored."""
        if wave.ahead > WAVE / 2:
            return
        while wave.ahead < WAVE and wave.query < batch.nq:
            if wave.probe == batch.counts[wave.query]:
                wave.query += 1
                wave.probe = 0
            else:
                self.ask(batch.probes[wave.query * batch.m + wave.probe])
                wave.probe += 1
                wave.ahead += 1


@final
cdef class RawPostings(Postings):
    """The raw postings of one mapped shard; counts are their entries."""

    cdef size_t bytes_of(self, size_t posting) noexcept nogil:
        return posting_bytes(self.counts[posting], self.row_bytes, self.metric == COSINE)

    cdef bint answer(self, Batch *batch, float *block, Ids ids) noexcept nogil:
        """Score every probe of every query, the asking a wave ahead."""
        cdef size_t i, j, posting
        cdef long faults = ls_major_faults()
        cdef Wave wave = Wave(0, 0, 0)
        cdef ls_topk top
        cdef float inverse = 0
        for i in range(batch.nq):
            top = ls_topk(batch.dist + i * batch.k, batch.rows + i * batch.k, batch.k)
            ls_topk_clear(top)
            if self.metric == COSINE:
                inverse = batch.inverses[i]
            for j in range(batch.counts[i]):
                self.ask_ahead(batch, &wave)
                posting = batch.probes[i * batch.m + j]
                if not self.intact(posting):
                    batch.damaged = posting
                self.score_exact(
                    posting, batch.queries + i * self.query_bytes, inverse, top, block
                )
                wave.ahead -= 1
                batch.postings += 1
                batch.vectors += self.counts[posting]
                batch.bytes += whole_pages(self.bytes_of(posting))
            ls_topk_sort(top)
        if ls_major_faults() != faults:
            self.missed()
        return True

    cdef void score_exact(
        self, size_t posting, const void *query, float inverse, ls_topk top, float *block,
    ) noexcept nogil:
        """Fold one posting into the top k."""
        cdef const unsigned char *at = &self.mapped[self.offsets[posting]]
        cdef size_t count = self.counts[posting], i
        cdef const uint32_t *numbers = <const uint32_t *>(at + numbers_at(count, self.row_bytes))
        cdef const float *norms = <const float *>(at + inverses_at(count, self.row_bytes))
        self.distances(query, inverse, at, norms, count, block)
        i = ls_next_within(block, 0, count, top.dist[0])
        while i < count:
            ls_topk_push_once(top, block[i], numbers[i])
            i = ls_next_within(block, i + 1, count, top.dist[0])
