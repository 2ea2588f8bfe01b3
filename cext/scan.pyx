"""Read and score postings: their pages are asked for in a sliding wave, ahead of the scoring.

The wave runs over all probes of a batch as one list, so a query's first postings arrive while the
last ones of the query before are scored.
"""

from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc

from longspan.cext.kernels cimport LS_DTYPES, LS_F16, LS_F32, kernels
from longspan.cext.layout cimport inverses_at, numbers_at, posting_bytes
from longspan.cext.pages cimport Asked, ls_major_faults
from longspan.cext.topk cimport (
    ls_next_within, ls_topk, ls_topk_clear, ls_topk_push_once, ls_topk_sort,
)

# Postings that may be on their way at once: past 128 this disk gives no more, and at 4 pages each
# the wave is 2 MB. It is refilled when half of it has been scored.
cdef enum:
    WAVE = 128

cdef enum:
    L2
    IP
    COSINE


cdef class Postings:
    """The postings of one mapped shard, opened for scanning; keeps its arrays alive.

    mapped    the bytes of the file
    offsets   (h,)  where each posting starts
    counts    (h,)  its entries
    dtype, dim, metric (0 l2, 1 ip, 2 cosine)  of the index
    Raises ValueError when a posting lies outside the file.
    """

    cdef const unsigned char[::1] mapped
    cdef const uint64_t[::1] offsets
    cdef const uint32_t[::1] counts
    cdef size_t dim, row_bytes, query_bytes, longest
    cdef int dtype, metric
    cdef Asked asked

    def __init__(
        self,
        const unsigned char[::1] mapped,
        const uint64_t[::1] offsets,
        const uint32_t[::1] counts,
        int dtype,
        size_t dim,
        int metric,
    ):
        cdef Py_ssize_t i
        if not 0 <= dtype < LS_DTYPES or not L2 <= metric <= COSINE:
            raise ValueError(f"dtype code {dtype} or metric code {metric} is unknown")
        if offsets.shape[0] != counts.shape[0]:
            raise ValueError(f"{offsets.shape[0]} offsets, {counts.shape[0]} counts")
        self.mapped, self.offsets, self.counts = mapped, offsets, counts
        self.dtype, self.dim, self.metric = dtype, dim, metric
        self.row_bytes = dim * (4 if dtype == LS_F32 else 2 if dtype == LS_F16 else 1)
        self.query_bytes = dim * (4 if dtype == LS_F32 or dtype == LS_F16 else 1)
        self.asked = Asked(offsets.shape[0])
        for i in range(offsets.shape[0]):
            self.longest = max(self.longest, counts[i])
            if (
                offsets[i] % 4 or self.bytes_of(i) > <uint64_t>mapped.shape[0]
                or offsets[i] > <uint64_t>mapped.shape[0] - self.bytes_of(i)
            ):
                raise ValueError(f"posting {i} starts at byte {offsets[i]} of {mapped.shape[0]}")

    cdef inline size_t bytes_of(self, size_t posting) noexcept nogil:
        return posting_bytes(self.counts[posting], self.row_bytes, self.metric == COSINE)

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
        Releases the GIL. ValueError when shapes disagree or a probe is no posting.
        """
        cdef size_t i, j
        cdef int64_t spent[3]
        self.check(queries, inverses, dist, rows)
        if probes.shape[0] != queries.shape[0] or counts.shape[0] != queries.shape[0]:
            raise ValueError(f"{queries.shape[0]} queries, {probes.shape[0]} rows of probes")
        for i in range(<size_t>queries.shape[0]):
            if counts[i] > probes.shape[1]:
                raise ValueError(f"query {i} reads {counts[i]} of {probes.shape[1]} probes")
            for j in range(counts[i]):
                if probes[i, j] >= self.counts.shape[0]:
                    raise ValueError(f"probe {probes[i, j]} of {self.counts.shape[0]} postings")
        cdef float *block = self.new_block()
        spent[0] = spent[1] = spent[2] = 0
        with nogil:
            self.scan_probes(queries, inverses, probes, counts, dist, rows, block, spent)
        free(block)
        return spent[0], spent[1], spent[2]

    def scan_every(
        self,
        const unsigned char[:, ::1] queries,  # IN   (nq, bytes)
        const float[::1] inverses,            # IN   (nq,)      1 / norm; empty unless cosine
        float[:, ::1] dist,                   # OUT  (nq, k)    nearest first, inf beyond the last
        uint32_t[:, ::1] rows,                # OUT  (nq, k)    2^32 - 1 beyond the last
    ):
        """Do the same over all postings: each is read once, in file order, for all queries."""
        cdef int64_t spent[3]
        self.check(queries, inverses, dist, rows)
        cdef float *block = self.new_block()
        spent[0] = spent[1] = spent[2] = 0
        with nogil:
            self.scan_file(queries, inverses, dist, rows, block, spent)
        free(block)
        return spent[0], spent[1], spent[2]

    cdef int check(
        self, const unsigned char[:, ::1] queries, const float[::1] inverses,
        float[:, ::1] dist, uint32_t[:, ::1] rows,
    ) except -1:
        """Raise ValueError unless queries and results fit each other and the postings."""
        cdef Py_ssize_t nq = queries.shape[0]
        if (
            inverses.shape[0] != (nq if self.metric == COSINE else 0)
            or dist.shape[0] != nq or rows.shape[0] != nq
        ):
            raise ValueError(f"{nq} queries, but another argument has another length")
        if <size_t>queries.shape[1] != self.query_bytes:
            raise ValueError(f"queries have {queries.shape[1]} bytes, want {self.query_bytes}")
        if dist.shape[1] != rows.shape[1] or dist.shape[1] == 0:
            raise ValueError(f"dist is {dist.shape[1]} wide, rows {rows.shape[1]}")
        return 0

    cdef float *new_block(self) except NULL:
        """Return room for the distances of the longest posting."""
        cdef float *block = <float *>malloc(max(self.longest, 1) * sizeof(float))
        if block == NULL:
            raise MemoryError(f"no memory for the distances of {self.longest} entries")
        return block

    cdef void scan_probes(
        self, const unsigned char[:, ::1] queries, const float[::1] inverses,
        const uint32_t[:, ::1] probes, const uint32_t[::1] counts,
        float[:, ::1] dist, uint32_t[:, ::1] rows, float *block, int64_t *spent,
    ) noexcept nogil:
        """Score every probe of every query, the asking a wave ahead."""
        cdef size_t nq = queries.shape[0], i, j
        cdef size_t ask_query = 0, ask_probe = 0, ahead = 0
        cdef long faults = ls_major_faults()
        cdef float inverse = 0
        cdef ls_topk top
        for i in range(nq):
            top = ls_topk(&dist[i, 0], &rows[i, 0], dist.shape[1])
            ls_topk_clear(top)
            if self.metric == COSINE:
                inverse = inverses[i]
            for j in range(counts[i]):
                if ahead <= WAVE / 2:
                    while ahead < WAVE and ask_query < nq:
                        if ask_probe == counts[ask_query]:
                            ask_query += 1
                            ask_probe = 0
                            continue
                        self.ask(probes[ask_query, ask_probe])
                        ask_probe += 1
                        ahead += 1
                self.score(probes[i, j], &queries[i, 0], inverse, top, block, spent)
                ahead -= 1
            ls_topk_sort(top)
        if ls_major_faults() != faults:
            self.asked.missed()

    cdef void scan_file(
        self, const unsigned char[:, ::1] queries, const float[::1] inverses,
        float[:, ::1] dist, uint32_t[:, ::1] rows, float *block, int64_t *spent,
    ) noexcept nogil:
        """Score every posting for every query, the asking a wave ahead."""
        cdef size_t nq = queries.shape[0], k = dist.shape[1], h = self.counts.shape[0]
        cdef size_t asked = 0, posting, i
        cdef long faults = ls_major_faults()
        cdef float inverse = 0
        for i in range(nq):
            ls_topk_clear(ls_topk(&dist[i, 0], &rows[i, 0], k))
        for posting in range(h):
            if asked <= posting + WAVE / 2:
                while asked < min(posting + WAVE, h):
                    self.ask(asked)
                    asked += 1
            for i in range(nq):
                if self.metric == COSINE:
                    inverse = inverses[i]
                self.score(
                    posting, &queries[i, 0], inverse, ls_topk(&dist[i, 0], &rows[i, 0], k), block,
                    spent,
                )
        for i in range(nq):
            ls_topk_sort(ls_topk(&dist[i, 0], &rows[i, 0], k))
        if ls_major_faults() != faults:
            self.asked.missed()

    cdef inline void ask(self, size_t posting) noexcept nogil:
        self.asked.ask(posting, &self.mapped[self.offsets[posting]], self.bytes_of(posting))

    cdef inline void score(
        self, size_t posting, const void *query, float inverse, ls_topk top, float *block,
        int64_t *spent,
    ) noexcept nogil:
        """Fold one posting into the top k."""
        cdef const unsigned char *at = &self.mapped[self.offsets[posting]]
        cdef size_t count = self.counts[posting], i
        cdef const uint32_t *numbers = <const uint32_t *>(at + numbers_at(count, self.row_bytes))
        cdef const float *norms = <const float *>(at + inverses_at(count, self.row_bytes))
        if self.metric == L2:
            kernels().l2[self.dtype](query, at, count, self.dim, block)
        else:
            kernels().dot[self.dtype](query, at, count, self.dim, block)
        if self.metric == IP:
            for i in range(count):
                block[i] = -block[i]
        elif self.metric == COSINE:
            for i in range(count):
                block[i] = 1 - block[i] * inverse * norms[i]
        i = ls_next_within(block, 0, count, top.dist[0])
        while i < count:
            ls_topk_push_once(top, block[i], numbers[i])
            i = ls_next_within(block, i + 1, count, top.dist[0])
        spent[0] += 1
        spent[1] += count
        spent[2] += (16 + self.bytes_of(posting) + 4095) & ~<size_t>4095
