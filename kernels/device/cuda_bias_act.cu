/* Bias and activation. A thread takes an element at a time; sums over rows are trees that
 * the shape fixes: no atomic additions, whose order would be another one each time. */
#include "cuda.h"

#define COLUMNS 32            /* of a block in backward */
#define LANES   8             /* rows that a block adds side by side */
#define TILE    ((size_t)128) /* rows that one block adds up, at least */
#define TILES   ((size_t)32768)

#define GELU_C 0.7978845608F /* sqrt(2 / pi) */
#define GELU_D 0.044715F

/* (1 + tanh u) / 2 = 1 / (1 + e^-2u), and its complement, without cancellation; u is held
 * within +-43 so that all stay numbers. */
static __device__ float gelu_share(float x, float *ret_rest)
{
    float u = GELU_C * (x + GELU_D * x * x * x);
    u = u > 43.0F ? 43.0F : u;
    u = u < -43.0F ? -43.0F : u;
    float e = expf(2.0F * u), q = 1.0F / (e + 1.0F);
    *ret_rest = q;
    return e * q;
}

static __device__ float activate(enum act act, float x)
{
    float rest;
    switch (act) {
    case ACT_NONE:
        return x;
    case ACT_RELU:
        return x < 0.0F ? 0.0F : x; /* NaN stays NaN */
    case ACT_GELU:
        return x * gelu_share(x, &rest);
    case ACT_GELU_ERF:
        return x * (0.5F * erfcf(-0.707106781F * x));
    case ACT_SILU:
        return x / (1.0F + expf(-x));
    }
    return x;
}

static __device__ float slope(enum act act, float x)
{
    switch (act) {
    case ACT_NONE:
        return 1.0F;
    case ACT_RELU:
        return x > 0.0F ? 1.0F : 0.0F;
    case ACT_GELU: {
        float q, s = gelu_share(x, &q);
        float du = GELU_C * (1.0F + 3.0F * GELU_D * x * x);
        return s + 2.0F * x * (s * q) * du;
    }
    case ACT_GELU_ERF:
        return 0.5F * erfcf(-0.707106781F * x) +
               x * (0.398942280F * expf(-0.5F * (x * x)));
    case ACT_SILU: {
        float e = expf(-x), s = 1.0F / (1.0F + e), rest = 1.0F / (1.0F + expf(x));
        return s + x * s * rest;
    }
    }
    return 1.0F;
}

/* y may be z: each element is read and written by one thread. */
static __global__ void
forward(enum act act, size_t m, size_t n, float *z, const float *bias, float *y)
{
    size_t step = (size_t)gridDim.x * blockDim.x, turn = step % n;
    size_t i = (size_t)blockIdx.x * blockDim.x + threadIdx.x, j = i % n;
    for (; i < m * n; i += step) {
        float x = z[i] + bias[j];
        z[i] = x;
        y[i] = activate(act, x);
        j += turn;
        j -= j >= n ? n : 0;
    }
}

/* Columns of a tile of rows: dz, and its sum into sums[tile][n]. dz NULL: the sum alone,
 * of dy. */
static __global__ void backward(enum act act,
                                size_t m,
                                size_t n,
                                size_t tile,
                                const float *z,
                                const float *dy,
                                float *dz,
                                float *sums)
{
    __shared__ float part[LANES][COLUMNS + 1];
    size_t j = (size_t)blockIdx.x * COLUMNS + threadIdx.x, from = blockIdx.y * tile;
    size_t to = from + tile < m ? from + tile : m;
    float sum = 0;
    for (size_t i = from + threadIdx.y; i < to && j < n; i += LANES) {
        size_t at = i * n + j;
        /* ReLU chooses: 0 times a gradient that is no number would be none */
        float d = act == ACT_NONE   ? dy[at]
                  : act == ACT_RELU ? (z[at] > 0.0F ? dy[at] : 0.0F)
                                    : dy[at] * slope(act, z[at]);
        if (dz != NULL)
            dz[at] = d;
        sum += d;
    }
    part[threadIdx.y][threadIdx.x] = sum;
    for (unsigned half = LANES / 2; half > 0; half /= 2) {
        __syncthreads();
        if (threadIdx.y < half)
            part[threadIdx.y][threadIdx.x] += part[threadIdx.y + half][threadIdx.x];
    }
    if (threadIdx.y == 0 && j < n)
        sums[blockIdx.y * n + j] = part[0][threadIdx.x];
}

void cuda_bias_act_forward(struct device *d,
                           enum act act,
                           size_t m,
                           size_t n,
                           float *z,
                           const float *bias,
                           float *y)
{
    struct cuda *c = cuda_begin(d);
    if (m == 0 || n == 0)
        return;
    forward<<<cuda_blocks(c, m * n), CUDA_THREADS, 0, c->stream>>>(act, m, n, z, bias, y);
    cuda_launched(c, "bias_act_forward");
}

void cuda_bias_act_backward(struct device *d,
                            enum act act,
                            size_t m,
                            size_t n,
                            const float *z,
                            const float *dy,
                            float *dz,
                            float *dbias)
{
    struct cuda *c = cuda_begin(d);
    enum cuda_room room = CUDA_ROOM_A;
    if (n == 0)
        return;
    if ((n + COLUMNS - 1) / COLUMNS > 0x7fffffff) {
        cuda_refuse(c, -EOVERFLOW, "bias_act_backward: too many columns");
        return;
    }
    /* Sums of tiles of rows, then of tiles of those sums, until one is left. */
    for (;;) {
        size_t tile = TILE;
        while ((m + tile - 1) / tile > TILES)
            tile *= 2;
        size_t tiles = m == 0 ? 1 : (m + tile - 1) / tile;
        float *sums = dbias;
        if (tiles > 1)
            sums = (float *)cuda_room(c, room, tiles * n * sizeof(float));
        if (sums == NULL)
            return;
        dim3 grid((unsigned)((n + COLUMNS - 1) / COLUMNS), (unsigned)tiles);
        backward<<<grid, dim3(COLUMNS, LANES), 0, c->stream>>>(
            act, m, n, tile, z, dy, dz, sums);
        cuda_launched(c, "bias_act_backward");
        if (tiles == 1)
            return;
        act = ACT_NONE;
        m = tiles;
        dy = sums;
        dz = NULL;
        room = room == CUDA_ROOM_A ? CUDA_ROOM_B : CUDA_ROOM_A;
    }
}
