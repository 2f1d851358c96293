/* The loops of product_cpu.c for one width of vectors; included there once a width, with
 *
 *   NAME(x)      x with the width's prefix
 *   BYTES        of a vector
 *   TARGET       the attribute that lets the compiler use them
 *   WIDE         vectors side by side in a tile of unpacked operands
 *   TALL         rows of a tile of packed operands, which is two vectors wide
 *
 * No guard: each inclusion is another width. */
typedef float NAME(vec) __attribute__((vector_size(BYTES), aligned(4), may_alias));

LANES_INLINE NAME(vec) NAME(fma)(float x, NAME(vec) b, NAME(vec) c)
{
    NAME(vec) r;
    for (unsigned l = 0; l < BYTES / 4; l++)
        r[l] = __builtin_fmaf(x, b[l], c[l]);
    return r;
}

/* C[i .. i + rows)[j .. j + vectors * lanes), rows and vectors being constants once
 * inlined. */
LANES_INLINE void NAME(tile)(const struct product *s,
                             size_t i,
                             size_t j,
                             const unsigned rows,
                             const unsigned vectors)
{
    const size_t lanes = BYTES / 4;
    NAME(vec) acc[PRODUCT_ROWS][WIDE] = {0}, row[WIDE];
    const float *a = s->a + i * s->a_row, *b = s->b + j;
    float *c = s->c + i * s->ldc + j;
    if (s->into == PRODUCT_RESUME) {
#pragma GCC unroll 12
        for (unsigned r = 0; r < rows; r++) {
#pragma GCC unroll 4
            for (unsigned v = 0; v < vectors; v++)
                acc[r][v] = *(const NAME(vec) *)(c + r * s->ldc + v * lanes);
        }
    }
    for (size_t p = 0; p < s->k; p++, a += s->a_step, b += s->ldb) {
#pragma GCC unroll 4
        for (unsigned v = 0; v < vectors; v++)
            row[v] = *(const NAME(vec) *)(b + v * lanes);
#pragma GCC unroll 12
        for (unsigned r = 0; r < rows; r++) {
            float x = a[r * s->a_row];
#pragma GCC unroll 4
            for (unsigned v = 0; v < vectors; v++)
                acc[r][v] = NAME(fma)(x, row[v], acc[r][v]);
        }
    }
#pragma GCC unroll 12
    for (unsigned r = 0; r < rows; r++) {
#pragma GCC unroll 4
        for (unsigned v = 0; v < vectors; v++) {
            NAME(vec) *to = (NAME(vec) *)(c + r * s->ldc + v * lanes);
            if (s->into == PRODUCT_ADD)
                acc[r][v] = *to + acc[r][v];
            *to = acc[r][v];
        }
    }
}

/* The last columns of a band, which do not fill their vectors: computed aside. */
LANES_INLINE void
NAME(edge)(const struct product *s, size_t i, size_t j, const unsigned rows)
{
    const size_t wide = WIDE * BYTES / 4;
    float aside[6 * WIDE * BYTES / 4];
    size_t cols = s->n - j;
    struct product e = *s;
    e.a += i * s->a_row;
    e.b += j;
    e.c = aside;
    e.ldc = wide;
    e.into = s->into == PRODUCT_RESUME ? PRODUCT_RESUME : PRODUCT_SET;
    for (size_t r = 0; r < rows && s->into == PRODUCT_RESUME; r++)
        memcpy(aside + r * wide, s->c + (i + r) * s->ldc + j, cols * sizeof(float));
    for (size_t v = 0; v < cols; v += BYTES / 4)
        NAME(tile)(&e, 0, v, rows, 1);
    for (size_t r = 0; r < rows; r++) {
        float *c = s->c + (i + r) * s->ldc + j;
        for (size_t v = 0; v < cols; v++)
            c[v] =
                s->into == PRODUCT_ADD ? c[v] + aside[r * wide + v] : aside[r * wide + v];
    }
}

