/* Sums and maxima along a row of floats: element i belongs to lane i % 32, a lane adds in
 * ascending order, and the 32 lanes are folded in one fixed way. A row that does not fill
 * its last 32 is filled up with what adds nothing. So the bits depend on the row alone
 * (lanes.h). For functions with LANES_CLONES. */
#ifndef OP_ROWS_H
#define OP_ROWS_H

#include "lanes.h"
#include <math.h>
#include <stddef.h>

#define ROW_WAYS 4
#define ROW_STEP ((size_t)ROW_WAYS * LANES)

struct row_lanes {
    lanes8 way[ROW_WAYS];
};

LANES_INLINE float row_fold(const struct row_lanes *a)
{
    lanes8 s = (a->way[0] + a->way[2]) + (a->way[1] + a->way[3]);
    return ((s[0] + s[4]) + (s[2] + s[6])) + ((s[1] + s[5]) + (s[3] + s[7]));
}

/* The last n < ROW_STEP elements, and `fill` behind them. */
LANES_INLINE void row_tail(size_t n, const float *x, float fill, float *ret)
{
    for (size_t i = 0; i < ROW_STEP; i++)
        ret[i] = fill;
    memcpy(ret, x, n * sizeof(*x));
}

LANES_INLINE void row_add(const float *x, struct row_lanes *a)
{
#pragma GCC unroll 4
    for (unsigned u = 0; u < ROW_WAYS; u++)
        a->way[u] += *(const lanes8 *)(x + (size_t)u * LANES);
}

LANES_INLINE float row_sum(size_t n, const float *x)
{
    struct row_lanes a = {0};
    size_t i = 0;
    for (; i + ROW_STEP <= n; i += ROW_STEP)
        row_add(x + i, &a);
    if (i < n) {
        float last[ROW_STEP];
        row_tail(n - i, x + i, 0, last);
        row_add(last, &a);
    }
    return row_fold(&a);
}

LANES_INLINE void row_add_products(const float *x, const float *y, struct row_lanes *a)
{
#pragma GCC unroll 4
    for (unsigned u = 0; u < ROW_WAYS; u++)
        a->way[u] += *(const lanes8 *)(x + (size_t)u * LANES) *
                     *(const lanes8 *)(y + (size_t)u * LANES);
}

LANES_INLINE float row_dot(size_t n, const float *x, const float *y)
{
    struct row_lanes a = {0};
    size_t i = 0;
    for (; i + ROW_STEP <= n; i += ROW_STEP)
        row_add_products(x + i, y + i, &a);
    if (i < n) {
        float last_x[ROW_STEP], last_y[ROW_STEP];
        row_tail(n - i, x + i, 0, last_x);
        row_tail(n - i, y + i, 0, last_y);
        row_add_products(last_x, last_y, &a);
    }
    return row_fold(&a);
}

LANES_INLINE void row_add_spread(const float *x, float about, struct row_lanes *a)
{
#pragma GCC unroll 4
    for (unsigned u = 0; u < ROW_WAYS; u++) {
        lanes8 off = *(const lanes8 *)(x + (size_t)u * LANES) - about;
        a->way[u] += off * off;
    }
}

/* The sum of (x[i] - about)^2. */
LANES_INLINE float row_spread(size_t n, const float *x, float about)
{
    struct row_lanes a = {0};
    size_t i = 0;
    for (; i + ROW_STEP <= n; i += ROW_STEP)
        row_add_spread(x + i, about, &a);
    if (i < n) {
        float last[ROW_STEP];
        row_tail(n - i, x + i, about, last);
        row_add_spread(last, about, &a);
    }
    return row_fold(&a);
}

/* The largest; a NaN is passed over, and of none it is -inf. */
LANES_INLINE float row_max(size_t n, const float *x)
{
    float top[ROW_STEP];
    for (size_t l = 0; l < ROW_STEP; l++)
        top[l] = -INFINITY;
    size_t i = 0;
    for (; i + ROW_STEP <= n; i += ROW_STEP) {
        for (size_t l = 0; l < ROW_STEP; l++)
            top[l] = x[i + l] > top[l] ? x[i + l] : top[l];
    }
    for (size_t l = 0; i + l < n; l++)
        top[l] = x[i + l] > top[l] ? x[i + l] : top[l];
    float max = top[0];
    for (size_t l = 1; l < ROW_STEP; l++)
        max = top[l] > max ? top[l] : max;
    return max;
}

/* e = exp(x - max), which may be x; returns the sum. */
LANES_INLINE float row_exp(size_t n, const float *x, float max, float *e)
{
#pragma GCC ivdep
    for (size_t i = 0; i < n; i++)
        e[i] = lanes_exp(x[i] - max);
    return row_sum(n, e);
}

/* The same sum, and nothing kept. */
LANES_INLINE float row_exp_sum(size_t n, const float *x, float max)
{
    struct row_lanes a = {0};
    for (size_t i = 0; i < n; i += ROW_STEP) {
        float e[ROW_STEP] = {0};
        size_t room = n - i;
        if (room >= ROW_STEP) {
            for (size_t l = 0; l < ROW_STEP; l++)
                e[l] = lanes_exp(x[i + l] - max);
        } else {
            for (size_t l = 0; l < room; l++)
                e[l] = lanes_exp(x[i + l] - max);
        }
        row_add(e, &a);
    }
    return row_fold(&a);
}

/* Of their own clones, for any function: x = a + b (x may be either); and the sum of
 * `count` rows that are `stride` apart, ascending. */
void rows_plus(size_t n, const float *a, const float *b, float *x);
void rows_sum(size_t n, size_t stride, size_t count, const float *rows, float *ret);

#endif
