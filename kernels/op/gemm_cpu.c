/* Matrix product of floats on the CPU.
 *
 * Three ways through the same sums (gemm.h says which), so the choice is by speed alone:
 *
 *   thin     few rows of A: B is read once, in the order it lies in memory
 *   panels   small products: A as it lies, B packed a panel at a time where it must be
 *   blocks   the others: both packed, in blocks that fit the caches (Goto and van de
 *            Geijn, "Anatomy of high-performance matrix multiplication", TOMS 2008):
 *            a panel of A stays in the first cache, while one of B after the other
 *            passes from the second */
#include "gemm.h"

#include "lanes.h"
#include "pack.h"
#include "product.h"
#include "thin.h"
#include "threads.h"
#include <assert.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define SMALL      0x1p19 /* multiplications: from here on, packing A pays */
#define THREADED   0x1p20 /* from here on, threads do: some 20 us of work */
#define THIN_LEAST 64     /* columns from which reading B as it lies pays */
#define THIN_COLS  ((size_t)512)
#define THIN_STEP  ((size_t)8)                  /* rows of B that are read side by side */
#define PANEL      ((size_t)64)                 /* columns */
#define BLOCK_M    ((size_t)172 * PRODUCT_ROWS) /* A: some 4 MB packed */
#define BLOCK_N    ((size_t)8 * PRODUCT_COLS)   /* B: half a MB */
#define DEPTH      ((size_t)PRODUCT_DEPTH)
#define ROWS       ((size_t)PRODUCT_ROWS)
#define COLS       ((size_t)PRODUCT_COLS)

struct call {
    size_t m, n, k;
    struct operand at, b; /* A transposed: [k][m], as its panels want it */
    float *c;
    size_t ldc;
    bool add;
};

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

static size_t blocks_of(size_t n, size_t size)
{
    return (n + size - 1) / size;
}

/* Multiplications. */
static double work(const struct call *x)
{
    return (double)x->m * (double)x->n * (double)x->k;
}

/* The block of p's that starts at p, for rows from i and columns from j. */
static struct product
product_at(const struct call *x, size_t i, size_t j, size_t p, size_t n)
{
    const struct operand *at = &x->at;
    const float *a = at->at;
    return (struct product){.m = x->m - i,
                            .n = n,
                            .k = least(DEPTH, x->k - p),
                            .a = at->turned ? a + i * at->ld + p : a + p * at->ld + i,
                            .a_row = at->turned ? at->ld : 1,
                            .a_step = at->turned ? 1 : at->ld,
                            .c = x->c + i * x->ldc + j,
                            .ldc = x->ldc,
                            .into = x->add || p > 0 ? PRODUCT_ADD : PRODUCT_SET};
}

/* Columns j .. j + n of a bf16 B, n at most THIN_COLS: THIN_STEP of its rows become
 * floats at a time. */
static void thin_strip(const struct call *x, size_t j, size_t n)
{
    _Alignas(64) float sums[THIN_ROWS * THIN_COLS], wide[THIN_STEP * THIN_COLS];
    size_t width = blocks_of(n, PRODUCT_LANES) * PRODUCT_LANES;
    for (size_t p = 0; p < x->k; p += DEPTH) {
        struct product s = product_at(x, 0, j, p, n);
        size_t depth = s.k;
        float *c = s.c;
        s.c = sums;
        s.ldc = THIN_COLS;
        bool add = s.into == PRODUCT_ADD;
        s.into = PRODUCT_SET;
        for (size_t q = 0; q < depth; q += THIN_STEP) {
            s.k = least(THIN_STEP, depth - q);
            s.b = wide;
            s.ldb = width;
            pack_panels(&x->b, p + q, s.k, j, n, width, wide);
            product_run(&s);
            s.a += s.k * s.a_step;
            s.into = PRODUCT_RESUME;
        }
        for (size_t i = 0; i < x->m; i++) {
            for (size_t v = 0; v < n; v++)
                c[i * x->ldc + v] = add ? c[i * x->ldc + v] + sums[i * THIN_COLS + v]
                                        : sums[i * THIN_COLS + v];
        }
    }
}

static void thin(const struct call *x)
{
    if (!x->b.bf16) {
        const struct product a = product_at(x, 0, 0, 0, 0);
        const struct thin t = {.m = x->m,
                               .n = x->n,
                               .k = x->k,
                               .a = a.a,
                               .a_row = a.a_row,
                               .a_step = a.a_step,
                               .b = x->b.at,
                               .ldb = x->b.ld,
                               .turned = x->b.turned,
                               .c = x->c,
                               .ldc = x->ldc,
                               .add = x->add};
        thin_run(&t);
        return;
    }
    size_t strips = blocks_of(x->n, THIN_COLS);
#pragma omp parallel for schedule(static) if (work(x) >= THREADED)
    for (size_t s = 0; s < strips; s++)
        thin_strip(x, s * THIN_COLS, least(THIN_COLS, x->n - s * THIN_COLS));
}

