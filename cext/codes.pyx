"""Make codes: turn vectors, find the points that name them, and give the points back.

Numbers of a code's book are explained in kernel_codes.h, records in posting.pxd.
"""

from libc.math cimport sqrtf
from libc.stdint cimport uint8_t
from libc.stdlib cimport free

from longspan.cext.kernels cimport (
    LS_GROUP, LS_POINTS, LS_SCALES, LS_SHARE, books_fit, books_of, kernels, ls_books, ls_codes,
)
from longspan.cext.posting cimport SCALARS_1, SCALARS_2
from longspan.cext.room cimport ls_room

GROUP, POINTS = LS_GROUP, LS_POINTS  # dimensions that a byte covers; points that a nibble names
SCALES = LS_SCALES  # values of a scale byte
SCALARS = SCALARS_1, SCALARS_2  # bytes behind a code of each tier


def turn(
    const float[:, ::1] points,   # IN   (n, dim or more)  of the head space
    const float[::1] centre,      # IN   (dim,)            subtracted first
    const float[:, ::1] signs,    # IN   (rounds, width)   of the rotation
    float[:, ::1] turned,         # OUT  (n, width)        beyond dim filled with zeros first
):
    """Fill turned with points less the centre, rotated.

    The rotation multiplies by signs, then does a Hadamard transform, as often as there are rounds.
    The transform takes a power of two; rounds take the first and the last such part in turn, as in
    the fast rotation of RaBitQ's library. Lengths and dot products stay as they are.
    """
    cdef size_t n = points.shape[0], dim = centre.shape[0], width = turned.shape[1], i, j
    if (
        turned.shape[0] != points.shape[0] or <size_t>points.shape[1] < dim or dim > width
        or (signs.shape[0] and signs.shape[1] != turned.shape[1])
    ):
        raise ValueError(f"{n} points of {dim} are {width} wide, signs {signs.shape[1]}")
    with nogil:
        for i in range(n):
            for j in range(dim):
                turned[i, j] = points[i, j] - centre[j]
            for j in range(dim, width):
                turned[i, j] = 0
            rotate(&turned[i, 0], signs, width)


cdef void rotate(float *row, const float[:, ::1] signs, size_t width) noexcept nogil:
    """Rotate a row at random, in place."""
    cdef size_t part = 1, r, j
    while 2 * part <= width:
        part *= 2
    for r in range(<size_t>signs.shape[0]):
        for j in range(width):
            row[j] *= signs[r, j]
        hadamard(row if r % 2 == 0 else row + width - part, part)


cdef void hadamard(float *x, size_t size) noexcept nogil:
    """Transform size values, a power of two, in place; keeps their length."""
    cdef size_t half = 1, i, j
    cdef float a, b, scale = 1 / sqrtf(<float>size)
    while half < size:
        i = 0
        while i < size:
            for j in range(i, i + half):
                a, b = x[j], x[j + half]
                x[j], x[j + half] = a + b, a - b
            i += 2 * half
        half *= 2
    for j in range(size):
        x[j] *= scale


cdef int check(Py_ssize_t width, Py_ssize_t groups, const float[:, :, ::1] books) except -1:
    """Raise ValueError unless vectors, codes and books fit each other."""
    if width != groups * LS_GROUP:
        raise ValueError(f"vectors are {width} wide, codes have {groups} groups of {LS_GROUP}")
    if not books_fit(books.shape[0], books.shape[1], books.shape[2], groups):
        raise ValueError(f"books are {books.shape[0]} x {books.shape[1]} x {books.shape[2]}")
    return 0


