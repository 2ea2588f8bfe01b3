"""Make codes: turn vectors, find the points that name them, and give the points back.

Numbers of a code's book are explained in kernel_codes.h, records in posting.pxd.
"""

from libc.math cimport sqrtf
from libc.stdint cimport uint8_t
from libc.stdlib cimport free

from longspan.cext.kernels cimport LS_GROUP, LS_POINTS, kernels
from longspan.cext.posting cimport SCALARS_1, SCALARS_2
from longspan.cext.room cimport ls_room

GROUP, POINTS = LS_GROUP, LS_POINTS  # dimensions that a byte of a code covers, its values
SCALARS = SCALARS_1, SCALARS_2  # bytes behind a code of each tier


def rotate(
    float[:, ::1] vectors,        # INOUT  (n, width)
    const float[:, ::1] signs,    # IN     (rounds, width)  1 or -1
):
    """Rotate each vector at random, in place: signs, then a Hadamard transform, a few times over.

    The transform takes a power of two; rounds take the first and the last such part in turn, as in
    the fast rotation of RaBitQ's library. Lengths and dot products stay as they are.
    """
    cdef size_t n = vectors.shape[0], width = vectors.shape[1], part = 1, i, j, r
    cdef float *row
    if signs.shape[1] != vectors.shape[1]:
        raise ValueError(f"vectors are {width} wide, signs {signs.shape[1]}")
    while 2 * part <= width:
        part *= 2
    with nogil:
        for i in range(n):
            row = &vectors[i, 0]
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
    if (books.shape[0] != 1 and books.shape[0] != groups) or (
        books.shape[1] != LS_GROUP or books.shape[2] != LS_POINTS
    ):
        raise ValueError(f"books are {books.shape[0]} x {books.shape[1]} x {books.shape[2]}")
    return 0


def encode(
    const float[:, ::1] vectors,    # IN   (n, groups * 8)
    const float[:, :, ::1] books,   # IN   (groups or 1, 8, 256)
    const float[:, ::1] halves,     # IN   (groups or 1, 256)  half the square of each point
    uint8_t[:, ::1] codes,          # OUT  (n, groups)
):
    """Fill codes with the nearest point of each group's book. Releases the GIL."""
    cdef size_t n = vectors.shape[0], groups = codes.shape[1], i, g, shared
    check(vectors.shape[1], codes.shape[1], books)
    shared = books.shape[0] == 1
    if (
        codes.shape[0] != vectors.shape[0] or halves.shape[0] != books.shape[0]
        or halves.shape[1] != LS_POINTS
    ):
        raise ValueError(f"{n} vectors, {codes.shape[0]} codes, {halves.shape[0]} halves")
    cdef float *tables = <float *>ls_room(groups, LS_POINTS * sizeof(float))
    if tables == NULL:
        raise MemoryError(f"no memory for the tables of {groups} groups")
    with nogil:
        for i in range(n):
            kernels().tables(&vectors[i, 0], &books[0, 0, 0], groups, shared, tables)
            for g in range(groups):
                codes[i, g] = kernels().nearest(
                    &halves[0 if shared else g, 0], tables + g * LS_POINTS
                )
    free(tables)


def decode(
    const uint8_t[:, ::1] codes,    # IN   (n, groups)
    const float[:, :, ::1] books,   # IN   (groups or 1, 8, 256)
    float[:, ::1] points,           # OUT  (n, groups * 8)
):
    """Fill points with what the codes name."""
    cdef size_t n = codes.shape[0], groups = codes.shape[1], i, g, d
    cdef bint shared = books.shape[0] == 1
    check(points.shape[1], codes.shape[1], books)
    if points.shape[0] != codes.shape[0]:
        raise ValueError(f"{n} codes, {points.shape[0]} points")
    with nogil:
        for i in range(n):
            for g in range(groups):
                for d in range(LS_GROUP):
                    points[i, g * LS_GROUP + d] = books[0 if shared else g, d, codes[i, g]]


def sums(
    const float[::1] query,          # IN   (groups * 8,)
    const float[:, :, ::1] books,    # IN   (groups or 1, 8, 256)
    const uint8_t[:, ::1] records,   # IN   (n, groups or more)  codes with whatever follows them
    float[::1] out,                  # OUT  (n,)
):
    """Fill out with the dot product of the query and what each code names: the search's kernels."""
    cdef size_t n = records.shape[0], groups = query.shape[0] // LS_GROUP
    check(query.shape[0], groups, books)
    if out.shape[0] != records.shape[0] or <size_t>records.shape[1] < groups:
        raise ValueError(f"{n} records of {records.shape[1]} bytes, out is {out.shape[0]}")
    cdef float *tables = <float *>ls_room(groups, LS_POINTS * sizeof(float))
    if tables == NULL:
        raise MemoryError(f"no memory for the tables of {groups} groups")
    if n:
        with nogil:
            kernels().tables(&query[0], &books[0, 0, 0], groups, books.shape[0] == 1, tables)
            kernels().sums(&records[0, 0], records.shape[1], n, groups, tables, &out[0])
    free(tables)
