"""The distance kernels that this CPU runs, for the other native modules."""

from libc.stdint cimport uint8_t, uint16_t, uint32_t

cdef extern from "kernels.h" nogil:
    ctypedef void (*ls_distances)(
        const void *query, const void *rows, size_t n, size_t dim, float *out
    ) noexcept

    ctypedef void (*ls_byte_dots)(
        const void *query, const void *rows, size_t n, size_t dim, float *out
    ) noexcept

    ctypedef double (*ls_square)(const void *row, size_t dim) noexcept

    ctypedef struct ls_books:
        const float *books
        size_t nibbles, span, shared

    ctypedef struct ls_codes:
        const uint8_t *small
        const float *scales
        float base, step
        float unit
        size_t groups

    ctypedef void (*ls_code_tables)(const float *x, const ls_books *books, float *tables) noexcept
    ctypedef void (*ls_code_small)(
        const float *tables, size_t groups, uint8_t *small, float *base, float *step
    ) noexcept
    ctypedef void (*ls_code_nearest)(
        const float *dots, const float *halves, const float *cross, size_t share, uint8_t *nibbles
    ) noexcept
    ctypedef void (*ls_code_estimates)(
        const uint8_t *records, size_t n, const ls_codes *codes, float near, float *out
    ) noexcept

    ctypedef uint32_t (*ls_check)(const uint8_t *at, size_t bytes) noexcept

    enum:
        LS_F32
        LS_F16
        LS_U8
        LS_I8
        LS_DTYPES
        LS_GROUP
        LS_POINTS
        LS_SCALES
        LS_TILE
        LS_SHARE

    ctypedef struct ls_kernels:
        const char *name
        ls_distances l2[4]
        ls_distances dot[4]
        ls_byte_dots bytes
        ls_square square[4]
        ls_code_tables tables
        ls_code_small small
        ls_code_nearest nearest
        ls_code_estimates estimates
        ls_check check

    float ls_half(uint16_t half) noexcept
    void ls_prefetch(const void *at, size_t bytes) noexcept
    float ls_code_sum(const uint8_t *code, size_t groups, const float *tables) noexcept
    uint32_t ls_small_sum(const uint8_t *code, size_t rows, const ls_codes *codes) noexcept
    const ls_kernels *ls_kernels_plain()
    const ls_kernels *ls_kernels_avx2()
    const ls_kernels *ls_kernels_avx512()
    const ls_kernels *ls_kernels_avx512vnni()
    const ls_kernels *ls_kernels_neon()

cdef const ls_kernels *kernels() noexcept nogil


cdef inline bint books_fit(
    Py_ssize_t count, Py_ssize_t span, Py_ssize_t points, Py_ssize_t groups
) noexcept nogil:
    """Return whether the books of a tier, (count, span, points), fit codes of so many groups."""
    return (count == 1 or count == 2 * groups) and points == LS_POINTS and (
        0 < span <= 4 * LS_SHARE and span % 4 == 0 and groups * LS_GROUP % span == 0
    )


cdef inline ls_books books_of(const float[:, :, ::1] books, size_t groups) noexcept nogil:
    """Return the books of a tier, (2 groups or 1, span, 16), as the kernels take them."""
    return ls_books(&books[0, 0, 0], 2 * groups, books.shape[1], books.shape[0] == 1)
