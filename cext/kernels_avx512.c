/* AVX-512 F and BW: servers since Skylake-SP (Intel) and Zen 4 (AMD). */
#include "kernels.h"

#if defined(__x86_64__)
#define LS_TARGET __attribute__((target("sse4.2,f16c,avx512f,avx512bw")))
#define LS_NAME "avx512"
#define ADD_PAIRS(acc, a, b) _mm512_add_epi32(acc, _mm512_madd_epi16(a, b))
#include "kernel_avx512.h"
#include "kernel_table.h"

const ls_kernels *ls_kernels_avx512(void)
{
    __builtin_cpu_init();
    const int have = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw");
    return have ? &table : NULL;
}
#else
const ls_kernels *ls_kernels_avx512(void)
{
    return NULL;
}
#endif
