/* Matrix product on the CPU.
 *
 * A micro-shard of a small network multiplies 8 x 64 by 64 x 32: half of a BLAS call of
 * that size is argument checks, buffer hand-out and packing. Products up to GEMM_SMALL
 * multiplications therefore run here, in tiles of 4 rows by 16 columns held in registers
 * (bench/kernels shows both). Each element of C is the sum over k in ascending order, so
 * its bits do not depend on m, n or the tile it falls into. */
#include "gemm.h"

#include "blas.h"
#include "lanes.h"
#include <assert.h>
#include <limits.h>
#include <stdbool.h>
#include <string.h>

#define GEMM_SMALL (1U << 17) /* multiplications: where OpenBLAS starts to win */
#define GEMM_PACK  8192       /* floats of the packed B, on the stack */
#define TILE_ROWS  4

/* The shape of one small product; A is addressed by strides, B is [k][ldb]. */
struct small {
    size_t m, n, k;
    const float *a;
    size_t a_row, a_step; /* from row to row of C, from k to k + 1 */
    const float *b;
    size_t ldb;
    float *c;
};

LANES_INLINE void store(float *c, size_t room, lanes8 value)
{
    if (room >= LANES)
        *(lanes8 *)c = value;
    else
        memcpy(c, &value, room * sizeof(float));
}

/* C[i .. i + rows)[j .. j + width * LANES), rows and width being constants once inlined.
 */
LANES_INLINE void
tile(const struct small *s, size_t i, size_t j, const unsigned rows, const unsigned width)
{
    lanes8 acc[TILE_ROWS][2] = {0};
    const float *a = s->a + i * s->a_row;
    const float *b = s->b + j;
    for (size_t p = 0; p < s->k; p++, b += s->ldb) {
        lanes8 b0 = *(const lanes8 *)b;
        lanes8 b1 = width > 1 ? *(const lanes8 *)(b + LANES) : b0;
#pragma GCC unroll 4
        for (unsigned r = 0; r < rows; r++) {
            float x = a[r * s->a_row + p * s->a_step];
            acc[r][0] += x * b0;
            if (width > 1)
                acc[r][1] += x * b1;
        }
    }
#pragma GCC unroll 4
    for (unsigned r = 0; r < rows; r++) {
        float *c = s->c + (i + r) * s->n + j;
        store(c, s->n - j, acc[r][0]);
        if (width > 1)
            store(c + LANES, s->n - j - LANES, acc[r][1]);
    }
}

LANES_INLINE void row_of_tiles(const struct small *s, size_t i, const unsigned rows)
{
    size_t j = 0;
    for (; j + LANES < s->n; j += (size_t)2 * LANES)
        tile(s, i, j, rows, 2);
    if (j < s->n)
        tile(s, i, j, rows, 1);
}

LANES_CLONES
static void multiply_small(const struct small *s)
{
    size_t i = 0;
    for (; i + TILE_ROWS <= s->m; i += TILE_ROWS)
        row_of_tiles(s, i, TILE_ROWS);
    switch (s->m - i) {
    case 3:
        row_of_tiles(s, i, 3);
        break;
    case 2:
        row_of_tiles(s, i, 2);
        break;
    case 1:
        row_of_tiles(s, i, 1);
        break;
    default:
        break;
    }
}

/* B as [k][ldb] with zeros after column n. */
static void
pack(enum gemm_form form, size_t n, size_t k, size_t ldb, const float *b, float *packed)
{
    if (form == GEMM_NT) {
        for (size_t p = 0; p < k; p++) {
            for (size_t j = 0; j < n; j++)
                packed[p * ldb + j] = b[j * k + p];
        }
        for (size_t p = 0; p < k && ldb > n; p++)
            memset(packed + p * ldb + n, 0, (ldb - n) * sizeof(float));
        return;
    }
    size_t last = ldb - LANES; /* the only lanes of a row that are not full */
    for (size_t p = 0; p < k; p++, b += n, packed += ldb) {
        for (size_t j = 0; j < last; j += LANES)
            *(lanes8 *)(packed + j) = *(const lanes8 *)(b + j);
        *(lanes8 *)(packed + last) = (lanes8){0};
        for (size_t j = last; j < n; j++)
            packed[j] = b[j];
    }
}

