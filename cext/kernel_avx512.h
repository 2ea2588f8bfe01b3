/* The vector macros that both AVX-512 files share; ADD_PAIRS(acc, a, b) is theirs. */
#include <immintrin.h>

/* Lanes of 32 bytes here too: tiles have 16 records, and few postings have many. */
#include "kernel_lanes_avx2.h"

#define IVEC __m512i
#define IWIDTH 32
#define IZERO _mm512_setzero_si512()
#define LOAD_U8(p) _mm512_cvtepu8_epi16(_mm256_loadu_si256((const __m256i *)(p)))
#define LOAD_I8(p) _mm512_cvtepi8_epi16(_mm256_loadu_si256((const __m256i *)(p)))
#define IDOT_STEP(acc, q, x) ADD_PAIRS(acc, q, x)
#define ISUB_STEP(acc, q, x) square_step(acc, _mm512_sub_epi16(q, x))
#define IREDUCE(acc) _mm512_reduce_add_epi32(acc)
#define IREDUCE4 REDUCE_EACH

#define BYTES 64
#define LOAD_BYTES(p) _mm512_loadu_si512(p)
#ifndef BYTES_DOT_STEP
#define BYTES_DOT_STEP(acc, q, x) \
    _mm512_add_epi32(acc, _mm512_madd_epi16(_mm512_maddubs_epi16(q, x), _mm512_set1_epi16(1)))
#endif

#define CRC_WORD(crc, word) (uint32_t)_mm_crc32_u64(crc, word)

#define FWIDE 16
#define FVEC __m512
#define FWIDTH 16
#define FZERO _mm512_setzero_ps()
#define LOAD_HALF(half) _cvtsh_ss(half)
#define LOAD_F16(p) _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)(p)))
#define LOAD_F32(p) _mm512_loadu_ps(p)
#define FDOT_STEP(acc, q, x) _mm512_fmadd_ps(q, x, acc)
#define FSUB_STEP(acc, q, x) square_step_float(acc, _mm512_sub_ps(q, x))
#define FREDUCE(acc) _mm512_reduce_add_ps(acc)
#define FREDUCE4 REDUCE_EACH

#define DVEC doubles_t
#define DZERO ((doubles_t){ _mm512_setzero_pd(), _mm512_setzero_pd() })
#define DSQUARE_STEP square_step_double
#define DREDUCE(acc) _mm512_reduce_add_pd(_mm512_add_pd((acc).low, (acc).high))

typedef struct {
    __m512d low, high;
} doubles_t;

LS_TARGET static inline doubles_t square_step_double(doubles_t acc, __m512 x)
{
    const __m512d low = _mm512_cvtps_pd(_mm512_castps512_ps256(x));
    const __m512d high = _mm512_cvtps_pd(
        _mm256_castpd_ps(_mm512_extractf64x4_pd(_mm512_castps_pd(x), 1)));
    acc.low = _mm512_fmadd_pd(low, low, acc.low);
    acc.high = _mm512_fmadd_pd(high, high, acc.high);
    return acc;
}

LS_TARGET static inline __m512i square_step(__m512i acc, __m512i diff)
{
    return ADD_PAIRS(acc, diff, diff);
}

LS_TARGET static inline __m512 square_step_float(__m512 acc, __m512 diff)
{
    return _mm512_fmadd_ps(diff, diff, acc);
}
