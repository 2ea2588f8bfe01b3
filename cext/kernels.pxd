"""The distance kernels that this CPU runs, for the other native modules."""

cdef extern from "kernels.h" nogil:
    ctypedef void (*ls_distances)(
        const void *query, const void *rows, size_t n, size_t dim, float *out
    ) noexcept

    enum:
        LS_F32
        LS_F16
        LS_U8
        LS_I8
        LS_DTYPES

    ctypedef struct ls_kernels:
        const char *name
        ls_distances l2[4]
        ls_distances dot[4]

    const ls_kernels *ls_kernels_plain()
    const ls_kernels *ls_kernels_avx2()
    const ls_kernels *ls_kernels_avx512()
    const ls_kernels *ls_kernels_avx512vnni()
    const ls_kernels *ls_kernels_neon()

cdef const ls_kernels *kernels() noexcept nogil
