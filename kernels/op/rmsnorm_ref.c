/* The truth of the norm by the root mean square, in double. */
#include "rmsnorm.h"

#include <math.h>

static double reciprocal(size_t n, double eps, const double *x)
{
    double sum = 0;
    for (size_t j = 0; j < n; j++)
        sum += x[j] * x[j];
    return 1 / sqrt(sum / (double)n + eps);
}

void rmsnorm_ref_forward(
    size_t m, size_t n, double eps, const double *x, const double *gain, double *y)
{
    for (size_t i = 0; i < m; i++, x += n, y += n) {
        double rstd = reciprocal(n, eps, x);
        for (size_t j = 0; j < n; j++)
            y[j] = x[j] * rstd * gain[j];
    }
}

void rmsnorm_ref_backward(size_t m,
                          size_t n,
                          double eps,
                          const double *x,
                          const double *gain,
                          const double *dy,
                          double *dx,
                          double *dgain)
{
    for (size_t j = 0; j < n; j++)
        dgain[j] = 0;
    for (size_t i = 0; i < m; i++, x += n, dy += n, dx += n) {
        double rstd = reciprocal(n, eps, x), gh_mean = 0;
        for (size_t j = 0; j < n; j++) {
            gh_mean += dy[j] * gain[j] * x[j] * rstd / (double)n;
            dgain[j] += dy[j] * x[j] * rstd;
        }
        for (size_t j = 0; j < n; j++)
            dx[j] = rstd * (dy[j] * gain[j] - x[j] * rstd * gh_mean);
    }
}