/* Columns j .. j + n, n at most PANEL. */
static void packed_panel(const struct call *x, size_t j, size_t n)
{
    _Alignas(64) float packed[PRODUCT_DEPTH * PANEL];
    size_t width = blocks_of(n, PRODUCT_LANES) * PRODUCT_LANES;
    for (size_t p = 0; p < x->k; p += DEPTH) {
        struct product s = product_at(x, 0, j, p, n);
        pack_panels(&x->b, p, s.k, j, n, width, packed);
        s.b = packed;
        s.ldb = width;
        product_run(&s);
    }
}

static void panels(const struct call *x)
{
    if (!x->b.turned && !x->b.bf16 && x->n % PRODUCT_LANES == 0 && work(x) < SMALL) {
        for (size_t p = 0; p < x->k; p += DEPTH) {
            struct product s = product_at(x, 0, 0, p, x->n);
            s.b = (const float *)x->b.at + p * x->b.ld;
            s.ldb = x->b.ld;
            product_run(&s);
        }
        return;
    }
    size_t count = blocks_of(x->n, PANEL);
#pragma omp parallel for schedule(static) if (work(x) >= THREADED)
    for (size_t t = 0; t < count; t++)
        packed_panel(x, t * PANEL, least(PANEL, x->n - t * PANEL));
}

/* Rows i .. i + m and columns j .. j + n of C, over `depth` p's from p. */
struct block {
    size_t i, m, j, n, p, depth;
    float *a, *b; /* packed */
};

static void block(const struct call *x, const struct block *k, bool packs_a)
{
    pack_panels(&x->b, k->p, k->depth, k->j, k->n, COLS, k->b);
    for (size_t r = 0; r < k->m; r += ROWS) {
        struct product_tile tile = {.k = k->depth,
                                    .rows = least(ROWS, k->m - r),
                                    .a = k->a + r * k->depth,
                                    .ldc = x->ldc,
                                    .into =
                                        x->add || k->p > 0 ? PRODUCT_ADD : PRODUCT_SET};
        if (packs_a)
            pack_panels(
                &x->at, k->p, k->depth, k->i + r, tile.rows, ROWS, k->a + r * k->depth);
        for (size_t t = 0; t < k->n; t += COLS) {
            tile.cols = least(COLS, k->n - t);
            tile.b = k->b + t * k->depth;
            tile.c = x->c + (k->i + r) * x->ldc + k->j + t;
            product_tile(&tile);
        }
    }
}

/* The length of equal parts of n, whole units, none above `most`. */
static size_t even(size_t n, size_t most, size_t unit)
{
    return blocks_of(blocks_of(n, blocks_of(n, most)), unit) * unit;
}

/* Floats that `packed` wants for its blocks of A and of B, of m rows and n columns or
 * fewer: fewer may be cut into longer parts. */
static size_t room_for(size_t m, size_t n, size_t k)
{
    size_t tall = blocks_of(least(m, BLOCK_M), ROWS) * ROWS;
    size_t wide = blocks_of(least(n, BLOCK_N), COLS) * COLS;
    return (tall + wide) * least(k, DEPTH);
}

static void packed(const struct call *x, float *room)
{
    size_t tall = even(x->m, BLOCK_M, ROWS), wide = even(x->n, BLOCK_N, COLS);
    struct block k = {.b = room, .a = room + wide * least(x->k, DEPTH)};
    for (k.p = 0; k.p < x->k; k.p += DEPTH) {
        k.depth = least(DEPTH, x->k - k.p);
        for (k.i = 0; k.i < x->m; k.i += tall) {
            k.m = least(tall, x->m - k.i);
            for (k.j = 0; k.j < x->n; k.j += wide) {
                k.n = least(wide, x->n - k.j);
                block(x, &k, k.j == 0);
            }
        }
    }
}

/* C cut into a grid of equal parts, one a worker, who packs what it multiplies: workers
 * do not wait for each other, and each has its block of B in its own cache. */
struct grid {
    size_t across, count; /* parts */
    size_t rows, cols;    /* of a part */
};

/* The grid whose parts take least time: a tile takes as long as the packing of some 16
 * rows or columns, which neighbours repeat. */
static struct grid grid_for(size_t m, size_t n, size_t workers)
{
    struct grid best = {0};
    size_t least_cost = SIZE_MAX, tall = blocks_of(m, ROWS), wide = blocks_of(n, COLS);
    for (size_t down = 1; down <= workers; down++) {
        size_t t = blocks_of(tall, down), w = blocks_of(wide, workers / down);
        size_t cost = 16 * t * w + t * ROWS + w * COLS;
        if (cost < least_cost) {
            least_cost = cost;
            best = (struct grid){
                .across = blocks_of(wide, w), .rows = t * ROWS, .cols = w * COLS};
            best.count = best.across * blocks_of(tall, t);
        }
    }
    return best;
}

