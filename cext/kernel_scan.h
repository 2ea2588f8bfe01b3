/* Estimates of distances by the codes of a posting, 16 records, a tile, at a time.

   A tile of m records lies group by group: byte g of all its codes, m bytes, for each group g; then
   m scale bytes and m half-precision addends. Only the last tile of a posting has less than 16.

   Define for an instruction set that looks bytes up in registers BWIDE, the bytes of one;
   LOAD_LANES(at, stride), which fills it with 16 bytes of each group; and LOOK_UP(table, places), of
   16 bytes each. Without them records are looked at one by one. */

/* Sums of two tables of 7 bits fit a byte, and so many groups of them 16 bits. */
enum { SUMMED = 256 };

LS_TARGET static inline void sum_each(const uint8_t *codes, size_t rows, const ls_codes *c,
                                      size_t from, size_t to, float *sums)
{
    const uint8_t *low = c->small, *high = c->small + c->groups * LS_POINTS;
    for (size_t i = 0; i < rows; i++) {
        uint32_t sum = 0;
        for (size_t g = from; g < to; g++) {
            const uint8_t code = codes[g * rows + i];
            sum += low[g * LS_POINTS + (code & 15)] + high[g * LS_POINTS + (code >> 4)];
        }
        sums[i] += (float)sum;
    }
}

#ifdef BWIDE
typedef uint8_t wide_bytes __attribute__((vector_size(BWIDE)));
typedef uint16_t wide_words __attribute__((vector_size(BWIDE)));
enum { LANES = BWIDE / LS_TILE };

/* The same for a tile at once. Each load takes 16 bytes: of a tile of 4 records or more those
   beyond the last code lie within its own scales and addends. */
LS_TARGET static inline void sum_tile(const uint8_t *codes, size_t rows, const ls_codes *c,
                                      size_t from, size_t to, float *sums)
{
    const uint8_t *low = c->small, *high = c->small + c->groups * LS_POINTS;
    wide_words all = {0}, odd = {0};
    for (size_t g = from; g < to; g += LANES) {
        const wide_bytes code = LOAD_LANES(codes + g * rows, rows);
        const wide_bytes places = (wide_bytes)((wide_words)code >> 4) & 15;
        const wide_bytes sum = LOOK_UP(LOAD_LANES(low + g * LS_POINTS, LS_POINTS), code & 15)
                               + LOOK_UP(LOAD_LANES(high + g * LS_POINTS, LS_POINTS), places);
        all += (wide_words)sum; /* two bytes as one word; what the odd one adds goes again */
        odd += (wide_words)sum >> 8;
    }
    all -= odd << 8;
    uint16_t even_rows[BWIDE / 2], odd_rows[BWIDE / 2], words[LS_TILE];
    memcpy(even_rows, &all, sizeof all);
    memcpy(odd_rows, &odd, sizeof odd);
    for (size_t i = 0; i < LS_TILE / 2; i++) {
        words[2 * i] = even_rows[i];
        words[2 * i + 1] = odd_rows[i];
    }
    for (size_t lane = 1; lane < LANES; lane++)
        for (size_t i = 0; i < LS_TILE / 2; i++) {
            words[2 * i] += even_rows[lane * LS_TILE / 2 + i];
            words[2 * i + 1] += odd_rows[lane * LS_TILE / 2 + i];
        }
    for (size_t i = 0; i < LS_TILE; i++)
        sums[i] += (float)words[i];
}
#endif

LS_TARGET static inline void tile_sums(const uint8_t *codes, size_t rows, const ls_codes *c,
                                       float *sums)
{
    memset(sums, 0, LS_TILE * sizeof *sums);
    for (size_t from = 0; from < c->groups; from += SUMMED) {
        const size_t to = c->groups - from < SUMMED ? c->groups : from + SUMMED;
#ifdef BWIDE
        if (rows >= 4) {
            sum_tile(codes, rows, c, from, to, sums);
            continue;
        }
#endif
        sum_each(codes, rows, c, from, to, sums);
    }
}

LS_TARGET static inline void load_halves(const uint8_t *at, size_t n, float *out)
{
    size_t i = 0;
    for (; FWIDTH > 1 && i + FWIDTH <= n; i += FWIDTH) {
        const FVEC values = LOAD_F16((const uint16_t *)(at + 2 * i));
        memcpy(out + i, &values, sizeof values);
    }
    for (; i < n; i++) {
        uint16_t half;
        memcpy(&half, at + 2 * i, sizeof half);
        out[i] = LOAD_HALF(half);
    }
}

/* The estimates of a tile, from the sums of its codes. */
LS_TARGET static inline void estimate_rows(const uint8_t *scales, size_t rows, const ls_codes *c,
                                           float near, const float *sums, float *out)
{
    float factors[LS_TILE], addends[LS_TILE];
    load_halves(scales + rows, rows, addends);
    for (size_t i = 0; i < rows; i++)
        factors[i] = c->scales[scales[i]];
    for (size_t i = 0; i < rows; i++)
        out[i] = near + c->unit * addends[i] - 2 * factors[i] * (c->base + c->step * sums[i]);
}

LS_TARGET static void code_estimates(const uint8_t *records, size_t n, const ls_codes *c, float near,
                                     float *out)
{
    float sums[LS_TILE];
    size_t from = 0;
    for (; from + LS_TILE <= n; from += LS_TILE, records += (c->groups + 3) * LS_TILE) {
        tile_sums(records, LS_TILE, c, sums);
        estimate_rows(records + c->groups * LS_TILE, LS_TILE, c, near, sums, out + from);
    }
    if (from < n) {
        tile_sums(records, n - from, c, sums);
        estimate_rows(records + c->groups * (n - from), n - from, c, near, sums, out + from);
    }
}
