/* The truth of the gated activation, in double, over any number of elements. */
#include "swiglu.h"

#include <math.h>

void swiglu_ref_forward(size_t count, const double *a, const double *b, double *y)
{
    for (size_t i = 0; i < count; i++)
        y[i] = a[i] / (1 + exp(-a[i])) * b[i];
}

void swiglu_ref_backward(size_t count,
                         const double *a,
                         const double *b,
                         const double *dy,
                         double *da,
                         double *db)
{
    for (size_t i = 0; i < count; i++) {
        double s = 1 / (1 + exp(-a[i]));
        double x = a[i], g = dy[i];
        da[i] = g * b[i] * (s * (1 + x * (1 - s)));
        db[i] = g * x * s;
    }
}
