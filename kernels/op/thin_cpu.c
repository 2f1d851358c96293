/* See thin.h. A thread has a run of columns of B and walks it from the first p to the
 * last; the sums of what it reads side by side stay in registers or in the first cache.
 * The same source for each vector width, as in product_cpu.c. */
#include "thin.h"

#include "lanes.h"
#include "product.h"
#include "threads.h"

#pragma GCC diagnostic ignored "-Wpsabi" /* as in product_cpu.c */

#define THREADED ((size_t)1 << 16) /* multiplications: some 10 us of reading */
#define STRIP    ((size_t)512)     /* columns whose sums are in the first cache */
#define STEP     ((size_t)8)       /* rows of B that are read side by side */
#define GRAIN    ((size_t)32)      /* columns that go to one thread: whole cache lines */
#define DEPTH    ((size_t)PRODUCT_DEPTH)

/* A block's sums of row r, columns j .. j + n; the first block (p 0) begins C. */
static inline void thin_store(
    const struct thin *s, size_t p, size_t r, size_t j, size_t n, const float *sums)
{
    float *c = s->c + r * s->ldc + j;
    bool add = s->add || p > 0;
    for (size_t v = 0; v < n; v++)
        c[v] = add ? c[v] + sums[v] : sums[v];
}

/* Columns v .. n that fill no vector, `depth` p's from q on. */
static inline __attribute__((always_inline)) void thin_plain_rest(const struct thin *s,
                                                                  size_t q,
                                                                  size_t depth,
                                                                  size_t j,
                                                                  size_t v,
                                                                  size_t n,
                                                                  float *sums)
{
    for (size_t p = q; p < q + depth && v < n; p++) {
        const float *b = s->b + p * s->ldb + j;
        for (size_t r = 0; r < s->m; r++) {
            float a = s->a[p * s->a_step + r * s->a_row];
            for (size_t c = v; c < n; c++)
                sums[r * STRIP + c] = __builtin_fmaf(a, b[c], sums[r * STRIP + c]);
        }
    }
}

/* Chains of a turned B that go on one by one: p's from q to end. */
static inline __attribute__((always_inline)) void thin_turned_rest(
    const struct thin *s, size_t j, size_t n, size_t q, size_t end, float *sums)
{
    for (; q < end; q++) {
        for (size_t r = 0; r < s->m; r++) {
            float a = s->a[q * s->a_step + r * s->a_row];
            for (size_t v = 0; v < n; v++)
                sums[r * STRIP + v] =
                    __builtin_fmaf(a, s->b[(j + v) * s->ldb + q], sums[r * STRIP + v]);
        }
    }
}

typedef float fused4 __attribute__((vector_size(16)));

LANES_INLINE fused4 narrow_fused(float x, fused4 b, fused4 c)
{
    fused4 r = {0};
    for (unsigned l = 0; l < 4; l++)
        r[l] = __builtin_fmaf(x, b[l], c[l]);
    return r;
}

/* Pairs of rows become quads of columns: LOW and HIGH take turns between two vectors
 * within every four lanes, FIRST and SECOND put halves of four side by side. */
#define NAME(x) narrow_##x
#define BYTES   16
#define FMA     narrow_fused
#define TARGET
#define LOW    0, 4, 1, 5
#define HIGH   2, 6, 3, 7
#define FIRST  0, 1, 4, 5
#define SECOND 2, 3, 6, 7
#include "thin_width.h"
#undef NAME
#undef BYTES
#undef FMA
#undef TARGET
#undef LOW
#undef HIGH
#undef FIRST
#undef SECOND

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define THIN_X86 1
#include <immintrin.h>

#define NAME(x)      avx2_##x
#define BYTES        32
#define FMA(x, b, c) _mm256_fmadd_ps(_mm256_set1_ps(x), (__m256)(b), (__m256)(c))
#define TARGET       __attribute__((target("avx2,fma")))
#define HALF(x)      narrow_##x
#define ALL          0, 1, 2, 3, 4, 5, 6, 7
#define LOW          0, 8, 1, 9, 4, 12, 5, 13
#define HIGH         2, 10, 3, 11, 6, 14, 7, 15
#define FIRST        0, 1, 8, 9, 4, 5, 12, 13
#define SECOND       2, 3, 10, 11, 6, 7, 14, 15
#include "thin_width.h"
#undef NAME
#undef BYTES
#undef FMA
#undef TARGET
#undef HALF
#undef ALL
#undef LOW
#undef HIGH
#undef FIRST
#undef SECOND

#define NAME(x)      avx512_##x
#define BYTES        64
#define FMA(x, b, c) _mm512_fmadd_ps(_mm512_set1_ps(x), (__m512)(b), (__m512)(c))
#define TARGET       __attribute__((target("avx512f,avx2,fma")))
#define HALF(x)      avx2_##x
#define ALL          0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
#define LOW          0, 16, 1, 17, 4, 20, 5, 21, 8, 24, 9, 25, 12, 28, 13, 29
#define HIGH         2, 18, 3, 19, 6, 22, 7, 23, 10, 26, 11, 27, 14, 30, 15, 31
#define FIRST        0, 1, 16, 17, 4, 5, 20, 21, 8, 9, 24, 25, 12, 13, 28, 29
#define SECOND       2, 3, 18, 19, 6, 7, 22, 23, 10, 11, 26, 27, 14, 15, 30, 31
#include "thin_width.h"
#undef NAME
#undef BYTES
#undef FMA
#undef TARGET
#undef HALF
#undef ALL
#undef LOW
#undef HIGH
#undef FIRST
#undef SECOND
#endif

static void columns(const struct thin *s, size_t j, size_t n)
{
#ifdef THIN_X86
    if (__builtin_cpu_supports("avx512f")) {
        avx512_run(s, j, n);
        return;
    }
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
        avx2_run(s, j, n);
        return;
    }
#endif
    narrow_run(s, j, n);
}

void thin_run(const struct thin *s)
{
    size_t grains = (s->n + GRAIN - 1) / GRAIN, parts = threads_count();
    parts = parts < grains ? parts : grains;
    if (parts <= 1 || s->n * s->k < THREADED) {
        columns(s, 0, s->n);
        return;
    }
#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < parts; i++) {
        size_t from = grains * i / parts * GRAIN, to = grains * (i + 1) / parts * GRAIN;
        columns(s, from, (to < s->n ? to : s->n) - from);
    }
}
