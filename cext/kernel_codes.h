/* The kernels of codes, which the compiler vectorises for LS_TARGET.

   A code has a byte for every 8 dimensions, a group: it names one of the 256 points of the group's
   book. A book is stored dimension by dimension, (8, 256), so that 256 products run side by side. */

/* FWIDE floats, or what a comparison of them gives; the compiler makes a register of them. */
typedef float wide_floats __attribute__((vector_size(4 * FWIDE)));
typedef int32_t wide_ints __attribute__((vector_size(4 * FWIDE)));

LS_TARGET static inline void code_dots(const float *x, const float *book, float *dots)
{
    for (size_t v = 0; v < LS_POINTS; v += 4 * FWIDE) {
        wide_floats sums[4] = {0};
        for (size_t d = 0; d < LS_GROUP; d++)
            for (size_t i = 0; i < 4; i++) {
                wide_floats part;
                memcpy(&part, book + d * LS_POINTS + v + FWIDE * i, sizeof part);
                sums[i] += x[d] * part;
            }
        memcpy(dots + v, sums, sizeof sums);
    }
}

LS_TARGET static void code_tables(const float *x, const float *books, size_t groups, size_t shared,
                                  float *tables)
{
    for (size_t g = 0; g < groups; g++)
        code_dots(x + g * LS_GROUP, shared ? books : books + g * LS_GROUP * LS_POINTS,
                  tables + g * LS_POINTS);
}

/* The least of halves - dots, the first of equals. */
LS_TARGET static uint8_t code_nearest(const float *halves, const float *dots)
{
    wide_floats least = {0};
    wide_ints where, at;
    for (int32_t j = 0; j < FWIDE; j++)
        at[j] = where[j] = j;
    for (size_t v = 0; v < LS_POINTS; v += FWIDE, at += FWIDE) {
        wide_floats half, dot;
        memcpy(&half, halves + v, sizeof half);
        memcpy(&dot, dots + v, sizeof dot);
        const wide_floats cost = half - dot;
        if (v == 0)
            least = cost;
        const wide_ints lower = cost < least;
        where = (lower & at) | (~lower & where);
        least = (wide_floats)((lower & (wide_ints)cost) | (~lower & (wide_ints)least));
    }
    int32_t best = 0;
    for (int32_t j = 1; j < FWIDE; j++)
        if (least[j] < least[best] || (least[j] == least[best] && where[j] < where[best]))
            best = j;
    return (uint8_t)where[best];
}

/* Eight groups of one code; its bytes are loaded together. */
LS_TARGET static inline float code_eight(const uint8_t *code, const float *tables, float sum)
{
    uint64_t bytes;
    memcpy(&bytes, code, sizeof bytes);
    for (size_t g = 0; g < 8; g++, bytes >>= 8)
        sum += tables[g * LS_POINTS + (LS_LITTLE ? bytes & 255 : code[g])];
    return sum;
}

LS_TARGET static inline float code_rest(const uint8_t *code, size_t from, size_t groups,
                                        const float *tables, float sum)
{
    for (size_t g = from; g < groups; g++)
        sum += tables[g * LS_POINTS + code[g]];
    return sum;
}

LS_TARGET static void code_sums(const uint8_t *codes, size_t stride, size_t n, size_t groups,
                                const float *tables, float *sums)
{
    const size_t eights = groups - groups % 8;
    size_t i = 0;
    for (; i + 4 <= n; i += 4, codes += 4 * stride) { /* four sums side by side: adding is slow */
        float a = 0, b = 0, c = 0, d = 0;
        for (size_t g = 0; g < eights; g += 8) {
            const float *table = tables + g * LS_POINTS;
            a = code_eight(codes + g, table, a);
            b = code_eight(codes + stride + g, table, b);
            c = code_eight(codes + 2 * stride + g, table, c);
            d = code_eight(codes + 3 * stride + g, table, d);
        }
        sums[i] = code_rest(codes, eights, groups, tables, a);
        sums[i + 1] = code_rest(codes + stride, eights, groups, tables, b);
        sums[i + 2] = code_rest(codes + 2 * stride, eights, groups, tables, c);
        sums[i + 3] = code_rest(codes + 3 * stride, eights, groups, tables, d);
    }
    for (; i < n; i++, codes += stride) {
        float sum = 0;
        for (size_t g = 0; g < eights; g += 8)
            sum = code_eight(codes + g, tables + g * LS_POINTS, sum);
        sums[i] = code_rest(codes, eights, groups, tables, sum);
    }
}

/* A record is a code, a byte that stands for a scale, and a half-precision addend. */
LS_TARGET static void code_estimates(const uint8_t *records, size_t n, const ls_codes *codes,
                                     float near, float *out)
{
    code_sums(records, codes->groups + 3, n, codes->groups, codes->tables, out);
    for (size_t i = 0; i < n; i++) {
        const uint8_t *scalars = records + i * (codes->groups + 3) + codes->groups;
        uint16_t half;
        memcpy(&half, scalars + 1, sizeof half);
        out[i] = near + codes->unit * LOAD_HALF(half) - 2 * codes->scales[scalars[0]] * out[i];
    }
}
