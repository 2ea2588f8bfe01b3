"""What the tiers of coded postings share, for those that search them."""

from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t

from longspan.cext.kernels cimport ls_codes
from longspan.cext.mapped cimport Ids, Rows
from longspan.cext.postings cimport Batch, Postings, Wave
from longspan.cext.tree cimport HeadTree, TreeQuery


# What one search needs beside its batch; a tier uses some of it.
cdef struct Scratch:
    float *tables        # (tiers, 2 groups, 16)
    uint8_t *small       # (2, groups, 16)  those of the first tier as bytes,
    ls_codes codes       # ... and what goes with them
    float *block         # distances of a posting
    TreeQuery query      # to find the distance of a head by (longspan.cext.heads_tier)
    uint32_t *survivors  # (2, depth + 1)  rows to rerank of this query and the one before; count first
    uint64_t *held       # of a pool of candidates (longspan.cext.codes_tier)
    float *dist          # (depth,)  the best candidates, and (longspan.cext.heads_tier)
    uint32_t *rows
    uint32_t *known      # (mask + 1,)  a hash table of postings,
    float *near          # (mask + 1,)  with the distance of their heads
    size_t mask, free
    uint32_t shift       # of Knuth's hash: its high bits mix all of the number's


cdef class CodedPostings(Postings):
    cdef const uint32_t[::1] copies
    cdef HeadTree tree
    cdef Rows rows
    cdef const float[:, :, :, ::1] books
    cdef const float[::1] scales
    cdef size_t groups, tiers
    cdef float unit, ratio

    cdef bint prepare(self, Batch *batch, Scratch *scratch) noexcept nogil
    cdef void find(
        self, Batch *batch, size_t i, Wave *wave, Scratch *scratch, Ids ids
    ) noexcept nogil
    cdef void list_candidates(
        self, Batch *batch, size_t i, const Scratch *scratch
    ) noexcept nogil
    cdef void tables_of(self, Batch *batch, size_t i, Scratch *scratch) noexcept nogil
    cdef void vectors_of(
        self, size_t posting, const void *query, float inverse, float *block
    ) noexcept nogil
    cdef void rerank(self, Batch *batch, size_t i, const uint32_t *survivors) noexcept nogil


cdef uint32_t *survivors_of(const Batch *batch, size_t i, const Scratch *scratch) noexcept nogil
