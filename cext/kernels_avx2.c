/* AVX2 with FMA and F16C: x86 since 2013 (Intel) and 2015 (AMD). */
#include "kernels.h"

#if defined(__x86_64__)
#include <immintrin.h>

#include "kernel_lanes_avx2.h"

#define LS_TARGET __attribute__((target("avx2,fma,f16c,sse4.2")))
#define LS_NAME "avx2"

/* Bytes are widened to 16 bits; a difference of two fits, and madd sums pairs of squares in 32. */
#define IVEC __m256i
#define IWIDTH 16
#define IZERO _mm256_setzero_si256()
#define LOAD_U8(p) _mm256_cvtepu8_epi16(_mm_loadu_si128((const __m128i *)(p)))
#define LOAD_I8(p) _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)(p)))
#define IDOT_STEP(acc, q, x) _mm256_add_epi32(acc, _mm256_madd_epi16(q, x))
#define ISUB_STEP(acc, q, x) square_step(acc, _mm256_sub_epi16(q, x))
#define IREDUCE reduce_int
#define IREDUCE4 reduce_ints

#define BYTES 32
#define LOAD_BYTES(p) _mm256_loadu_si256((const __m256i *)(p))
#define BYTES_DOT_STEP(acc, q, x) \
    _mm256_add_epi32(acc, _mm256_madd_epi16(_mm256_maddubs_epi16(q, x), _mm256_set1_epi16(1)))

#define CRC_WORD(crc, word) (uint32_t)_mm_crc32_u64(crc, word)

#define FWIDE 8
#define FVEC __m256
#define FWIDTH 8
#define FZERO _mm256_setzero_ps()
#define LOAD_HALF(half) _cvtsh_ss(half)
#define LOAD_F16(p) _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(p)))
#define LOAD_F32(p) _mm256_loadu_ps(p)
#define FDOT_STEP(acc, q, x) _mm256_fmadd_ps(q, x, acc)
#define FSUB_STEP(acc, q, x) square_step_float(acc, _mm256_sub_ps(q, x))
#define FREDUCE reduce_float
#define FREDUCE4 reduce_floats

#define DVEC doubles_t
#define DZERO ((doubles_t){ _mm256_setzero_pd(), _mm256_setzero_pd() })
#define DSQUARE_STEP square_step_double
#define DREDUCE reduce_double

typedef struct {
    __m256d low, high;
} doubles_t;

LS_TARGET static inline doubles_t square_step_double(doubles_t acc, __m256 x)
{
    const __m256d low = _mm256_cvtps_pd(_mm256_castps256_ps128(x));
    const __m256d high = _mm256_cvtps_pd(_mm256_extractf128_ps(x, 1));
    acc.low = _mm256_fmadd_pd(low, low, acc.low);
    acc.high = _mm256_fmadd_pd(high, high, acc.high);
    return acc;
}

LS_TARGET static inline double reduce_double(doubles_t acc)
{
    const __m256d all = _mm256_add_pd(acc.low, acc.high);
    const __m128d half = _mm_add_pd(_mm256_castpd256_pd128(all), _mm256_extractf128_pd(all, 1));
    return _mm_cvtsd_f64(_mm_add_sd(half, _mm_unpackhi_pd(half, half)));
}

LS_TARGET static inline __m256i square_step(__m256i acc, __m256i diff)
{
    return _mm256_add_epi32(acc, _mm256_madd_epi16(diff, diff));
}

LS_TARGET static inline __m256 square_step_float(__m256 acc, __m256 diff)
{
    return _mm256_fmadd_ps(diff, diff, acc);
}

LS_TARGET static inline int32_t reduce_int(__m256i acc)
{
    __m128i half = _mm_add_epi32(_mm256_castsi256_si128(acc), _mm256_extracti128_si256(acc, 1));
    half = _mm_add_epi32(half, _mm_shuffle_epi32(half, 0x4e));
    half = _mm_add_epi32(half, _mm_shuffle_epi32(half, 0xb1));
    return _mm_cvtsi128_si32(half);
}

/* In the order of reduce_floats, so that a row has one distance wherever it stands in a block. */
LS_TARGET static inline float reduce_float(__m256 acc)
{
    const __m256 pairs = _mm256_hadd_ps(acc, acc);
    const __m256 all = _mm256_hadd_ps(pairs, pairs);
    return _mm_cvtss_f32(_mm_add_ss(_mm256_castps256_ps128(all), _mm256_extractf128_ps(all, 1)));
}

LS_TARGET static inline void reduce_ints(int32_t *sums, __m256i a, __m256i b, __m256i c, __m256i d)
{
    const __m256i all = _mm256_hadd_epi32(_mm256_hadd_epi32(a, b), _mm256_hadd_epi32(c, d));
    _mm_storeu_si128((__m128i *)sums, _mm_add_epi32(_mm256_castsi256_si128(all),
                                                    _mm256_extracti128_si256(all, 1)));
}

LS_TARGET static inline void reduce_floats(float *sums, __m256 a, __m256 b, __m256 c, __m256 d)
{
    const __m256 all = _mm256_hadd_ps(_mm256_hadd_ps(a, b), _mm256_hadd_ps(c, d));
    _mm_storeu_ps(sums, _mm_add_ps(_mm256_castps256_ps128(all), _mm256_extractf128_ps(all, 1)));
}

#include "kernel_table.h"

const ls_kernels *ls_kernels_avx2(void)
{
    __builtin_cpu_init();
    const int have = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")
                     && __builtin_cpu_supports("f16c");
    return have ? &table : NULL;
}
#else
const ls_kernels *ls_kernels_avx2(void)
{
    return NULL;
}
#endif
