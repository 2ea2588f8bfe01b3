/* Distances from one query to a block of rows: one table of functions for each instruction set.

   A row is `dim` contiguous elements; rows follow each other without a gap. Integer rows are
   compared with a query of their own type, in integers; float rows with a float32 query.
   Sums of integers are exact in 32 bits for dim <= 32,768. */
#ifndef LONGSPAN_KERNELS_H
#define LONGSPAN_KERNELS_H

#include <stddef.h>
#include <stdint.h>

enum { LS_F32, LS_F16, LS_U8, LS_I8, LS_DTYPES };

/* out[i] = squared L2 distance, or dot product, of query and row i. */
typedef void (*ls_distances)(const void *query, const void *rows, size_t n, size_t dim, float *out);

typedef struct {
    const char *name;
    ls_distances l2[LS_DTYPES];
    ls_distances dot[LS_DTYPES];
} ls_kernels;

/* NULL where the compiler cannot make them or the CPU lacks them. */
const ls_kernels *ls_kernels_plain(void);
const ls_kernels *ls_kernels_avx2(void);
const ls_kernels *ls_kernels_avx512(void);
const ls_kernels *ls_kernels_avx512vnni(void);
const ls_kernels *ls_kernels_neon(void);

/* A half-precision number as float, for the tails that fill no vector. */
static inline float ls_half(uint16_t half)
{
    union { uint32_t bits; float value; } scale = { 0x77800000u }; /* 2^112 */
    union { uint32_t bits; float value; } out = { (uint32_t)(half & 0x7fffu) << 13 };
    out.value *= scale.value;
    if ((half & 0x7c00u) == 0x7c00u)
        out.bits |= 0x7f800000u;
    out.bits |= (uint32_t)(half & 0x8000u) << 16;
    return out.value;
}

#endif
