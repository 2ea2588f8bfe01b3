/* AVX-512 with VNNI: multiply, pair and accumulate of 16-bit numbers in one instruction. */
#include "kernels.h"

#if defined(__x86_64__)
#define LS_TARGET __attribute__((target("sse4.2,f16c,avx512f,avx512bw,avx512vnni")))
#define LS_NAME "avx512vnni"
#define ADD_PAIRS(acc, a, b) _mm512_dpwssd_epi32(acc, a, b)
#define BYTES_DOT_STEP _mm512_dpbusd_epi32
#include "kernel_avx512.h"
#include "kernel_table.h"

const ls_kernels *ls_kernels_avx512vnni(void)
{
    __builtin_cpu_init();
    const int have = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw")
                     && __builtin_cpu_supports("avx512vnni");
    return have ? &table : NULL;
}
#else
const ls_kernels *ls_kernels_avx512vnni(void)
{
    return NULL;
}
#endif
