/* The squared length of a row, written once over the vector macros of an instruction set.

   Include it for each dtype with NAME, ROW, VEC, WIDTH, ZERO, STEP(acc, p), TAIL(x) and
   REDUCE(acc) defined; NAME, ROW, STEP and TAIL are undefined again. Sums are exact for integers,
   and made in double precision for floats, so that their rounded inverse root is the one that the
   indexer stores: a row has one distance whether its inverse norm is read or made. */

LS_TARGET static double NAME(const void *at, size_t dim)
{
    const ROW *row = at;
    const size_t wide = dim - dim % WIDTH;
    VEC acc = ZERO;

    for (size_t j = 0; j < wide; j += WIDTH)
        acc = STEP(acc, row + j);
    double sum = REDUCE(acc);
    for (size_t j = wide; j < dim; j++)
        sum += TAIL(row[j]);
    return sum;
}

#undef NAME
#undef ROW
#undef STEP
#undef TAIL