/* Rows i .. i + m and columns j .. j + n of C as a product of its own. */
static struct call within(const struct call *x, size_t i, size_t m, size_t j, size_t n)
{
    struct call part = *x;
    part.m = m;
    part.n = n;
    part.at.at = (const float *)x->at.at + i * (x->at.turned ? x->at.ld : 1);
    part.b.at =
        (const char *)x->b.at +
        j * (x->b.turned ? x->b.ld : 1) * (x->b.bf16 ? sizeof(uint16_t) : sizeof(float));
    part.c = x->c + i * x->ldc + j;
    return part;
}

/* False when there is no memory for the packed operands. */
static bool blocks(const struct call *x)
{
    const struct grid g = grid_for(x->m, x->n, work(x) >= THREADED ? threads_count() : 1);
    size_t each = room_for(g.rows, g.cols, x->k);
    float *room = aligned_alloc(64, blocks_of(g.count * each * sizeof(float), 64) * 64);
    if (room == NULL)
        return false;
#pragma omp parallel for schedule(static) if (g.count > 1)
    for (size_t w = 0; w < g.count; w++) {
        size_t i = w / g.across * g.rows, j = w % g.across * g.cols;
        const struct call part =
            within(x, i, least(g.rows, x->m - i), j, least(g.cols, x->n - j));
        packed(&part, room + w * each);
    }
    free(room);
    return true;
}

static void clear(const struct call *x)
{
    for (size_t i = 0; i < x->m && !x->add; i++)
        memset(x->c + i * x->ldc, 0, x->n * sizeof(float));
}

/* Sizes below 2^31: no product of two of them wraps, nor one with DEPTH. */
static void multiply(const struct call *x)
{
    if (x->m == 0 || x->n == 0)
        return;
    if (x->k == 0) {
        clear(x);
        return;
    }
    bool small = work(x) < SMALL;
    bool few = x->m <= THIN_ROWS && x->n >= THIN_LEAST;
    if (few && (!x->b.bf16 || (!x->b.turned && !small)))
        thin(x);
    else if (small || x->m < ROWS || !blocks(x))
        panels(x);
}

static struct call
call_of(const struct gemm_shape *g, const float *a, const void *b, float *c)
{
    assert(g->m <= INT_MAX && g->n <= INT_MAX && g->k <= INT_MAX);
    bool tn = g->form == GEMM_TN, nt = g->form == GEMM_NT;
    return (struct call){.m = g->m,
                         .n = g->n,
                         .k = g->k,
                         .at = {.at = a,
                                .ld = g->lda > 0 ? g->lda
                                      : tn       ? g->m
                                                 : g->k,
                                .turned = !tn},
                         .b = {.at = b,
                               .ld = g->ldb > 0 ? g->ldb
                                     : nt       ? g->k
                                                : g->n,
                               .turned = nt},
                         .c = c,
                         .ldc = g->ldc > 0 ? g->ldc : g->n,
                         .add = g->add};
}

void gemm_run(const struct gemm_shape *g, const float *a, const float *b, float *c)
{
    const struct call x = call_of(g, a, b, c);
    multiply(&x);
}

void gemm_run_bf16(const struct gemm_shape *g,
                   const float *a,
                   const uint16_t *b,
                   float *c)
{
    struct call x = call_of(g, a, b, c);
    x.b.bf16 = true;
    multiply(&x);
}

void gemm_f32(enum gemm_form form,
              size_t m,
              size_t n,
              size_t k,
              const float *a,
              const float *b,
              float *c)
{
    const struct gemm_shape g = {.form = form, .m = m, .n = n, .k = k};
    gemm_run(&g, a, b, c);
}

/* Threads take whole products where there are enough of them, or share each one. */
void gemm_batch_run(const struct gemm_shape *g,
                    const struct gemm_batch *batch,
                    const float *a,
                    const float *b,
                    float *c)
{
#pragma omp parallel for schedule(static) if (batch->count >= threads_count())
    for (size_t i = 0; i < batch->count; i++)
        gemm_run(g, a + i * batch->a_step, b + i * batch->b_step, c + i * batch->c_step);
}

void gemm_to_bf16(size_t n, const float *v, uint16_t *ret)
{
    for (size_t i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, v + i, sizeof(bits));
        bool nan = (bits & 0x7fffffffU) > 0x7f800000U;
        uint32_t up = bits + 0x7fffU + (bits >> 16 & 1);
        ret[i] = (uint16_t)((nan ? bits | 0x400000U : up) >> 16);
    }
}

void gemm_from_bf16(size_t n, const uint16_t *v, float *ret)
{
    for (size_t i = 0; i < n; i++) {
        uint32_t bits = (uint32_t)v[i] << 16;
        memcpy(ret + i, &bits, sizeof(bits));
    }
}
