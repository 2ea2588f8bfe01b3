/* Plain C: what every CPU runs, and the twin that the others are checked against. */
#include "kernels.h"

/* A plain sum vectorises only when the compiler may reorder it: 4 to 8 times as fast. */
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize("associative-math,no-signed-zeros,no-trapping-math")
#endif

#define LS_TARGET
#define LS_NAME "plain"

#define IVEC int32_t
#define IWIDTH 1
#define IZERO 0
#define IREDUCE(acc) (acc)
#define IREDUCE4 REDUCE_EACH
#define LOAD_U8(p) (*(p))
#define LOAD_I8(p) (*(p))
#define ISUB_STEP(acc, q, x) ((acc) + ((q) - (x)) * ((q) - (x)))
#define IDOT_STEP(acc, q, x) ((acc) + (q) * (x))

#define BYTES 1
#define LOAD_BYTES(p) (*(p))
#define BYTES_DOT_STEP IDOT_STEP

#define CRC_WORD crc_word

#define FWIDE 4 /* floats that every CPU adds at once, or nearly every */
#define FVEC float
#define FWIDTH 1
#define FZERO 0.0f
#define FREDUCE(acc) (acc)
#define FREDUCE4 REDUCE_EACH
#define LOAD_HALF ls_half
#define LOAD_F16(p) ls_half(*(p))
#define LOAD_F32(p) (*(p))
#define FSUB_STEP ISUB_STEP
#define FDOT_STEP IDOT_STEP

#define DVEC double
#define DZERO 0.0
#define DREDUCE(acc) (acc)
#define DSQUARE_STEP(acc, x) ((acc) + (double)(x) * (double)(x))

static inline uint32_t crc_byte(uint32_t crc, uint8_t byte);

static inline uint32_t crc_word(uint32_t crc, uint64_t word)
{
    for (int i = 0; i < 64; i += 8)
        crc = crc_byte(crc, (uint8_t)(word >> i));
    return crc;
}

#include "kernel_table.h"

const ls_kernels *ls_kernels_plain(void)
{
    return &table;
}
