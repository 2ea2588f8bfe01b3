"""The bytes of a posting, raw or coded: its entries are encoded, and decoded again."""

from libc.stdint cimport uint32_t
from libc.string cimport memcpy

import numpy as np


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


def coded_size(size_t primary, size_t copies, size_t row_bytes, bint cosine, size_t groups):
    """The bytes of a coded posting without padding."""
    return coded_bytes(primary, copies, row_bytes, cosine, groups)


def encode_coded(
    const unsigned char[:, ::1] rows,     # IN   (primary, row bytes)
    const float[::1] inverses,            # IN   (primary,)            empty unless cosine
    const uint32_t[::1] numbers,          # IN   (copies,)             their row numbers
    const unsigned char[:, ::1] records,  # IN   (copies, groups + 3)
    unsigned char[::1] out,               # OUT  at least coded_size() bytes; the rest is left alone
):
    """Fill out with a coded posting. ValueError when shapes disagree."""
    cdef size_t primary = rows.shape[0], row_bytes = rows.shape[1], copies = numbers.shape[0]
    cdef bint cosine = inverses.shape[0] > 0
    if records.shape[0] != numbers.shape[0] or (cosine and inverses.shape[0] != rows.shape[0]):
        raise ValueError(f"{primary} rows, {inverses.shape[0]} inverses, {copies} copies")
    if primary == 0 or records.shape[1] <= SCALARS_1 or <size_t>out.shape[0] < coded_bytes(
        primary, copies, row_bytes, cosine, records.shape[1] - SCALARS_1
    ):
        raise ValueError(f"{out.shape[0]} bytes for {primary} rows and {copies} copies")
    memcpy(&out[0], &rows[0, 0], primary * row_bytes)
    if cosine:
        memcpy(&out[padded(primary * row_bytes)], &inverses[0], primary * sizeof(float))
    if copies:
        memcpy(
            &out[copies_at(primary, row_bytes, cosine)], &numbers[0], copies * sizeof(uint32_t)
        )
        memcpy(
            &out[records_at(primary, copies, row_bytes, cosine)], &records[0, 0],
            copies * records.shape[1],
        )


def decode_coded(
    const unsigned char[::1] blob, size_t primary, size_t copies, size_t row_bytes, bint cosine,
    size_t groups,
):
    """Return copies of the rows, inverses, numbers and records of a coded posting."""
    if <size_t>blob.shape[0] < coded_bytes(primary, copies, row_bytes, cosine, groups):
        raise ValueError(f"{blob.shape[0]} bytes cannot hold {primary} vectors, {copies} copies")
    data = bytes(blob)
    count = copies * (groups + SCALARS_1)
    at = records_at(primary, copies, row_bytes, cosine)
    return (
        np.frombuffer(data, np.uint8, primary * row_bytes).reshape(primary, row_bytes),
        np.frombuffer(
            data, np.float32, primary if cosine else 0, padded(primary * row_bytes)
        ),
        np.frombuffer(data, np.uint32, copies, copies_at(primary, row_bytes, cosine)),
        np.frombuffer(data, np.uint8, count, at).reshape(copies, groups + SCALARS_1),
    )
