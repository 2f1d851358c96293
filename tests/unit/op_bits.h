/* What the operators' tests share about bits and threads: arrays that free themselves,
 * outputs that begin as NaN, equality of every bit. */
#ifndef OP_BITS_H
#define OP_BITS_H

#include "kernels/op/threads.h"
#include "op_check.h"
#include <math.h>
#include <stdbool.h>
#include <string.h>

static inline void op_free(void *p)
{
    free(*(void **)p);
}

#define OP_FLOATS  __attribute__((cleanup(op_free))) float *
#define OP_DOUBLES __attribute__((cleanup(op_free))) double *

/* Sizes that fill no vector, one, and many. */
static const size_t op_odd[] = {1, 7, 64, 65, 1000};
#define OP_ODD (sizeof(op_odd) / sizeof(op_odd[0]))

/* Nothing that an operator should have written looks right. */
static inline float *op_poisoned(size_t n)
{
    float *v = malloc((n + 1) * sizeof(*v));
    for (size_t i = 0; i < n; i++)
        v[i] = NAN;
    return v;
}

static inline float *op_copy(const float *x, size_t n)
{
    float *v = malloc((n + 1) * sizeof(*v));
    memcpy(v, x, n * sizeof(*v));
    return v;
}

static inline double *op_doubles(size_t n)
{
    return calloc(n + 1, sizeof(double));
}

static inline bool op_same_bits(const float *a, const float *b, size_t n)
{
    return memcmp(a, b, n * sizeof(*a)) == 0;
}

#endif
