/* Softmax and cross-entropy: a block a row. Sums are in double, along trees that the
 * number of classes and of rows fixes. */
#include "cuda.h"

#define WIDEST 256  /* threads of a row */
#define FOLD   1024 /* threads that add up the rows */

/* The higher score, the lower class on a tie. */
static __device__ bool beats(float a, unsigned a_at, float b, unsigned b_at)
{
    return a > b || (a == b && a_at < b_at);
}

/* The row's class, on all threads. As on the cpu, a NaN in front wins, others lose. */
static __device__ unsigned row_class(unsigned n, const float *z)
{
    __shared__ float best[WIDEST];
    __shared__ unsigned at[WIDEST];
    unsigned t = threadIdx.x;
    float v = -INFINITY;
    unsigned mine = n;
    for (unsigned j = t; j < n; j += blockDim.x) {
        if (beats(z[j], j, v, mine)) {
            v = z[j];
            mine = j;
        }
    }
    best[t] = v;
    at[t] = mine;
    for (unsigned half = blockDim.x / 2; half > 0; half /= 2) {
        __syncthreads();
        if (t < half && beats(best[t + half], at[t + half], best[t], at[t])) {
            best[t] = best[t + half];
            at[t] = at[t + half];
        }
    }
    __syncthreads();
    unsigned found = at[0];
    return found == n || isnan(z[0]) ? 0 : found;
}

static __device__ double row_sum(double mine)
{
    __shared__ double part[WIDEST];
    unsigned t = threadIdx.x;
    part[t] = mine;
    for (unsigned half = blockDim.x / 2; half > 0; half /= 2) {
        __syncthreads();
        if (t < half)
            part[t] += part[t + half];
    }
    __syncthreads();
    return part[0];
}

/* out = exp(z - max), and the row's sum. What else a row needs of z, which may be out,
 * was read before. */
static __device__ double row_exp(unsigned n, const float *z, float max, float *out)
{
    double sum = 0;
    for (unsigned j = threadIdx.x; j < n; j += blockDim.x) {
        float e = expf(z[j] - max);
        out[j] = e;
        sum += (double)e;
    }
    return row_sum(sum);
}

static __global__ void train(size_t m,
                             unsigned n,
                             const float *logits,
                             const int32_t *labels,
                             float scale,
                             float *d,
                             double *losses,
                             uint32_t *right)
{
    for (size_t i = blockIdx.x; i < m; i += gridDim.x) {
        const float *z = logits + i * n;
        float *to = d + i * n;
        unsigned best = row_class(n, z), label = (unsigned)labels[i];
        float max = z[best], own = z[label];
        __syncthreads(); /* all have read; now z may be written over */
        double sum = row_exp(n, z, max, to);
        float share = (float)((double)scale / sum);
        for (unsigned j = threadIdx.x; j < n; j += blockDim.x)
            to[j] = to[j] * share - (j == label ? scale : 0.0F);
        if (threadIdx.x == 0) {
            losses[i] = log(sum) + (double)max - (double)own;
            right[i] = best == label;
        }
        __syncthreads(); /* what is shared is free for the next row */
    }
}

static __global__ void
infer(size_t m, unsigned n, const float *logits, float *p, int32_t *predicted)
{
    for (size_t i = blockIdx.x; i < m; i += gridDim.x) {
        const float *z = logits + i * n;
        float *to = p + i * n;
        unsigned best = row_class(n, z);
        float max = z[best];
        __syncthreads();
        double sum = row_exp(n, z, max, to);
        float share = (float)(1.0 / sum);
        for (unsigned j = threadIdx.x; j < n; j += blockDim.x)
            to[j] *= share;
        if (threadIdx.x == 0)
            predicted[i] = (int32_t)best;
        __syncthreads();
    }
}

/* One block: thread t takes rows t, t + FOLD, ..., then the threads are folded. */
static __global__ void
fold(size_t m, const double *losses, const uint32_t *right, struct xent_score *ret)
{
    __shared__ double loss[FOLD];
    __shared__ unsigned long long correct[FOLD];
    unsigned t = threadIdx.x;
    double sum = 0;
    unsigned long long count = 0;
    for (size_t i = t; i < m; i += FOLD) {
        sum += losses[i];
        count += right[i];
    }
    loss[t] = sum;
    correct[t] = count;
    for (unsigned half = FOLD / 2; half > 0; half /= 2) {
        __syncthreads();
        if (t < half) {
            loss[t] += loss[t + half];
            correct[t] += correct[t + half];
        }
    }
    if (t == 0) {
        ret->loss = loss[0];
        ret->correct = correct[0];
    }
}

static unsigned threads_for(size_t classes)
{
    unsigned t = 32;
    while (t < WIDEST && t < classes)
        t *= 2;
    return t;
}

static unsigned rows_at_once(size_t m)
{
    return (unsigned)(m < ((size_t)1 << 20) ? m : (size_t)1 << 20);
}

void cuda_xent_train(struct device *d,
                     size_t m,
                     size_t classes,
                     const float *logits,
                     const int32_t *labels,
                     float scale,
                     float *dlogits,
                     struct xent_score *ret)
{
    struct cuda *c = cuda_begin(d);
    double *losses = (double *)cuda_room(c, CUDA_ROOM_A, m * sizeof(*losses));
    uint32_t *right = (uint32_t *)cuda_room(c, CUDA_ROOM_B, m * sizeof(*right));
    if (losses == NULL || right == NULL)
        return;
    if (m > 0)
        train<<<rows_at_once(m), threads_for(classes), 0, c->stream>>>(
            m, (unsigned)classes, logits, labels, scale, dlogits, losses, right);
    cuda_launched(c, "xent_train");
    fold<<<1, FOLD, 0, c->stream>>>(m, losses, right, ret);
    cuda_launched(c, "xent_train");
}

void cuda_xent_infer(struct device *d,
                     size_t m,
                     size_t classes,
                     const float *logits,
                     float *p,
                     int32_t *predicted)
{
    struct cuda *c = cuda_begin(d);
    if (m == 0)
        return;
    infer<<<rows_at_once(m), threads_for(classes), 0, c->stream>>>(
        m, (unsigned)classes, logits, p, predicted);
    cuda_launched(c, "xent_infer");
}
