/* The loops of thin_cpu.c for one width of vectors; included there once a width, with
 *
 *   NAME(x)      x with the width's prefix
 *   BYTES        of a vector
 *   TARGET       the attribute that lets the compiler use them
 *   FMA(x, b, c)   x b + c in every lane, rounded once
 *   HALF         the prefix of the width below; undefined for the narrowest
 *   LOW, HIGH, FIRST, SECOND   the lanes of unpacked pairs (thin_cpu.c)
 *
 * No guard: each inclusion is another width. */
typedef float NAME(vec) __attribute__((vector_size(BYTES), aligned(4), may_alias));

#define LANES_OF ((size_t)BYTES / 4)

LANES_INLINE TARGET NAME(vec) NAME(fma)(float x, NAME(vec) b, NAME(vec) c)
{
    return (NAME(vec))FMA(x, b, c);
}

/* sums[row][j .. j + 4 vectors) go on by `depth` p's; the lines that come next are asked
 * for. */
LANES_INLINE TARGET void NAME(plain_tile)(const struct thin *s,
                                          const float *a,
                                          const float *b,
                                          const unsigned rows,
                                          const unsigned vectors,
                                          size_t depth,
                                          float *sums)
{
    NAME(vec) acc[THIN_ROWS][4];
#pragma GCC unroll 4
    for (unsigned r = 0; r < rows; r++) {
#pragma GCC unroll 4
        for (unsigned v = 0; v < vectors; v++)
            acc[r][v] = *(const NAME(vec) *)(sums + r * STRIP + v * LANES_OF);
    }
    for (size_t p = 0; p < depth; p++, a += s->a_step, b += s->ldb) {
#pragma GCC unroll 4
        for (unsigned v = 0; v < vectors; v++) {
            const NAME(vec) row = *(const NAME(vec) *)(b + v * LANES_OF);
            __builtin_prefetch(b + STEP * s->ldb + v * LANES_OF);
#pragma GCC unroll 4
            for (unsigned r = 0; r < rows; r++)
                acc[r][v] = NAME(fma)(a[r * s->a_row], row, acc[r][v]);
        }
    }
#pragma GCC unroll 4
    for (unsigned r = 0; r < rows; r++) {
#pragma GCC unroll 4
        for (unsigned v = 0; v < vectors; v++)
            *(NAME(vec) *)(sums + r * STRIP + v * LANES_OF) = acc[r][v];
    }
}

/* B as it lies, columns j .. j + n, n at most STRIP: STEP of its rows side by side. */
LANES_INLINE TARGET void
NAME(plain)(const struct thin *s, size_t j, size_t n, const unsigned rows)
{
    _Alignas(64) float sums[THIN_ROWS * STRIP];
    for (size_t p = 0; p < s->k; p += DEPTH) {
        size_t end = s->k - p < DEPTH ? s->k : p + DEPTH;
        memset(sums, 0, rows * STRIP * sizeof(*sums));
        for (size_t q = p; q < end; q += STEP) {
            size_t depth = end - q < STEP ? end - q : STEP, v = 0;
            const float *a = s->a + q * s->a_step, *b = s->b + q * s->ldb + j;
            for (; v + 4 * LANES_OF <= n; v += 4 * LANES_OF)
                NAME(plain_tile)(s, a, b + v, rows, 4, depth, sums + v);
            for (; v + LANES_OF <= n; v += LANES_OF)
                NAME(plain_tile)(s, a, b + v, rows, 1, depth, sums + v);
            thin_plain_rest(s, q, depth, j, v, n, sums);
        }
        for (size_t r = 0; r < rows; r++)
            thin_store(s, p, r, j, n, sums + r * STRIP);
    }
}

/* Four floats from `at`, four from at + step, and so on. */
LANES_INLINE TARGET NAME(vec) NAME(quads)(const float *at, size_t step)
{
#ifdef HALF
    return __builtin_shufflevector(
        HALF(quads)(at, step), HALF(quads)(at + LANES_OF / 8 * step, step), ALL);
#else
    (void)step;
    return *(const NAME(vec) *)at;
#endif
}

/* p's q .. q + 4 of as many rows of B as a vector has lanes: lane 4 g + r is row 4 g + r,
 * as row r of every four comes from quads `r`. */
