/* See stream.h. A tile is short of what makes a C library's copy go around the caches, so
 * that all four loops store alike. */
#include "stream.h"

#include "lanes.h"
#include <string.h>

#define TILE ((size_t)2048) /* elements */

static size_t tiles(size_t n)
{
    return (n + TILE - 1) / TILE;
}

static size_t tile_end(size_t n, size_t tile)
{
    return n - tile * TILE < TILE ? n : (tile + 1) * TILE;
}

LANES_CLONES
static void copy(size_t n, double *a, double *b, double *c)
{
    (void)b;
    for (size_t i = 0; i < n; i++)
        c[i] = a[i];
}

LANES_CLONES
static void scale(size_t n, double *a, double *b, double *c)
{
    (void)a;
#pragma GCC ivdep
    for (size_t i = 0; i < n; i++)
        b[i] = STREAM_S * c[i];
}

LANES_CLONES
static void add(size_t n, double *a, double *b, double *c)
{
#pragma GCC ivdep
    for (size_t i = 0; i < n; i++)
        c[i] = a[i] + b[i];
}

LANES_CLONES
static void triad(size_t n, double *a, double *b, double *c)
{
#pragma GCC ivdep
    for (size_t i = 0; i < n; i++)
        a[i] = b[i] + STREAM_S * c[i];
}

void stream_fill(size_t n, double *a, double *b, double *c)
{
#pragma omp parallel for schedule(static)
    for (size_t t = 0; t < tiles(n); t++) {
        for (size_t i = t * TILE; i < tile_end(n, t); i++) {
            a[i] = (double)(1 + i % 8);
            b[i] = 2;
            c[i] = 0;
        }
    }
}

void stream_run(enum stream_op op, size_t n, double *a, double *b, double *c)
{
    static void (*const loops[])(size_t, double *, double *, double *) = {
        [STREAM_COPY] = copy,
        [STREAM_SCALE] = scale,
        [STREAM_ADD] = add,
        [STREAM_TRIAD] = triad};
#pragma omp parallel for schedule(static)
    for (size_t t = 0; t < tiles(n); t++) {
        size_t at = t * TILE;
        loops[op](tile_end(n, t) - at, a + at, b + at, c + at);
    }
}

size_t stream_count_wrong(
    size_t n, size_t rounds, const double *a, const double *b, const double *c)
{
    double x[8], y[8], z[8];
    size_t wrong = 0;
    stream_fill(8, x, y, z);
    for (size_t r = 0; r < rounds; r++) {
        for (enum stream_op op = 0; op < STREAM_OPS; op++)
            stream_run(op, 8, x, y, z);
    }
#pragma omp parallel for schedule(static) reduction(+ : wrong)
    for (size_t i = 0; i < n; i++) {
        wrong += memcmp(&a[i], &x[i % 8], sizeof(double)) != 0 ||
                 memcmp(&b[i], &y[i % 8], sizeof(double)) != 0 ||
                 memcmp(&c[i], &z[i % 8], sizeof(double)) != 0;
    }
    return wrong;
}
