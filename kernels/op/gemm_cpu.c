/* Matrix product of floats on the CPU.
 *
 * Three ways through the same sums (gemm.h says which), so the choice is by speed alone:
 *
 *   thin     few rows of A: B is read once, in the order it lies in memory
 *   panels   small products: A as it lies, B packed a panel at a time where it must be
 *   blocks   the others: both packed, in blocks that fit the caches (Goto and van de
 *            Geijn, "Anatomy of high-performance matrix multiplication", TOMS 2008) */
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
#define THIN_STEP  ((size_t)8)  /* rows of B that are read side by side */
#define PANEL      ((size_t)64) /* columns */
#define BLOCK_M    ((size_t)6 * PRODUCT_ROWS)
#define BLOCK_N    ((size_t)768)
#define STRIP      ((size_t)8 * PRODUCT_COLS) /* columns of B that are packed at once */
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

/* What one pass over C shares: B packed in panels of COLS, for `depth` p's from p and n
 * columns from j; and each worker's room for a block of A. */
struct pass {
    size_t j, n, p, depth;
    float *a, *b;
};

/* Rows i .. i + m, panels first .. first + count of the pass. */
static void block(const struct call *x,
                  const struct pass *pass,
                  size_t i,
                  size_t m,
                  size_t first,
                  size_t count,
                  float *a)
{
    pack_panels(&x->at, pass->p, pass->depth, i, m, ROWS, a);
    for (size_t t = first; t < first + count; t++) {
        size_t j = t * COLS;
        for (size_t r = 0; r < m; r += ROWS) {
            const struct product_tile tile = {
                .k = pass->depth,
                .rows = least(ROWS, m - r),
                .cols = least(COLS, pass->n - j),
                .a = a + r * pass->depth,
                .b = pass->b + j * pass->depth,
                .c = x->c + (i + r) * x->ldc + pass->j + j,
                .ldc = x->ldc,
                .into = x->add || pass->p > 0 ? PRODUCT_ADD : PRODUCT_SET};
            product_tile(&tile);
        }
    }
}

/* How C is cut: evenly by whole tiles of rows, and by columns, too, where these do not
 * suffice. A worker has one part, and a buffer for its blocks of A. */
struct cut {
    size_t workers, rows, row_parts, col_parts;
};

static struct cut cut_for(size_t m, size_t workers)
{
    struct cut cut = {.workers = workers};
    cut.rows = blocks_of(blocks_of(m, ROWS), workers) * ROWS;
    cut.row_parts = blocks_of(m, cut.rows);
    cut.col_parts = workers / cut.row_parts;
    return cut;
}

/* Rows i .. i + m, block by block. */
static void part(const struct call *x,
                 const struct pass *pass,
                 size_t i,
                 size_t m,
                 size_t first,
                 size_t count,
                 float *a)
{
    for (size_t r = 0; r < m; r += BLOCK_M)
        block(x, pass, i + r, least(BLOCK_M, m - r), first, count, a);
}

static void one_pass(const struct call *x, const struct cut *cut, const struct pass *pass)
{
    size_t n_panels = blocks_of(pass->n, COLS);
    size_t group = blocks_of(n_panels, cut->col_parts);
#pragma omp parallel if (cut->workers > 1)
    {
#pragma omp for schedule(static)
        for (size_t j = 0; j < pass->n; j += STRIP)
            pack_panels(&x->b,
                        pass->p,
                        pass->depth,
                        pass->j + j,
                        least(STRIP, pass->n - j),
                        COLS,
                        pass->b + j * pass->depth);
#pragma omp for schedule(static)
        for (size_t w = 0; w < cut->row_parts * cut->col_parts; w++) {
            size_t i = w / cut->col_parts * cut->rows;
            size_t first = least(w % cut->col_parts * group, n_panels);
            part(x,
                 pass,
                 i,
                 least(cut->rows, x->m - i),
                 first,
                 least(group, n_panels - first),
                 pass->a + w * BLOCK_M * DEPTH);
        }
    }
}

/* False when there is no memory for the packed operands. */
static bool blocks(const struct call *x)
{
    bool threaded = work(x) >= THREADED;
    const struct cut cut = cut_for(x->m, threaded ? threads_count() : 1);
    size_t wide = least(BLOCK_N, blocks_of(x->n, COLS) * COLS);
    float *room =
        aligned_alloc(64, (wide + cut.workers * BLOCK_M) * DEPTH * sizeof(float));
    if (room == NULL)
        return false;
    struct pass pass = {.a = room, .b = room + cut.workers * BLOCK_M * DEPTH};
    for (pass.j = 0; pass.j < x->n; pass.j += BLOCK_N) {
        pass.n = least(BLOCK_N, x->n - pass.j);
        for (pass.p = 0; pass.p < x->k; pass.p += DEPTH) {
            pass.depth = least(DEPTH, x->k - pass.p);
            one_pass(x, &cut, &pass);
        }
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
