"""The bytes of postings and codes, laid out here and nowhere else (docs/format.md in words).

A raw posting:

    rows      count x dim elements of the index's dtype; primary entries first, nearest first
    (to the next multiple of 4)
    numbers   count x uint32: the row number of each entry
    inverses  count x float32, cosine only: 1 / |x|
    (zeros to the end of the last page)

A coded posting has vectors for its primary entries alone, whose row numbers follow each other:

    rows      primary x dim elements, nearest first
    (to the next multiple of 4)
    inverses  primary x float32, cosine only
    numbers   copies x uint32: the row number of each copy
    records   copies x (groups + 3) bytes, in tiles
    (zeros to the end of the last page)

A record of the first tier is the code, a byte a group; uint8 scale; float16 addend. Those of a
posting lie in tiles of 16, the last of what is left (kernel_scan.h): byte g of all codes for each
group g, then the scales, then the addends. One of the second tier is the code and the addend.
"""

from libc.stdint cimport uint8_t, uint32_t

from longspan.cext.kernels cimport LS_TILE


cdef enum:
    SCALARS_1 = 3  # bytes behind a code of the first tier
    SCALARS_2 = 2


cdef inline size_t padded(size_t size) noexcept nogil:
    """Return the next multiple of 4."""
    return (size + 3) & ~<size_t>3


cdef inline size_t numbers_at(size_t count, size_t row_bytes) noexcept nogil:
    """Return where the row numbers of a raw posting start."""
    return padded(count * row_bytes)


cdef inline size_t inverses_at(size_t count, size_t row_bytes) noexcept nogil:
    """Return where the inverse norms of a raw posting start: behind the row numbers."""
    return numbers_at(count, row_bytes) + count * sizeof(uint32_t)


cdef inline size_t posting_bytes(size_t count, size_t row_bytes, bint cosine) noexcept nogil:
    """Return the bytes of a raw posting without its padding."""
    return inverses_at(count, row_bytes) + (count * sizeof(float) if cosine else 0)


cdef inline size_t copies_at(size_t primary, size_t row_bytes, bint cosine) noexcept nogil:
    """Return where the row numbers of a coded posting's copies start."""
    return padded(primary * row_bytes) + (primary * sizeof(float) if cosine else 0)


cdef inline size_t records_at(
    size_t primary, size_t copies, size_t row_bytes, bint cosine
) noexcept nogil:
    """Return where the records of a coded posting's copies start."""
    return copies_at(primary, row_bytes, cosine) + copies * sizeof(uint32_t)


cdef inline size_t coded_bytes(
    size_t primary, size_t copies, size_t row_bytes, bint cosine, size_t groups
) noexcept nogil:
    """Return the bytes of a coded posting without its padding."""
    return records_at(primary, copies, row_bytes, cosine) + copies * (groups + SCALARS_1)


cdef struct Place:  # of the record of a row, in a tile
    const uint8_t *code  # its first byte; the others follow every `rows`
    const uint8_t *scale
    const uint8_t *addend
    size_t rows  # of the tile


cdef inline Place place_in_tile(
    const uint8_t *records, size_t n, size_t at, size_t groups
) noexcept nogil:
    """Return where record `at` of the n of a posting is."""
    cdef size_t first = at - at % LS_TILE
    cdef size_t rows = n - first if n - first < LS_TILE else LS_TILE
    cdef const uint8_t *tile = records + first * (groups + SCALARS_1)
    cdef const uint8_t *scales = tile + groups * rows
    return Place(
        tile + (at - first), scales + (at - first), scales + rows + 2 * (at - first), rows
    )
