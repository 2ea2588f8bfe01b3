"""Which distance kernels this CPU runs, chosen once at import, and a door to them for tests.

LONGSPAN_SIMD names one of `available()` and forces it.
"""

import os

from longspan.cext.room cimport ls_times

F32, F16, U8, I8 = LS_F32, LS_F16, LS_U8, LS_I8  # codes of the dtypes

cdef const ls_kernels *active = NULL


cdef const ls_kernels *kernels() noexcept nogil:
    return active


cdef const ls_kernels *_find(str name):
    cdef const ls_kernels *found = NULL
    if name == "avx512vnni":
        found = ls_kernels_avx512vnni()
    elif name == "avx512":
        found = ls_kernels_avx512()
    elif name == "avx2":
        found = ls_kernels_avx2()
    elif name == "neon":
        found = ls_kernels_neon()
    elif name == "plain":
        found = ls_kernels_plain()
    return found


def available():
    """The instruction sets that this CPU and this build have, best first."""
    names = ("avx512vnni", "avx512", "avx2", "neon", "plain")
    return [name for name in names if _find(name) != NULL]


def active_name():
    """The instruction set in use."""
    return active.name.decode()


def use(str name):
    """Choose an instruction set for the whole process; ValueError when it is not available."""
    global active
    if _find(name) == NULL:
        raise ValueError(f"SIMD level {name!r} is not available here, choose from {available()}")
    active = _find(name)


def distances(
    bint dot,                     # IN   dot product instead of squared L2
    int dtype,                    # IN   0 f32, 1 f16, 2 u8, 3 i8
    const unsigned char[::1] query,  # IN   bytes of one query: float32 for f32 and f16
    const unsigned char[::1] rows,   # IN   bytes of n rows
    size_t dim,
    float[::1] out,               # OUT  (n,)
):
    """Fill out with the squared L2 distances or dot products of one query and n rows."""
    cdef size_t n = <size_t>out.shape[0]
    cdef size_t item, query_item
    if dtype < 0 or dtype >= LS_DTYPES:
        raise ValueError(f"dtype code {dtype}, must be in [0, {LS_DTYPES})")
    item = 4 if dtype == LS_F32 else 2 if dtype == LS_F16 else 1
    query_item = 4 if dtype == LS_F32 or dtype == LS_F16 else 1
    if (
        <size_t>query.shape[0] != ls_times(dim, query_item)
        or <size_t>rows.shape[0] != ls_times(n, ls_times(dim, item))
    ):
        raise ValueError(
            f"query has {query.shape[0]} bytes and rows {rows.shape[0]}, "
            f"want {dim * query_item} and {n * dim * item}"
        )
    if n == 0:
        return
    with nogil:
        if dot:
            active.dot[dtype](&query[0], &rows[0], n, dim, &out[0])
        else:
            active.l2[dtype](&query[0], &rows[0], n, dim, &out[0])


def byte_dots(
    const unsigned char[::1] query,   # IN   (dim,)    below 128
    const signed char[:, ::1] rows,   # IN   (n, dim)
    float[::1] out,                   # OUT  (n,)
):
    """Fill out with the dot products of a query and rows, both of bytes."""
    if rows.shape[0] != out.shape[0] or rows.shape[1] != query.shape[0] or query.shape[0] == 0:
        raise ValueError(f"{rows.shape[0]} rows of {rows.shape[1]}, out is {out.shape[0]}")
    if rows.shape[0]:
        with nogil:
            active.bytes(&query[0], &rows[0, 0], rows.shape[0], query.shape[0], &out[0])


def squares(
    int dtype,                          # IN   0 f32, 1 f16, 2 u8, 3 i8
    const unsigned char[:, ::1] rows,   # IN   (n, bytes)
    double[::1] out,                    # OUT  (n,)
):
    """Fill out with the squared lengths of rows; what is no finite number gives none."""
    if dtype < 0 or dtype >= LS_DTYPES:
        raise ValueError(f"dtype code {dtype}, must be in [0, {LS_DTYPES})")
    cdef size_t item = 4 if dtype == LS_F32 else 2 if dtype == LS_F16 else 1
    cdef size_t dim = rows.shape[1] // item, i
    if rows.shape[0] != out.shape[0] or <size_t>rows.shape[1] != ls_times(dim, item):
        raise ValueError(f"{rows.shape[0]} rows have {rows.shape[1]} bytes, out is {out.shape[0]}")
    with nogil:
        for i in range(<size_t>rows.shape[0]):
            out[i] = active.square[dtype](&rows[i, 0], dim)


use(os.environ.get("LONGSPAN_SIMD") or available()[0])
