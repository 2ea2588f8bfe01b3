/* Distances from one query to a block of rows: one table of functions for each instruction set.

   A row is `dim` contiguous elements; rows follow each other without a gap. Integer rows are
   compared with a query of their own type, in integers; float rows with a float32 query.
   Sums of integers are exact in 32 bits for dim <= 32,768. */
#ifndef LONGSPAN_KERNELS_H
#define LONGSPAN_KERNELS_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { LS_F32, LS_F16, LS_U8, LS_I8, LS_DTYPES };
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define LS_LITTLE 1
#else
#define LS_LITTLE 0
#endif

enum { LS_GROUP = 8, LS_POINTS = 256 }; /* dimensions that a byte of a code covers, its values */

/* out[i] = squared L2 distance, or dot product, of query and row i. */
typedef void (*ls_distances)(const void *query, const void *rows, size_t n, size_t dim, float *out);

/* The squared length of a row: exact for integers, in double precision for floats. */
typedef double (*ls_square)(const void *row, size_t dim);

/* tables[g][v] = the dot product of group g of x and point v of its book; shared: one for all. */
typedef void (*ls_code_tables)(const float *x, const float *books, size_t groups, size_t shared,
                               float *tables);

/* The point with the least half square less dot product: the nearest to the vector of the dots. */
typedef uint8_t (*ls_code_nearest)(const float *halves, const float *dots);

/* sums[i] = the sum over the groups g of tables[g][codes[i][g]]. */
typedef void (*ls_code_sums)(const uint8_t *codes, size_t stride, size_t n, size_t groups,
                             const float *tables, float *sums);

/* What turns the first records of a query's candidates into estimates of their distances. */
typedef struct {
    const float *tables; /* (groups, 256) */
    const float *scales; /* (256,) what the scale byte stands for */
    float unit;          /* of the addends */
    size_t groups;
} ls_codes;

/* out[i] = near + addend - 2 scale sum, of the record i. */
typedef void (*ls_code_estimates)(const uint8_t *records, size_t n, const ls_codes *codes,
                                  float near, float *out);

/* The CRC-32C of some bytes. */
typedef uint32_t (*ls_check)(const uint8_t *at, size_t bytes);

typedef struct {
    const char *name;
    ls_distances l2[LS_DTYPES];
    ls_distances dot[LS_DTYPES];
    ls_square square[LS_DTYPES];
    ls_code_tables tables;
    ls_code_nearest nearest;
    ls_code_sums sums;
    ls_code_estimates estimates;
    ls_check check;
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