def encode(
    const float[:, ::1] vectors,    # IN   (n, groups * 8)
    const float[:, :, ::1] books,   # IN   (groups * 2, span, 16)  span / 4 books share dimensions
    const float[:, ::1] halves,     # IN   (groups * 2, 16)  half the square of each point
    const float[:, ::1] cross,      # IN   (groups * 2, 16 * share * 16)  their dot products with
                                    #      those of books with the same dimensions, 0 with its own
    uint8_t[:, ::1] codes,          # OUT  (n, groups)
):
    """Fill codes with points that add up to nearly the vectors. Releases the GIL.

    Points are chosen one after the other, then by pairs, the best of 256 while the others stay.
    """
    cdef size_t n = vectors.shape[0], nibbles = 2 * codes.shape[1], block, i, t, p
    check(vectors.shape[1], codes.shape[1], books)
    cdef size_t span = books.shape[1], share = span // 4
    if (
        codes.shape[0] != vectors.shape[0] or span % LS_GROUP or <size_t>books.shape[0] != nibbles
        or halves.shape[0] != books.shape[0] or halves.shape[1] != LS_POINTS
        or cross.shape[0] != books.shape[0]
        or <size_t>cross.shape[1] != LS_POINTS * share * LS_POINTS
    ):
        raise ValueError(f"{n} vectors, {codes.shape[0]} codes, {halves.shape[0]} halves")
    cdef float dots[LS_SHARE * LS_POINTS]
    cdef uint8_t chosen[LS_SHARE]
    cdef ls_books together
    with nogil:
        for block in range(nibbles // share):
            t = block * share
            together = ls_books(&books[t, 0, 0], share, span, 0)
            for i in range(n):
                kernels().tables(&vectors[i, 4 * t], &together, dots)
                kernels().nearest(dots, &halves[t, 0], &cross[t, 0], share, chosen)
                for p in range(share // 2):
                    codes[i, t // 2 + p] = chosen[2 * p] | chosen[2 * p + 1] << 4


def decode(
    const uint8_t[:, ::1] codes,    # IN   (n, groups)
    const float[:, :, ::1] books,   # IN   (groups * 2 or 1, span, 16)
    float[:, ::1] points,           # OUT  (n, groups * 8)
):
    """Fill points with what the codes name."""
    cdef size_t n = codes.shape[0], nibbles = 2 * codes.shape[1], i, t, d, start, point
    check(points.shape[1], codes.shape[1], books)
    cdef bint shared = books.shape[0] == 1
    cdef size_t span = books.shape[1]
    if points.shape[0] != codes.shape[0]:
        raise ValueError(f"{n} codes, {points.shape[0]} points")
    points[:, :] = 0
    with nogil:
        for i in range(n):
            for t in range(nibbles):
                start = 4 * t // span * span
                point = codes[i, t // 2] >> (4 * (t % 2)) & 15
                for d in range(span):
                    points[i, start + d] += books[0 if shared else t, d, point]


def estimates(
    const float[::1] query,          # IN   (groups * 8,)
    const float[:, :, ::1] books,    # IN   (groups * 2 or 1, span, 16)
    const float[::1] scales,         # IN   (256,)  what a scale byte means
    float unit,                      # IN   of the addends
    const uint8_t[::1] tiles,        # IN   (n * (groups + 3),)  the records of one posting
    float[::1] out,                  # OUT  (n,)
):
    """Fill out with unit * addend - 2 scale * (query . code) of each record: the search's kernels."""
    cdef size_t n = out.shape[0], groups = query.shape[0] // LS_GROUP
    check(query.shape[0], groups, books)
    if <size_t>tiles.shape[0] != n * (groups + SCALARS_1) or scales.shape[0] != LS_SCALES:
        raise ValueError(f"{n} records of {groups} groups in {tiles.shape[0]} bytes")
    cdef ls_books all_books = books_of(books, groups)
    cdef ls_codes codes = ls_codes(NULL, &scales[0], 0, 0, unit, groups)
    cdef float *tables = <float *>ls_room(2 * groups, LS_POINTS * sizeof(float))
    cdef uint8_t *small = <uint8_t *>ls_room(2 * groups, LS_POINTS)
    try:
        if tables == NULL or small == NULL:
            raise MemoryError(f"no memory for the tables of {groups} groups")
        if n:
            kernels().tables(&query[0], &all_books, tables)
            kernels().small(tables, groups, small, &codes.base, &codes.step)
            codes.small = small
            kernels().estimates(&tiles[0], n, &codes, 0, &out[0])
    finally:
        free(tables)
        free(small)
