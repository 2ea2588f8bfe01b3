"""What raw and coded postings share, and what a search asks of either."""

from cython cimport final
from libc.stdint cimport int64_t, uint32_t, uint64_t

from longspan.cext.mapped cimport Ids
from longspan.cext.pages cimport Asked, Checks
from longspan.cext.topk cimport ls_topk


cpdef enum:
    L2
    IP
    COSINE


# Queries with the postings they read, and where the answers go; all rows are contiguous.
cdef struct Batch:
    size_t nq, k, m
    const unsigned char *queries  # (nq, bytes)  as the kernels take them
    const float *inverses         # (nq,)     1 / norm; cosine only
    const uint32_t *probes        # (nq, m)   postings, best first
    const float *near             # (nq, m)   squared L2 of their heads, in the head space
    const uint32_t *counts        # (nq,)     how many of them to read
    const unsigned char *lifted   # (nq, bytes)  in the head space
    const float *turned           # (nq, groups * 8)  as the codes' books take them; codes only
    const float *slopes           # (nq,)     with shifts, they make an exact distance one of the
    const float *shifts           # (nq,)     ... head space; codes with ip only
    size_t depth                  # candidates that get an exact distance; codes only
    float *dist                   # (nq, k)   OUT
    uint32_t *rows                # (nq, k)   OUT
    uint32_t *candidates          # (nq, depth)  OUT, in place of answers; NULL: answers
    # What it took, OUT: postings read, vectors and codes scored, bytes asked for, and pages of
    # candidates alone
    int64_t postings, vectors, codes, bytes, pages
    int64_t foreign               # OUT  a row that a damaged posting names and nobody has; or -1
    int64_t damaged               # OUT  a posting that has not its checksum; or -1


# How far the asking has come over the probes of a batch, taken as one list.
cdef struct Wave:
    size_t query, probe, ahead


cdef class Postings:
    cdef const unsigned char[::1] mapped
    cdef const uint64_t[::1] offsets
    cdef const uint32_t[::1] counts
    cdef size_t dim, row_bytes, query_bytes, longest
    cdef size_t width  # values of a turned query; 0 without codes
    cdef int dtype, metric
    cdef Asked asked
    cdef readonly Checks checks

    cdef size_t bytes_of(self, size_t posting) noexcept nogil
    cdef bint answer(self, Batch *batch, float *block, Ids ids) noexcept nogil
    cdef void score_exact(
        self, size_t posting, const void *query, float inverse, ls_topk top, float *block,
    ) noexcept nogil
    cdef void distances(
        self, const void *query, float inverse, const unsigned char *rows, const float *norms,
        size_t count, float *block,
    ) noexcept nogil
    cdef bint intact(self, size_t posting) noexcept nogil
    cdef void missed(self) noexcept nogil
    cdef object fault(self, size_t posting)
    cdef void ask(self, size_t posting) noexcept nogil
    cdef void ask_ahead(self, Batch *batch, Wave *wave) noexcept nogil
    cdef int check(self, Py_ssize_t nq, size_t query_bytes, Py_ssize_t inverses) except -1
    cdef float *new_block(self) except NULL


@final
cdef class RawPostings(Postings):
    pass


cdef size_t whole_pages(size_t size) noexcept nogil
