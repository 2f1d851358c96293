/* The truth of softmax, in double with libm. */
#include "softmax.h"

#include <math.h>

static double logarithm_of_sum(size_t n, const double *x)
{
    double max = -(double)INFINITY, sum = 0;
    for (size_t j = 0; j < n; j++)
        max = x[j] > max ? x[j] : max;
    for (size_t j = 0; j < n; j++)
        sum += exp(x[j] - max);
    /* cppcheck-suppress invalidFunctionArg ; no row is empty, and its sum is 1 or more */
    return max + log(sum);
}

void softmax_ref_forward(size_t m, size_t n, const double *x, double *y)
{
    for (size_t i = 0; i < m; i++, x += n, y += n) {
        double norm = logarithm_of_sum(n, x);
        for (size_t j = 0; j < n; j++)
            y[j] = exp(x[j] - norm);
    }
}

void softmax_ref_backward(
    size_t m, size_t n, const double *y, const double *dy, double *dx)
{
    for (size_t i = 0; i < m; i++, y += n, dy += n, dx += n) {
        double sum = 0;
        for (size_t j = 0; j < n; j++)
            sum += y[j] * dy[j];
        for (size_t j = 0; j < n; j++)
            dx[j] = y[j] * (dy[j] - sum);
    }
}

void softmax_ref_log_forward(size_t m, size_t n, const double *x, double *y)
{
    for (size_t i = 0; i < m; i++, x += n, y += n) {
        double norm = logarithm_of_sum(n, x);
        for (size_t j = 0; j < n; j++)
            y[j] = x[j] - norm;
    }
}

void softmax_ref_log_backward(
    size_t m, size_t n, const double *y, const double *dy, double *dx)
{
    for (size_t i = 0; i < m; i++, y += n, dy += n, dx += n) {
        double sum = 0;
        for (size_t j = 0; j < n; j++)
            sum += dy[j];
        for (size_t j = 0; j < n; j++)
            dx[j] = dy[j] - exp(y[j]) * sum;
    }
}
