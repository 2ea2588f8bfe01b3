"""Read and score raw postings: every entry is a vector, and a row may stand in several."""

from libc.stdint cimport uint32_t
from libc.stdlib cimport free

from longspan.cext.layout cimport inverses_at, numbers_at, posting_bytes
from longspan.cext.pages cimport ls_major_faults
from longspan.cext.scanner cimport COSINE, Batch, Scanner, Wave, whole_pages
from longspan.cext.topk cimport (
    ls_next_within, ls_topk, ls_topk_clear, ls_topk_push_once, ls_topk_sort,
)


cdef class Postings(Scanner):
    """The raw postings of one mapped shard; counts are their entries."""

    def scan(
        self,
        const unsigned char[:, ::1] queries,  # IN   (nq, bytes)
        const float[::1] inverses,            # IN   (nq,)      1 / norm; empty unless cosine
        const uint32_t[:, ::1] probes,        # IN   (nq, m)    postings of each query, best first
        const uint32_t[::1] counts,           # IN   (nq,)      how many of them to read
        float[:, ::1] dist,                   # OUT  (nq, k)    nearest first, inf beyond the last
        uint32_t[:, ::1] rows,                # OUT  (nq, k)    2^32 - 1 beyond the last
    ):
        """Fill dist and rows with the k nearest entries; return what that took.

        returns  (postings read, entries scored, bytes read)

        A row that is stored in several postings appears once. Bytes are counted in whole pages.
        Releases the GIL. ValueError when shapes disagree, a probe is no posting, or a posting has not
        its checksum.
        """
        cdef Py_ssize_t nq = queries.shape[0], i, j
        cdef Batch batch
        self.check(nq, queries.shape[1], inverses.shape[0])
        if probes.shape[0] != nq or counts.shape[0] != nq:
            raise ValueError(f"{nq} queries, {probes.shape[0]} rows of probes")
        if (
            dist.shape[0] != nq or rows.shape[0] != nq or dist.shape[1] != rows.shape[1]
            or dist.shape[1] == 0
        ):
            raise ValueError(f"dist is {dist.shape[0]} x {dist.shape[1]}, rows {rows.shape[0]}")
        for i in range(nq):
            if counts[i] > probes.shape[1]:
                raise ValueError(f"query {i} reads {counts[i]} of {probes.shape[1]} probes")
            for j in range(counts[i]):
                if probes[i, j] >= self.counts.shape[0]:
                    raise ValueError(f"probe {probes[i, j]} of {self.counts.shape[0]} postings")
        if nq == 0:
            return 0, 0, 0
        batch.nq, batch.k, batch.m = nq, dist.shape[1], probes.shape[1]
        batch.queries, batch.probes, batch.counts = &queries[0, 0], &probes[0, 0], &counts[0]
        batch.inverses = &inverses[0] if self.metric == COSINE else NULL
        batch.dist, batch.rows = &dist[0, 0], &rows[0, 0]
        batch.postings = batch.vectors = batch.bytes = 0
        batch.damaged = -1
        cdef float *block = self.new_block()
        with nogil:
            self.answer(&batch, block)
        free(block)
        if batch.damaged >= 0:
            raise self.fault(batch.damaged)
        return batch.postings, batch.vectors, batch.bytes

    cdef size_t bytes_of(self, size_t posting) noexcept nogil:
        return posting_bytes(self.counts[posting], self.row_bytes, self.metric == COSINE)

    cdef bint answer(self, Batch *batch, float *block) noexcept nogil:
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
