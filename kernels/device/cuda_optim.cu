/* Optimisers: element by element, in the cpu's order of operations. */
#include "cuda.h"

static __global__ void
sgd(size_t n, float lr, float momentum, float decay, float *w, float *v, const float *g)
{
    size_t step = (size_t)gridDim.x * blockDim.x;
    for (size_t i = (size_t)blockIdx.x * blockDim.x + threadIdx.x; i < n; i += step) {
        float speed = momentum * v[i] + (g[i] + decay * w[i]);
        v[i] = speed;
        w[i] -= lr * speed;
    }
}

struct knobs {
    float b1, c1, b2, c2, lr, second, eps, keep, factor;
};

static __global__ void
adamw(size_t n, struct knobs k, float *w, float *m, float *v, const float *g)
{
    size_t step = (size_t)gridDim.x * blockDim.x;
    for (size_t i = (size_t)blockIdx.x * blockDim.x + threadIdx.x; i < n; i += step) {
        float d = k.factor * g[i];
        float mean = k.b1 * m[i] + k.c1 * d;
        float square = k.b2 * v[i] + k.c2 * (d * d);
        m[i] = mean;
        v[i] = square;
        w[i] = k.keep * w[i] - k.lr * (mean / (sqrtf(square * k.second) + k.eps));
    }
}

static double power(double base, uint64_t exponent)
{
    double result = 1;
    for (; exponent > 0; exponent >>= 1, base *= base) {
        if (exponent & 1)
            result *= base;
    }
    return result;
}

void cuda_sgd(
    struct device *d, const struct sgd *o, size_t n, float *w, float *v, const float *g)
{
    struct cuda *c = cuda_begin(d);
    if (n == 0)
        return;
    sgd<<<cuda_blocks(c, n), CUDA_THREADS, 0, c->stream>>>(
        n, (float)o->lr, (float)o->momentum, (float)o->decay, w, v, g);
    cuda_launched(c, "sgd");
}

void cuda_adamw(struct device *d,
                const struct adamw *o,
                uint64_t t,
                float factor,
                size_t n_groups,
                const struct adamw_group *groups,
                float *w,
                float *m,
                float *v,
                const float *g)
{
    struct cuda *c = cuda_begin(d);
    for (size_t i = 0; i < n_groups; i++) {
        const struct adamw_group *one = &groups[i];
        const struct knobs k = {(float)o->beta1,
                                (float)(1 - o->beta1),
                                (float)o->beta2,
                                (float)(1 - o->beta2),
                                (float)(o->lr / (1 - power(o->beta1, t))),
                                (float)(1 / (1 - power(o->beta2, t))),
                                (float)o->eps,
                                (float)(1 - o->lr * one->decay),
                                factor};
        size_t at = one->first;
        if (one->n == 0)
            continue;
        adamw<<<cuda_blocks(c, one->n), CUDA_THREADS, 0, c->stream>>>(
            one->n, k, w + at, m + at, v + at, g + at);
        cuda_launched(c, "adamw");
    }
}
