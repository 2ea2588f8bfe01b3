"""Encode the entries of a posting into its bytes, and decode them again."""

from libc.stdint cimport uint32_t
from libc.string cimport memcpy

import numpy as np

from longspan.cext.layout cimport inverses_at, numbers_at, posting_bytes


def size(size_t count, size_t row_bytes, bint cosine):
    """The bytes of a posting of count entries, without padding."""
    return posting_bytes(count, row_bytes, cosine)


def encode(
    const unsigned char[:, ::1] rows,  # IN   (count, row bytes)  primary first
    const uint32_t[::1] numbers,       # IN   (count,)            their row numbers
    const float[::1] inverses,         # IN   (count,)            1 / norm; empty unless cosine
    unsigned char[::1] out,            # OUT  at least size() bytes; the rest is left alone
):
    """Fill out with the posting of the given entries. ValueError when shapes disagree."""
    cdef size_t count = rows.shape[0], row_bytes = rows.shape[1]
    cdef bint cosine = inverses.shape[0] > 0
    if numbers.shape[0] != rows.shape[0] or (cosine and inverses.shape[0] != rows.shape[0]):
        raise ValueError(f"{count} rows, {numbers.shape[0]} numbers, {inverses.shape[0]} inverses")
    if <size_t>out.shape[0] < posting_bytes(count, row_bytes, cosine) or count == 0:
        raise ValueError(f"{out.shape[0]} bytes for {count} entries of {row_bytes} bytes")
    with nogil:
        memcpy(&out[0], &rows[0, 0], count * row_bytes)
        memcpy(&out[numbers_at(count, row_bytes)], &numbers[0], count * sizeof(uint32_t))
        if cosine:
            memcpy(&out[inverses_at(count, row_bytes)], &inverses[0], count * sizeof(float))


def decode(const unsigned char[::1] blob, size_t count, size_t row_bytes, bint cosine):
    """Return copies of the rows (count, row bytes), numbers (count,) and inverses of a posting."""
    cdef size_t numbers = numbers_at(count, row_bytes), inverses = inverses_at(count, row_bytes)
    if <size_t>blob.shape[0] < posting_bytes(count, row_bytes, cosine):
        raise ValueError(f"{blob.shape[0]} bytes cannot hold {count} entries of {row_bytes} bytes")
    data = bytes(blob)
    return (
        np.frombuffer(data, np.uint8, count * row_bytes).reshape(count, row_bytes),
        np.frombuffer(data, np.uint32, count, numbers),
        np.frombuffer(data, np.float32, count if cosine else 0, inverses),
    )