/* False when the product is not a small one. */
static bool small(enum gemm_form form,
                  size_t m,
                  size_t n,
                  size_t k,
                  const float *a,
                  const float *b,
                  float *c) /* NOLINT(readability-non-const-parameter): see s */
{
    size_t ldb = (n + LANES - 1) / LANES * LANES;
    if (m > GEMM_SMALL || n > GEMM_SMALL || k > GEMM_SMALL || m * n > GEMM_SMALL ||
        m * n * k > GEMM_SMALL)
        return false;
    bool packs = form == GEMM_NT || n % LANES != 0;
    if (packs && k * ldb > GEMM_PACK)
        return false;
    _Alignas(64) float packed[GEMM_PACK];
    if (packs)
        pack(form, n, k, ldb, b, packed);
    struct small s = {.m = m,
                      .n = n,
                      .k = k,
                      .a = a,
                      .a_row = form == GEMM_TN ? 1 : k,
                      .a_step = form == GEMM_TN ? m : 1,
                      .b = packs ? packed : b,
                      .ldb = packs ? ldb : n,
                      .c = c};
    multiply_small(&s);
    return true;
}

void gemm_f32(enum gemm_form form,
              size_t m,
              size_t n,
              size_t k,
              const float *a,
              const float *b,
              float *c)
{
    assert(m <= INT_MAX && n <= INT_MAX && k <= INT_MAX);
    if (m == 0 || n == 0 || small(form, m, n, k, a, b, c))
        return;
    const struct blas *blas = blas_get(NULL);
    if (blas == NULL) { /* gemm_probe said so to whoever asked */
        gemm_ref_f32(form, m, n, k, a, b, c);
        return;
    }
    blas->sgemm(CblasRowMajor,
                form == GEMM_TN ? CblasTrans : CblasNoTrans,
                form == GEMM_NT ? CblasTrans : CblasNoTrans,
                (int)m,
                (int)n,
                (int)k,
                1.0F,
                a,
                (int)(form == GEMM_TN ? m : k),
                b,
                (int)(form == GEMM_NT ? k : n),
                0.0F,
                c,
                (int)n);
}

void gemm_f64(enum gemm_form form,
              size_t m,
              size_t n,
              size_t k,
              const double *a,
              const double *b,
              double *c)
{
    assert(m <= INT_MAX && n <= INT_MAX && k <= INT_MAX);
    if (m == 0 || n == 0)
        return;
    if (k == 0) {
        memset(c, 0, m * n * sizeof(*c));
        return;
    }
    const struct blas *blas = blas_get(NULL);
    if (blas == NULL) {
        gemm_ref_f64(form, m, n, k, a, b, c);
        return;
    }
    blas->dgemm(CblasRowMajor,
                form == GEMM_TN ? CblasTrans : CblasNoTrans,
                form == GEMM_NT ? CblasTrans : CblasNoTrans,
                (int)m,
                (int)n,
                (int)k,
                1.0,
                a,
                (int)(form == GEMM_TN ? m : k),
                b,
                (int)(form == GEMM_NT ? k : n),
                0.0,
                c,
                (int)n);
}

int gemm_probe(struct gm_error *err)
{
    return blas_get(err) == NULL ? -ENODEV : 0;
}

void gemm_set_threads(unsigned n)
{
    const struct blas *blas = blas_get(NULL);
    if (blas != NULL)
        blas->set_num_threads(n > INT_MAX ? INT_MAX : (int)n);
}

const char *gemm_backend(struct gm_error *err)
{
    const struct blas *blas = blas_get(err);
    return blas == NULL ? NULL : blas->get_config();
}
