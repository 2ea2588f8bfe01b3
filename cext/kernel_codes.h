/* The kernels of codes, which the compiler vectorises for LS_TARGET.

   A code has a nibble for every 4 dimensions, which names one of the 16 points of its book; what a
   code stands for is the sum of its points. Nibbles whose books cover the same dimensions share
   them (additive quantization, Babenko and Lempitsky 2014, https://doi.org/10.1109/CVPR.2014.124).
   Why nibbles: a table of 16 bytes fits a register, so that 16 codes or more are looked up at once
   (quick ADC, Andre et al. 2017, https://arxiv.org/abs/1704.07355). */

/* FWIDE floats, or what a comparison of them gives; the compiler makes a register of them. */
typedef float wide_floats __attribute__((vector_size(4 * FWIDE)));
typedef int32_t wide_ints __attribute__((vector_size(4 * FWIDE)));
enum { PARTS = LS_POINTS / FWIDE };

LS_TARGET static void code_tables(const float *x, const ls_books *books, float *tables)
{
    for (size_t t = 0; t < books->nibbles; t++, tables += LS_POINTS) {
        const float *book = books->books + (books->shared ? 0 : t * books->span * LS_POINTS);
        const float *part = x + t * (LS_GROUP / 2) / books->span * books->span;
        wide_floats dots[PARTS] = {0};
        for (size_t d = 0; d < books->span; d++)
            for (size_t i = 0; i < PARTS; i++) {
                wide_floats values;
                memcpy(&values, book + d * LS_POINTS + i * FWIDE, sizeof values);
                dots[i] += part[d] * values;
            }
        memcpy(tables, dots, sizeof dots);
    }
}

static inline float lesser(float a, float b)
{
    return a < b ? a : b;
}

/* The least of 16 values. */
LS_TARGET static inline float least_of(const float *values)
{
    float least[LS_POINTS / 2];
    for (size_t v = 0; v < 8; v++)
        least[v] = lesser(values[v], values[v + 8]);
    for (size_t v = 0; v < 4; v++)
        least[v] = lesser(least[v], least[v + 4]);
    return lesser(lesser(least[0], least[2]), lesser(least[1], least[3]));
}

enum { SMALL = 127 }; /* the greatest value of a small table: two of them fit a byte */

LS_TARGET static void code_small(const float *tables, size_t groups, uint8_t *small, float *base,
                                 float *step)
{
    float widest = 0, sum = 0;
    for (size_t t = 0; t < 2 * groups; t++) {
        const float *table = tables + t * LS_POINTS, low = least_of(table);
        float high = table[0];
        for (size_t v = 1; v < LS_POINTS; v++)
            high = table[v] > high ? table[v] : high;
        sum += low;
        widest = high - low > widest ? high - low : widest;
    }
    const float scale = widest > 0 ? SMALL / widest : 0;
    for (size_t t = 0; t < 2 * groups; t++) {
        const float *table = tables + t * LS_POINTS, low = least_of(table);
        uint8_t *out = small + (t % 2 * groups + t / 2) * LS_POINTS;
        for (size_t v = 0; v < LS_POINTS; v++)
            out[v] = (uint8_t)((table[v] - low) * scale + .5f);
    }
    *base = sum;
    *step = widest / SMALL;
}

/* The first point that costs no more than that; costs are finite, or it is the last. */
LS_TARGET static inline size_t point_at(const float *costs, size_t stride, const float *more,
                                        float least)
{
    size_t v = 0;
    while (v < LS_POINTS - 1 && !(costs[v * stride] + more[v] <= least))
        v++;
    return v;
}

/* The nibbles of one vector on the way to the best: what each point would cost beside the others. */
typedef struct {
    float costs[LS_SHARE * LS_POINTS];
    const float *cross;
    uint8_t *nibbles;
    size_t share;
} search_t;

LS_TARGET static inline const float *cross_of(const search_t *s, size_t p, size_t point, size_t q)
{
    return s->cross + ((p * LS_POINTS + point) * s->share + q) * LS_POINTS;
}

/* Add what point `point` of nibble p costs the others, sign times. */
LS_TARGET static inline void charge(search_t *s, size_t p, size_t point, float sign)
{
    const float *cross = cross_of(s, p, point, 0);
    for (size_t i = 0; i < s->share * LS_POINTS; i++)
        s->costs[i] += sign * cross[i];
}

/* least[v] = the least of first[u] + both[u][v] over all u, of a register of v. */
LS_TARGET static inline void least_pairs(const float *first, const float *both, size_t stride,
                                         float *least)
{
    wide_floats low, cost;
    memcpy(&low, both, sizeof low);
    low += first[0];
    for (size_t u = 1; u < LS_POINTS; u++) {
        memcpy(&cost, both + u * stride, sizeof cost);
        cost += first[u];
        const wide_ints lower = cost < low;
        low = (wide_floats)((lower & (wide_ints)cost) | (~lower & (wide_ints)low));
    }
    memcpy(least, &low, sizeof low);
}

/* Let nibble p name a point. */
LS_TARGET static inline void choose(search_t *s, size_t p, size_t point)
{
    charge(s, p, s->nibbles[p], -1);
    charge(s, p, point, 1);
    s->nibbles[p] = (uint8_t)point;
}

/* Give two nibbles the best of their 256 pairs of points while the others stay; return whether it
   is another one than they had. */
LS_TARGET static inline int choose_pair(search_t *s, size_t p, size_t q)
{
    const size_t stride = s->share * LS_POINTS, of_p = s->nibbles[p], of_q = s->nibbles[q];
    const float *both = cross_of(s, p, 0, q), *back = cross_of(s, q, of_q, p);
    float first[LS_POINTS], second[LS_POINTS], least[LS_POINTS];
    for (size_t v = 0; v < LS_POINTS; v++) {
        first[v] = s->costs[p * LS_POINTS + v] - back[v];
        second[v] = s->costs[q * LS_POINTS + v] - both[of_p * stride + v];
    }
    for (size_t v = 0; v < LS_POINTS; v += FWIDE)
        least_pairs(first, both + v, stride, least + v);
    float pairs[LS_POINTS];
    for (size_t v = 0; v < LS_POINTS; v++)
        pairs[v] = least[v] + second[v];
    const float best = least_of(pairs);
    if (!(best < first[of_p] + both[of_p * stride + of_q] + second[of_q]))
        return 0;
    const size_t v = point_at(least, 1, second, best);
    choose(s, p, point_at(both + v, stride, first, least[v]));
    choose(s, q, v);
    return 1;
}

enum { SWEEPS = 2 }; /* over all pairs */

LS_TARGET static void code_nearest(const float *dots, const float *halves, const float *cross,
                                   size_t share, uint8_t *nibbles)
{
    const float nothing[LS_POINTS] = {0};
    search_t s;
    s.cross = cross, s.nibbles = nibbles, s.share = share;
    for (size_t i = 0; i < share * LS_POINTS; i++)
        s.costs[i] = halves[i] - dots[i];
    for (size_t p = 0; p < share; p++) { /* one after the other, for a start */
        const float *costs = s.costs + p * LS_POINTS;
        nibbles[p] = (uint8_t)point_at(costs, 1, nothing, least_of(costs));
        charge(&s, p, nibbles[p], 1);
    }
    for (int moved = share > 1, sweep = 0; moved && sweep < SWEEPS; sweep++) {
        moved = 0;
        for (size_t p = 0; p < share; p++)
            for (size_t q = p + 1; q < share; q++)
                moved |= choose_pair(&s, p, q);
    }
}
