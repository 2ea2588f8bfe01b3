"""The bytes of a raw posting, laid out here and nowhere else (docs/format.md says it in words).

    rows      count x dim elements of the index's dtype; primary entries first, nearest first
    (to the next multiple of 4)
    numbers   count x uint32: the row number of each entry
    inverses  count x float32, cosine only: 1 / |x|
    (zeros to the end of the last page)
"""

from libc.stdint cimport uint32_t


cdef inline size_t numbers_at(size_t count, size_t row_bytes) noexcept nogil:
    """Return where the row numbers start."""
    return (count * row_bytes + 3) & ~<size_t>3


cdef inline size_t inverses_at(size_t count, size_t row_bytes) noexcept nogil:
    """Return where the inverse norms start: behind the row numbers."""
    return numbers_at(count, row_bytes) + count * sizeof(uint32_t)


cdef inline size_t posting_bytes(size_t count, size_t row_bytes, bint cosine) noexcept nogil:
    """Return the bytes of a posting without its padding."""
    return inverses_at(count, row_bytes) + (count * sizeof(float) if cosine else 0)
