/* Softmax and its logarithm along the n columns of m rows, row-major [m][n].
 *
 *   softmax       y = exp(x - max) / sum over the row       dx = y (dy - sum(y dy))
 *   log-softmax   y = x - max - log(sum)                    dx = dy - exp(y) sum(dy)
 *
 * No overflow for any finite x. y may be x, dx may be dy (and y for softmax). A row with
 * a NaN, or of nothing but -inf, is NaN. Truth: softmax_ref.c, in double. */
#ifndef OP_SOFTMAX_H
#define OP_SOFTMAX_H

#include <stddef.h>

void softmax_forward(size_t m, size_t n, const float *x, float *y);
void softmax_backward(size_t m, size_t n, const float *y, const float *dy, float *dx);
void softmax_log_forward(size_t m, size_t n, const float *x, float *y);
void softmax_log_backward(size_t m, size_t n, const float *y, const float *dy, float *dx);

void softmax_ref_forward(size_t m, size_t n, const double *x, double *y);
void softmax_ref_backward(
    size_t m, size_t n, const double *y, const double *dy, double *dx);
void softmax_ref_log_forward(size_t m, size_t n, const double *x, double *y);
void softmax_ref_log_backward(
    size_t m, size_t n, const double *y, const double *dy, double *dx);

#endif
