"""The bytes of a posting, raw or coded: its entries are encoded, and decoded again."""

from libc.stdint cimport int64_t, uint8_t, uint32_t
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


def tile(
    const unsigned char[:, ::1] records,  # IN   (n, groups + 3)  one after the other
    const uint32_t[::1] counts,           # IN   (postings,)      how many each posting has
    unsigned char[:, ::1] out,            # OUT  (n, groups + 3)  those of each posting in tiles
):
    """Fill out with the records of some postings as they are stored."""
    cdef size_t n = records.shape[0], size = records.shape[1], done = 0, i, p
    if out.shape[0] != records.shape[0] or out.shape[1] != records.shape[1] or size <= SCALARS_1:
        raise ValueError(f"{n} records of {size} bytes, out is {out.shape[0]} x {out.shape[1]}")
    for i in range(<size_t>counts.shape[0]):
        if counts[i] > n - done:
            raise ValueError(f"{n} records, counts of {counts.shape[0]} postings add up to more")
        for p in range(counts[i]):
            put(&records[done + p, 0], &out[done, 0], counts[i], p, size - SCALARS_1)
        done += counts[i]
    if done != n:
        raise ValueError(f"{n} records, counts of {counts.shape[0]} postings add up to {done}")


def untile(
    const unsigned char[:, ::1] tiles,  # IN   (rows, groups + 3)  those of each posting in tiles
    const int64_t[::1] first,           # IN   (n,)  the first row of a posting
    const int64_t[::1] counts,          # IN   (n,)  how many it has
    const int64_t[::1] rows,            # IN   (n,)  one of them
    unsigned char[:, ::1] out,          # OUT  (n, groups + 3)
):
    """Fill out with the records of some rows. ValueError when one lies outside."""
    cdef size_t n = tiles.shape[0], size = tiles.shape[1], i
    if (
        first.shape[0] != rows.shape[0] or counts.shape[0] != rows.shape[0]
        or out.shape[0] != rows.shape[0] or <size_t>out.shape[1] != size or size <= SCALARS_1
    ):
        raise ValueError(f"{rows.shape[0]} rows, out is {out.shape[0]} x {out.shape[1]}")
    for i in range(<size_t>rows.shape[0]):
        if not 0 <= first[i] <= rows[i] < first[i] + counts[i] <= <int64_t>n:
            raise ValueError(f"row {rows[i]} of {counts[i]} from {first[i]} on, there are {n}")
        take(
            &tiles[first[i], 0], counts[i], rows[i] - first[i], size - SCALARS_1, &out[i, 0]
        )


cdef void put(
    const uint8_t *record, uint8_t *tiles, size_t n, size_t at, size_t groups
) noexcept nogil:
    """Store record `at` of the n of a posting."""
    cdef Place place = place_in_tile(tiles, n, at, groups)
    cdef size_t g
    for g in range(groups):
        (<uint8_t *>place.code)[g * place.rows] = record[g]
    (<uint8_t *>place.scale)[0] = record[groups]
    memcpy(<uint8_t *>place.addend, record + groups + 1, 2)


cdef void take(
    const uint8_t *tiles, size_t n, size_t at, size_t groups, uint8_t *record
) noexcept nogil:
    """Give back record `at` of the n of a posting."""
    cdef Place place = place_in_tile(tiles, n, at, groups)
    cdef size_t g
    for g in range(groups):
        record[g] = place.code[g * place.rows]
    record[groups] = place.scale[0]
    memcpy(record + groups + 1, place.addend, 2)


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
    cdef size_t primary = rows.shape[0], row_bytes = rows.shape[1], copies = numbers.shape[0], i
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
        for i in range(copies):
            put(
                &records[i, 0], &out[records_at(primary, copies, row_bytes, cosine)], copies, i,
                records.shape[1] - SCALARS_1,
            )


def decode_coded(
    const unsigned char[::1] blob, size_t primary, size_t copies, size_t row_bytes, bint cosine,
    size_t groups,
):
    """Return copies of the rows, inverses, numbers and records of a coded posting."""
    if <size_t>blob.shape[0] < coded_bytes(primary, copies, row_bytes, cosine, groups):
        raise ValueError(f"{blob.shape[0]} bytes cannot hold {primary} vectors, {copies} copies")
    data = bytes(blob)
    cdef size_t at = records_at(primary, copies, row_bytes, cosine), i
    records = np.empty((copies, groups + SCALARS_1), np.uint8)
    cdef unsigned char[:, ::1] out = records
    for i in range(copies):
        take(&blob[at], copies, i, groups, &out[i, 0])
    return (
        np.frombuffer(data, np.uint8, primary * row_bytes).reshape(primary, row_bytes),
        np.frombuffer(
            data, np.float32, primary if cosine else 0, padded(primary * row_bytes)
        ),
        np.frombuffer(data, np.uint32, copies, copies_at(primary, row_bytes, cosine)),
        records,
    )
