/* What the operators' tests share: numbers, and the normalised mean square error against
 * a reference. */
#ifndef OP_CHECK_H
#define OP_CHECK_H

#include "kernels/op/philox.h"
#include <stdlib.h>

static const size_t op_sizes[] = {1, 7, 64, 65};
#define OP_SIZES (sizeof(op_sizes) / sizeof(op_sizes[0]))

static inline float *op_numbers(size_t n, uint64_t stream)
{
    float *v = malloc((n + 1) * sizeof(*v));
    philox_uniform(42, stream, -1, 1, n, v);
    return v;
}

static inline double *op_widen(const float *v, size_t n)
{
    double *w = malloc((n + 1) * sizeof(*w));
    for (size_t i = 0; i < n; i++)
        w[i] = (double)v[i];
    return w;
}

/* The squared differences, added up. */
static inline double op_square(const float *got, const double *want, size_t n)
{
    double off = 0;
    for (size_t i = 0; i < n; i++)
        off += ((double)got[i] - want[i]) * ((double)got[i] - want[i]);
    return off;
}

static inline double op_nmse(const float *got, const double *want, size_t n)
{
    double off = op_square(got, want, n), size = 0;
    for (size_t i = 0; i < n; i++)
        size += want[i] * want[i];
    return size > 0 ? off / size : off;
}

#endif