/* All columns of `rows` rows, at most 6. */
LANES_INLINE void NAME(band)(const struct product *s, size_t i, const unsigned rows)
{
    const size_t lanes = BYTES / 4;
    size_t j = 0;
    for (; j + WIDE * lanes <= s->n; j += WIDE * lanes)
        NAME(tile)(s, i, j, rows, WIDE);
    for (; WIDE > 2 && j + 2 * lanes <= s->n; j += 2 * lanes)
        NAME(tile)(s, i, j, rows, 2);
    for (; j + lanes <= s->n; j += lanes)
        NAME(tile)(s, i, j, rows, 1);
    if (j < s->n)
        NAME(edge)(s, i, j, rows);
}

TARGET static void NAME(run)(const struct product *s)
{
    size_t i = 0;
    for (; i + 6 <= s->m; i += 6)
        NAME(band)(s, i, 6);
    for (; i + 4 <= s->m; i += 4)
        NAME(band)(s, i, 4);
    for (; i + 2 <= s->m; i += 2)
        NAME(band)(s, i, 2);
    if (i < s->m)
        NAME(band)(s, i, 1);
}

/* rows by vectors of C from packed operands, from row i and column j of the tile on. */
LANES_INLINE void NAME(packed)(const struct product_tile *t,
                               size_t i,
                               size_t j,
                               const unsigned rows,
                               const unsigned vectors)
{
    const size_t lanes = BYTES / 4;
    NAME(vec) acc[PRODUCT_ROWS][2] = {0}, row[2];
    const float *a = t->a + i, *b = t->b + j;
    const float *end = b + t->k * PRODUCT_COLS;
    for (; b != end; a += PRODUCT_ROWS, b += PRODUCT_COLS) {
#pragma GCC unroll 2
        for (unsigned v = 0; v < vectors; v++) {
            row[v] = *(const NAME(vec) *)(b + v * lanes);
            if (v * BYTES % 64 == 0)
                __builtin_prefetch(b + v * lanes + (size_t)8 * PRODUCT_COLS);
        }
#pragma GCC unroll 12
        for (unsigned r = 0; r < rows; r++) {
#pragma GCC unroll 2
            for (unsigned v = 0; v < vectors; v++)
                acc[r][v] = NAME(fma)(a[r], row[v], acc[r][v]);
        }
    }
    const size_t ldc = t->ldc;
    const bool add = t->into == PRODUCT_ADD;
    float *c = t->c + i * ldc + j;
#pragma GCC unroll 12
    for (unsigned r = 0; r < rows; r++, c += ldc) {
#pragma GCC unroll 2
        for (unsigned v = 0; v < vectors; v++) {
            NAME(vec) *to = (NAME(vec) *)(c + v * lanes);
            if (add)
                acc[r][v] = *to + acc[r][v];
            *to = acc[r][v];
        }
    }
}

/* `rows` is 4, 8 or 12, `cols` a multiple of 16. */
LANES_INLINE void
NAME(rows)(const struct product_tile *t, const unsigned rows, const unsigned tall)
{
    const size_t lanes = BYTES / 4;
    size_t j = 0;
    for (; j + 2 * lanes <= t->cols; j += 2 * lanes) {
        for (size_t i = 0; i < rows; i += tall)
            NAME(packed)(t, i, j, tall, 2);
    }
    for (; j < t->cols; j += lanes) {
        for (size_t i = 0; i < rows; i += tall)
            NAME(packed)(t, i, j, tall, 1);
    }
}

TARGET static void NAME(full)(const struct product_tile *t)
{
    for (size_t i = 0; i < t->rows; i++) {
        for (size_t j = 0; j < t->cols; j += 16)
            __builtin_prefetch(t->c + i * t->ldc + j, 1);
    }
    if (t->rows == 12)
        NAME(rows)(t, 12, TALL);
    else if (t->rows == 8)
        NAME(rows)(t, 8, TALL < 4 ? 2 : TALL > 8 ? 8 : 4);
    else
        NAME(rows)(t, 4, TALL < 4 ? 2 : 4);
}
