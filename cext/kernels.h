/* Distances from one query to a block of rows: one table of functions for each instruction set.

   A row is `dim` contiguous elements; rows follow each other without a gap. Integer rows are
   compared with a query of their own type, in integers; float rows with a float32 query.
   Sums of integers are exact in 32 bits for dim <= 32,768. */
#ifndef LONGSPAN_KERNELS_H
#define LONGSPAN_KERNELS_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { LS_F32, LS_F16, LS_U8, LS_I8, LS_DTYPES };

enum {
    LS_GROUP = 8,   /* dimensions that a byte of a code covers: two nibbles, each of 16 points */
    LS_POINTS = 16, /* that a nibble names */
    LS_SCALES = 256, /* that a scale byte names */
    LS_TILE = 16,   /* records that lie group by group */
    LS_SHARE = 8    /* nibbles that share dimensions, at most */
};

/* out[i] = squared L2 distance, or dot product, of query and row i. */
typedef void (*ls_distances)(const void *query, const void *rows, size_t n, size_t dim, float *out);

/* out[i] = the dot product of a query's bytes, of 7 bits, and those of row i, of 8 with their sign. */
typedef void (*ls_byte_dots)(const void *query, const void *rows, size_t n, size_t dim, float *out);

/* The squared length of a row: exact for integers, in double precision for floats. */
typedef double (*ls_square)(const void *row, size_t dim);

/* How the nibbles of a code stand for a vector: nibble t adds a point of its book over the `span`
   dimensions from 4 t / span * span on; shared: all have the first book. */
typedef struct {
    const float *books; /* (nibbles, span, 16) or (1, span, 16), dimension by dimension */
    size_t nibbles, span, shared;
} ls_books;

/* tables[t][v] = the dot product of x, over the dimensions of nibble t, and point v of its book. */
typedef void (*ls_code_tables)(const float *x, const ls_books *books, float *tables);

/* The nibbles, one a byte, of which the points add up to about x over the dimensions that they
   share: the least of sum_p (halves[p] - dots[p]) + sum_p<q cross[p][q], each at its point.
     dots    (share, 16)             of x and the points
     halves  (share, 16)             half the square of each
     cross   (share, 16, share, 16)  their dot products, 0 between points of one book */
typedef void (*ls_code_nearest)(const float *dots, const float *halves, const float *cross,
                                size_t share, uint8_t *nibbles);

/* Fill small with tables, (2 groups, 16), as bytes of 7 bits, and the numbers that go with them. */
typedef void (*ls_code_small)(const float *tables, size_t groups, uint8_t *small, float *base,
                              float *step);

/* What turns the first records of a query's candidates into estimates of their distances. */
typedef struct {
    const uint8_t *small; /* (2, groups, 16) tables of low nibbles, then of high ones, as bytes */
    const float *scales;  /* (256,) what the scale byte stands for */
    float base, step;     /* a sum of bytes stands for base + step * sum */
    float unit;           /* of the addends */
    size_t groups;        /* even */
} ls_codes;

/* out[i] = near + addend - 2 scale sum, of the record i of a posting; they lie in tiles. */
typedef void (*ls_code_estimates)(const uint8_t *records, size_t n, const ls_codes *codes,
                                  float near, float *out);

/* The CRC-32C of some bytes. */
typedef uint32_t (*ls_check)(const uint8_t *at, size_t bytes);

typedef struct {
    const char *name;
    ls_distances l2[LS_DTYPES];
    ls_distances dot[LS_DTYPES];
    ls_byte_dots bytes;
    ls_square square[LS_DTYPES];
    ls_code_tables tables;
    ls_code_small small;
    ls_code_nearest nearest;
    ls_code_estimates estimates;
    ls_check check;
} ls_kernels;

/* NULL where the compiler cannot make them or the CPU lacks them. */
const ls_kernels *ls_kernels_plain(void);
const ls_kernels *ls_kernels_avx2(void);
const ls_kernels *ls_kernels_avx512(void);
const ls_kernels *ls_kernels_avx512vnni(void);
const ls_kernels *ls_kernels_neon(void);

enum { LS_LINE = 64 }; /* bytes that memory gives at once, on nearly every CPU */

/* Have some bytes on their way from memory by the time that they are wanted. */
static inline void ls_prefetch(const void *at, size_t bytes)
{
#if defined(__GNUC__)
    for (size_t line = 0; line < bytes; line += LS_LINE)
        __builtin_prefetch((const char *)at + line);
#endif
}

/* The sum of a code's tables, (2 groups, 16). */
static inline float ls_code_sum(const uint8_t *code, size_t groups, const float *tables)
{
    float low = 0, high = 0;
    for (size_t g = 0; g < groups; g++, tables += 2 * LS_POINTS) {
        low += tables[code[g] & 15];
        high += tables[LS_POINTS + (code[g] >> 4)];
    }
    return low + high;
}

/* The sum of bytes that a code of a tile of so many records stands for. */
static inline uint32_t ls_small_sum(const uint8_t *code, size_t rows, const ls_codes *codes)
{
    const uint8_t *low = codes->small, *high = low + codes->groups * LS_POINTS;
    uint32_t sum = 0;
    for (size_t g = 0; g < codes->groups; g++, code += rows, low += LS_POINTS, high += LS_POINTS)
        sum += low[*code & 15] + high[*code >> 4];
    return sum;
}

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
