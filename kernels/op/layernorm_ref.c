/* The truth of layer normalisation, in double. */
#include "layernorm.h"

#include <math.h>

static void statistics(size_t n, double eps, const double *x, double *mean, double *rstd)
{
    double sum = 0, spread = 0;
    for (size_t j = 0; j < n; j++)
        sum += x[j];
    *mean = sum / (double)n;
    for (size_t j = 0; j < n; j++)
        spread += (x[j] - *mean) * (x[j] - *mean);
    *rstd = 1 / sqrt(spread / (double)n + eps);
}

void layernorm_ref_forward(size_t m,
                           size_t n,
                           double eps,
                           const double *x,
                           const double *gain,
                           const double *bias,
                           double *y)
{
    for (size_t i = 0; i < m; i++, x += n, y += n) {
        double mean, rstd;
        statistics(n, eps, x, &mean, &rstd);
        for (size_t j = 0; j < n; j++)
            y[j] = (x[j] - mean) * rstd * gain[j] + bias[j];
    }
}

void layernorm_ref_backward(size_t m,
                            size_t n,
                            double eps,
                            const double *x,
                            const double *gain,
                            const double *dy,
                            double *dx,
                            double *dgain,
                            double *dbias)
{
    for (size_t j = 0; j < n; j++)
        dgain[j] = dbias[j] = 0;
    for (size_t i = 0; i < m; i++, x += n, dy += n, dx += n) {
        double mean, rstd, g_mean = 0, gh_mean = 0;
        statistics(n, eps, x, &mean, &rstd);
        for (size_t j = 0; j < n; j++) {
            double h = (x[j] - mean) * rstd, g = dy[j] * gain[j];
            g_mean += g / (double)n;
            gh_mean += g * h / (double)n;
            dgain[j] += dy[j] * h;
            dbias[j] += dy[j];
        }
        for (size_t j = 0; j < n; j++) {
            double h = (x[j] - mean) * rstd, g = dy[j] * gain[j];
            dx[j] = rstd * (g - g_mean - h * gh_mean);
        }
    }
}