LANES_INLINE TARGET void NAME(turn)(const float *b, size_t ldb, NAME(vec) column[4])
{
    const NAME(vec) x0 = NAME(quads)(b, 4 * ldb), x1 = NAME(quads)(b + ldb, 4 * ldb);
    const NAME(vec) x2 = NAME(quads)(b + 2 * ldb, 4 * ldb);
    const NAME(vec) x3 = NAME(quads)(b + 3 * ldb, 4 * ldb);
    const NAME(vec) low01 = __builtin_shufflevector(x0, x1, LOW);
    const NAME(vec) low23 = __builtin_shufflevector(x2, x3, LOW);
    const NAME(vec) high01 = __builtin_shufflevector(x0, x1, HIGH);
    const NAME(vec) high23 = __builtin_shufflevector(x2, x3, HIGH);
    column[0] = __builtin_shufflevector(low01, low23, FIRST);
    column[1] = __builtin_shufflevector(low01, low23, SECOND);
    column[2] = __builtin_shufflevector(high01, high23, FIRST);
    column[3] = __builtin_shufflevector(high01, high23, SECOND);
}

/* Columns j .. j + `vectors` vectors, p's from p to end. */
LANES_INLINE TARGET void NAME(turned_tile)(const struct thin *s,
                                           size_t j,
                                           size_t p,
                                           size_t end,
                                           const unsigned rows,
                                           const unsigned vectors,
                                           float *sums)
{
    NAME(vec) acc[THIN_ROWS][2] = {0};
    size_t q = p;
    const char *ahead = (const char *)(s->b + (j + vectors * LANES_OF) * s->ldb + p);
    for (; q + 4 <= end; q += 4) {
        const float *a = s->a + q * s->a_step;
        for (size_t l = 0; l < 16 * LANES_OF * vectors; l += 64, ahead += 64)
            __builtin_prefetch(ahead, 0, 2);
#pragma GCC unroll 2
        for (unsigned v = 0; v < vectors; v++) {
            NAME(vec) column[4];
            NAME(turn)(s->b + (j + v * LANES_OF) * s->ldb + q, s->ldb, column);
#pragma GCC unroll 4
            for (unsigned t = 0; t < 4; t++) {
#pragma GCC unroll 4
                for (unsigned r = 0; r < rows; r++)
                    acc[r][v] =
                        NAME(fma)(a[t * s->a_step + r * s->a_row], column[t], acc[r][v]);
            }
        }
    }
#pragma GCC unroll 4
    for (unsigned r = 0; r < rows; r++) {
#pragma GCC unroll 2
        for (unsigned v = 0; v < vectors; v++)
            *(NAME(vec) *)(sums + r * STRIP + v * LANES_OF) = acc[r][v];
    }
    thin_turned_rest(s, j, vectors * LANES_OF, q, end, sums);
}

/* Columns j .. j + n: two vectors of them, one, or what fills none. */
LANES_INLINE TARGET void
NAME(turned_columns)(const struct thin *s, size_t j, size_t n, const unsigned rows)
{
    _Alignas(64) float sums[THIN_ROWS * STRIP];
    for (size_t p = 0; p < s->k; p += DEPTH) {
        size_t end = s->k - p < DEPTH ? s->k : p + DEPTH;
        if (n == 2 * LANES_OF) {
            NAME(turned_tile)(s, j, p, end, rows, 2, sums);
        } else if (n == LANES_OF) {
            NAME(turned_tile)(s, j, p, end, rows, 1, sums);
        } else {
            memset(sums, 0, sizeof(sums));
            thin_turned_rest(s, j, n, p, end, sums);
        }
        for (size_t r = 0; r < rows; r++)
            thin_store(s, p, r, j, n, sums + r * STRIP);
    }
}

LANES_INLINE TARGET void
NAME(turned)(const struct thin *s, size_t j, size_t n, const unsigned rows)
{
    size_t v = 0;
    for (; v + 2 * LANES_OF <= n; v += 2 * LANES_OF)
        NAME(turned_columns)(s, j + v, 2 * LANES_OF, rows);
    if (v + LANES_OF <= n) {
        NAME(turned_columns)(s, j + v, LANES_OF, rows);
        v += LANES_OF;
    }
    if (v < n)
        NAME(turned_columns)(s, j + v, n - v, rows);
}

/* Columns j .. j + n. */
TARGET static void NAME(run)(const struct thin *s, size_t j, size_t n)
{
    if (s->turned) {
        if (s->m == 1)
            NAME(turned)(s, j, n, 1);
        else if (s->m == 2)
            NAME(turned)(s, j, n, 2);
        else if (s->m == 3)
            NAME(turned)(s, j, n, 3);
        else
            NAME(turned)(s, j, n, 4);
        return;
    }
    for (size_t v = 0; v < n; v += STRIP) {
        size_t wide = n - v < STRIP ? n - v : STRIP;
        if (s->m == 1)
            NAME(plain)(s, j + v, wide, 1);
        else if (s->m == 2)
            NAME(plain)(s, j + v, wide, 2);
        else if (s->m == 3)
            NAME(plain)(s, j + v, wide, 3);
        else
            NAME(plain)(s, j + v, wide, 4);
    }
}

#undef LANES_OF
