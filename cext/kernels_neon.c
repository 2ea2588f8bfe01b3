/* NEON: every 64-bit ARM. */
#include "kernels.h"

#if defined(__aarch64__)
#include <arm_neon.h>
#include <sys/auxv.h>

#define LS_TARGET
#define LS_NAME "neon"

/* Bytes are widened to 32 bits in two halves: a load, a sum and a difference have one type. */
typedef struct {
    int32x4_t low, high;
} sums_t;

#define IVEC sums_t
#define IWIDTH 8
#define IZERO zero_int()
#define LOAD_U8(p) widen(vreinterpretq_s16_u16(vmovl_u8(vld1_u8(p))))
#define LOAD_I8(p) widen(vmovl_s8(vld1_s8(p)))
#define IDOT_STEP(acc, q, x) dot_step(acc, q, x)
#define ISUB_STEP(acc, q, x) square_step(acc, q, x)
#define IREDUCE(acc) vaddvq_s32(vaddq_s32((acc).low, (acc).high))
#define IREDUCE4 REDUCE_EACH

#define BYTES 8
#define LOAD_BYTES(p) vld1_s8((const int8_t *)(p))
#define BYTES_DOT_STEP(acc, q, x) bytes_dot_step(acc, q, x)

#define CRC_WORD crc_word

#define BWIDE 16
#define LOAD_LANES(at, stride) (wide_bytes)vld1q_u8(at)
#define LOOK_UP(table, places) \
    (wide_bytes)vqtbl1q_u8((uint8x16_t)(table), (uint8x16_t)(places))

#define FWIDE 4
#define FVEC float32x4_t
#define FWIDTH 4
#define FZERO vdupq_n_f32(0.0f)
#define LOAD_HALF ls_half
#define LOAD_F16(p) vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(p)))
#define LOAD_F32(p) vld1q_f32(p)
#define FDOT_STEP(acc, q, x) vfmaq_f32(acc, q, x)
#define FSUB_STEP(acc, q, x) square_step_float(acc, vsubq_f32(q, x))
#define FREDUCE(acc) vaddvq_f32(acc)
#define FREDUCE4 REDUCE_EACH

#define DVEC doubles_t
#define DZERO ((doubles_t){ vdupq_n_f64(0.0), vdupq_n_f64(0.0) })
#define DSQUARE_STEP square_step_double
#define DREDUCE(acc) vaddvq_f64(vaddq_f64((acc).low, (acc).high))

static inline sums_t bytes_dot_step(sums_t acc, int8x8_t q, int8x8_t x)
{
    acc.low = vpadalq_s16(acc.low, vmull_s8(q, x));
    return acc;
}

typedef struct {
    float64x2_t low, high;
} doubles_t;

static inline doubles_t square_step_double(doubles_t acc, float32x4_t x)
{
    const float64x2_t low = vcvt_f64_f32(vget_low_f32(x)), high = vcvt_high_f64_f32(x);
    acc.low = vfmaq_f64(acc.low, low, low);
    acc.high = vfmaq_f64(acc.high, high, high);
    return acc;
}

/* A part of ARM since version 8.1, and of most 8.0. */
enum { HAS_CRC = 1 << 7 };

static inline uint32_t crc_word(uint32_t crc, uint64_t word)
{
    __asm__(".arch_extension crc\n\tcrc32cx %w0, %w0, %x1" : "+r"(crc) : "r"(word));
    return crc;
}

static inline sums_t zero_int(void)
{
    return (sums_t){ vdupq_n_s32(0), vdupq_n_s32(0) };
}

static inline sums_t widen(int16x8_t x)
{
    return (sums_t){ vmovl_s16(vget_low_s16(x)), vmovl_s16(vget_high_s16(x)) };
}

static inline sums_t dot_step(sums_t acc, sums_t q, sums_t x)
{
    acc.low = vmlaq_s32(acc.low, q.low, x.low);
    acc.high = vmlaq_s32(acc.high, q.high, x.high);
    return acc;
}

static inline sums_t square_step(sums_t acc, sums_t q, sums_t x)
{
    const sums_t diff = { vsubq_s32(q.low, x.low), vsubq_s32(q.high, x.high) };
    return dot_step(acc, diff, diff);
}

static inline float32x4_t square_step_float(float32x4_t acc, float32x4_t diff)
{
    return vfmaq_f32(acc, diff, diff);
}

#include "kernel_table.h"

const ls_kernels *ls_kernels_neon(void)
{
    static ls_kernels without;
    if (getauxval(AT_HWCAP) & HAS_CRC)
        return &table;
    without = table;
    without.check = ls_kernels_plain()->check;
    return &without;
}
#else
const ls_kernels *ls_kernels_neon(void)
{
    return NULL;
}
#endif
