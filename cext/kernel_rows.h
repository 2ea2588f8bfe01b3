/* One distance kernel, written once over the vector macros of an instruction set.

   Include it for each (metric, dtype) with these defined; NAME, STEP and TAIL are undefined
   again, the rest stays for the next metric:
     NAME               the function
     ROW, QUERY, SUM    element types of the rows, the query and the sum
     VEC, WIDTH         the accumulator, and how many elements one step eats
     ZERO, LOADQ(p), LOADX(p), STEP(acc, q, x), TAIL(q, x)
     REDUCE(acc), REDUCE4(sums, a, b, c, d)

   Four rows go together, so that the query is loaded once for four. */

LS_TARGET static void NAME(const void *query, const void *rows, size_t n, size_t dim, float *out)
{
    const QUERY *q = query;
    const ROW *row = rows;
    const size_t wide = dim - dim % WIDTH;
    size_t i = 0;

    for (; i + 4 <= n; i += 4, row += 4 * dim) {
        VEC a = ZERO, b = ZERO, c = ZERO, d = ZERO;
        for (size_t j = 0; j < wide; j += WIDTH) {
            const VEC part = LOADQ(q + j);
            a = STEP(a, part, LOADX(row + j));
            b = STEP(b, part, LOADX(row + dim + j));
            c = STEP(c, part, LOADX(row + 2 * dim + j));
            d = STEP(d, part, LOADX(row + 3 * dim + j));
        }
        SUM sums[4];
        REDUCE4(sums, a, b, c, d);
        for (size_t j = wide; j < dim; j++)
            for (size_t r = 0; r < 4; r++)
                sums[r] += TAIL(q[j], row[r * dim + j]);
        for (size_t r = 0; r < 4; r++)
            out[i + r] = (float)sums[r];
    }
    for (; i < n; i++, row += dim) {
        VEC a = ZERO;
        for (size_t j = 0; j < wide; j += WIDTH)
            a = STEP(a, LOADQ(q + j), LOADX(row + j));
        SUM sum = REDUCE(a);
        for (size_t j = wide; j < dim; j++)
            sum += TAIL(q[j], row[j]);
        out[i] = (float)sum;
    }
}

#undef NAME
#undef STEP
#undef TAIL
