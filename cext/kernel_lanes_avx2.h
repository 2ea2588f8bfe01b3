/* The byte shuffle of AVX2, as kernel_scan.h takes it; AVX-512 has it too. */
#ifndef LONGSPAN_LANES_AVX2_H
#define LONGSPAN_LANES_AVX2_H

#include <immintrin.h>

#define BWIDE 32
#define LOAD_LANES(at, stride) \
    (wide_bytes)_mm256_inserti128_si256( \
        _mm256_castsi128_si256(_mm_loadu_si128((const __m128i *)(at))), \
        _mm_loadu_si128((const __m128i *)((at) + (stride))), 1)
#define LOOK_UP(table, places) \
    (wide_bytes)_mm256_shuffle_epi8((__m256i)(table), (__m256i)(places))

#endif
