/* The truth of attention, in double with libm: a row of p at a time. */
#include "attention.h"

#include <math.h>
#include <string.h>

/* Dense [batch][token][head][size]: where head h of token t of sequence b begins. */
static size_t place(
    const struct attention *a, size_t tokens, size_t heads, size_t b, size_t t, size_t h)
{
    return ((b * tokens + t) * heads + h) * a->size;
}

static size_t key(const struct attention *a, size_t b, size_t j, size_t h)
{
    return place(a, a->past + a->tokens, a->kv_heads, b, j, h / (a->heads / a->kv_heads));
}

static double dot(size_t n, const double *x, const double *y)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += x[i] * y[i];
    return sum;
}

/* p[0 .. past + t] of one query. */
static void row(const struct attention *a,
                const double *q,
                const double *k,
                size_t b,
                size_t t,
                size_t h,
                double *p)
{
    size_t n = a->past + t + 1;
    double max = -INFINITY, sum = 0;
    for (size_t j = 0; j < n; j++) {
        p[j] =
            (double)a->scale *
            dot(a->size, q + place(a, a->tokens, a->heads, b, t, h), k + key(a, b, j, h));
        max = fmax(max, p[j]);
    }
    for (size_t j = 0; j < n; j++)
        sum += p[j] = exp(p[j] - max);
    for (size_t j = 0; j < n; j++)
        p[j] /= sum;
}

void attention_ref_forward(const struct attention *a,
                           const double *q,
                           const double *k,
                           const double *v,
                           double *o,
                           double *p)
{
    for (size_t i = 0; i < a->batch * a->tokens * a->heads; i++) {
        size_t h = i % a->heads, t = i / a->heads % a->tokens,
               b = i / a->heads / a->tokens;
        double *to = o + i * a->size;
        row(a, q, k, b, t, h, p);
        memset(to, 0, a->size * sizeof(*to));
        for (size_t j = 0; j <= a->past + t; j++) {
            for (size_t c = 0; c < a->size; c++)
                to[c] += p[j] * v[key(a, b, j, h) + c];
        }
    }
}

void attention_ref_backward(const struct attention *a,
                            const double *q,
                            const double *k,
                            const double *v,
                            const double *d_o,
                            double *dq,
                            double *dk,
                            double *dv,
                            double *p)
{
    size_t n_keys = a->past + a->tokens, d = a->size;
    double *dp = p + n_keys;
    memset(dq, 0, a->batch * a->tokens * a->heads * d * sizeof(*dq));
    memset(dk, 0, a->batch * n_keys * a->kv_heads * d * sizeof(*dk));
    memset(dv, 0, a->batch * n_keys * a->kv_heads * d * sizeof(*dv));
    for (size_t i = 0; i < a->batch * a->tokens * a->heads; i++) {
        size_t h = i % a->heads, t = i / a->heads % a->tokens,
               b = i / a->heads / a->tokens;
        row(a, q, k, b, t, h, p);
        double mean = 0;
        for (size_t j = 0; j <= a->past + t; j++) {
            dp[j] = dot(d, d_o + i * d, v + key(a, b, j, h));
            mean += p[j] * dp[j];
        }
        for (size_t j = 0; j <= a->past + t; j++) {
            double ds = p[j] * (dp[j] - mean) * (double)a->scale;
            for (size_t c = 0; c < d; c++) {
                size_t at = key(a, b, j, h) + c;
                dq[i * d + c] += ds * k[at];
                dk[at] += ds * q[i * d + c];
                dv[at] += p[j] * d_o[i * d + c];
            }
        }
    }
}
