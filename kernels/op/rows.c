/* See rows.h. */
#include "rows.h"

LANES_CLONES
void rows_plus(size_t n, const float *a, const float *b, float *x)
{
#pragma GCC ivdep
    for (size_t j = 0; j < n; j++)
        x[j] = a[j] + b[j];
}

LANES_CLONES
void rows_sum(size_t n, size_t stride, size_t count, const float *rows, float *ret)
{
    memset(ret, 0, n * sizeof(*ret));
    for (size_t i = 0; i < count; i++) {
#pragma GCC ivdep
        for (size_t j = 0; j < n; j++)
            ret[j] += rows[i * stride + j];
    }
}
