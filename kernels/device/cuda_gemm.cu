/* Products by cuBLAS. Row-major C = A B is, to a library that reads columns, C' = B' A':
 * so the operands change places, and nothing is copied.
 *
 * DEVICE_BF16 rounds both operands to bfloat16 into rooms of the device first, so that
 * "rounded once, to nearest" holds whatever cuBLAS would do with floats. A GPU without
 * tensor cores for it computes DEVICE_F32, which no mode forbids. */
#include "cuda.h"

#include <limits.h>

/* An operand as it is stored: `count` matrices, `step` elements apart. */
struct operand {
    size_t rows, cols, ld, count, step;
};

static __device__ uint16_t rounded(float v)
{
    unsigned bits = __float_as_uint(v);
    bool nan = (bits & 0x7fffffffU) > 0x7f800000U;
    unsigned up = bits + 0x7fffU + (bits >> 16 & 1);
    return (uint16_t)((nan ? bits | 0x400000U : up) >> 16);
}

static __global__ void to_bf16(size_t n, const float *v, uint16_t *ret)
{
    size_t step = (size_t)gridDim.x * blockDim.x;
    for (size_t i = (size_t)blockIdx.x * blockDim.x + threadIdx.x; i < n; i += step)
        ret[i] = rounded(v[i]);
}

/* One element to another type, dense but for rows of `to_ld`. */
static __device__ void convert(float from, uint16_t *to)
{
    *to = rounded(from);
}

static __device__ void convert(uint16_t from, float *to)
{
    *to = __uint_as_float((unsigned)from << 16);
}

/* Blocks: x strides along a row, y over the rows of all matrices. */
template <typename from_t, typename to_t>
static __global__ void pack(struct operand o, const from_t *from, size_t to_ld, to_t *to)
{
    for (size_t r = blockIdx.y; r < o.rows * o.count; r += gridDim.y) {
        const from_t *row = from + r / o.rows * o.step + r % o.rows * o.ld;
        for (size_t j = (size_t)blockIdx.x * blockDim.x + threadIdx.x; j < o.cols;
             j += (size_t)gridDim.x * blockDim.x)
            convert(row[j], to + r * to_ld + j);
    }
}

/* *o becomes the packed form; NULL where there is no room. */
template <typename from_t, typename to_t>
static const to_t *
packed(struct cuda *c, enum cuda_room which, struct operand *o, const from_t *from)
{
    if (o->step == 0)
        o->count = 1;
    size_t ld = (o->cols + 7) / 8 * 8, rows = o->rows * o->count;
    to_t *to = (to_t *)cuda_room(c, which, rows * ld * sizeof(to_t));
    if (to == NULL || rows == 0 || o->cols == 0)
        return to;
    size_t wide = (o->cols + CUDA_THREADS - 1) / CUDA_THREADS;
    dim3 grid((unsigned)(wide < 64 ? wide : 64), (unsigned)(rows < 32768 ? rows : 32768));
    pack<<<grid, CUDA_THREADS, 0, c->stream>>>(*o, from, ld, to);
    cuda_launched(c, "a conversion of bfloat16");
    o->ld = ld;
    o->step = o->step == 0 ? 0 : o->rows * ld;
    return to;
}

/* The product, operands as cuBLAS can read them: both floats, or both bfloat16. */
static void multiply(struct cuda *c,
                     enum device_math math,
                     const struct gemm_shape *g,
                     const struct operand *a,
                     const void *a_at,
                     const struct operand *b,
                     const void *b_at,
                     bool bf16,
                     const struct gemm_batch *batch,
                     float *out)
{
    const float one = 1, beta = g->add ? 1 : 0;
    size_t ldc = g->ldc == 0 ? g->n : g->ldc;
    if (a->ld > INT_MAX || b->ld > INT_MAX || ldc > INT_MAX || batch->count > INT_MAX) {
        cuda_refuse(c, -EOVERFLOW, "a product's rows are more than 2^31 - 1 apart");
        return;
    }
    cudaDataType type = bf16 ? CUDA_R_16BF : CUDA_R_32F;
    cublasComputeType_t how = math == DEVICE_TF32 && !bf16 && c->has_bf16
                                  ? CUBLAS_COMPUTE_32F_FAST_TF32
                                  : CUBLAS_COMPUTE_32F;
    cublasOperation_t left = g->form == GEMM_NT ? CUBLAS_OP_T : CUBLAS_OP_N,
                      right = g->form == GEMM_TN ? CUBLAS_OP_T : CUBLAS_OP_N;
    int m = (int)g->m, n = (int)g->n, k = (int)g->k;
    cublasStatus_t s;
    if (batch->count == 1)
        s = cublasGemmEx(c->blas,
                         left,
                         right,
                         n,
                         m,
                         k,
                         &one,
                         b_at,
                         type,
                         (int)b->ld,
                         a_at,
                         type,
                         (int)a->ld,
                         &beta,
                         out,
                         CUDA_R_32F,
                         (int)ldc,
                         how,
                         CUBLAS_GEMM_DEFAULT);
    else
        s = cublasGemmStridedBatchedEx(c->blas,
                                       left,
                                       right,
                                       n,
                                       m,
                                       k,
                                       &one,
                                       b_at,
                                       type,
                                       (int)b->ld,
                                       (long long)b->step,
                                       a_at,
                                       type,
                                       (int)a->ld,
                                       (long long)a->step,
                                       &beta,
                                       out,
                                       CUDA_R_32F,
                                       (int)ldc,
                                       (long long)batch->c_step,
                                       (int)batch->count,
                                       how,
                                       CUBLAS_GEMM_DEFAULT);
    (void)cuda_blas_good(c, s, "a product");
}

static void operands(const struct gemm_shape *g,
                     const struct gemm_batch *batch,
                     struct operand *ret_a,
                     struct operand *ret_b)
{
    bool a_turned = g->form == GEMM_TN, b_turned = g->form == GEMM_NT;
    struct operand a = {a_turned ? g->k : g->m,
                        a_turned ? g->m : g->k,
                        g->lda,
                        batch->count,
                        batch->a_step};
    struct operand b = {b_turned ? g->n : g->k,
                        b_turned ? g->k : g->n,
                        g->ldb,
                        batch->count,
                        batch->b_step};
    if (a.ld == 0)
        a.ld = a.cols;
    if (b.ld == 0)
        b.ld = b.cols;
    *ret_a = a;
    *ret_b = b;
}

/* An inner size of 0: zeros, or C as it is. */
static void nothing_to_add(struct cuda *c,
                           const struct gemm_shape *g,
                           const struct gemm_batch *batch,
                           float *out)
{
    size_t ldc = g->ldc == 0 ? g->n : g->ldc;
    for (size_t i = 0; i < batch->count && !g->add; i++)
        (void)cuda_good(c,
                        cudaMemset2DAsync(out + i * batch->c_step,
                                          ldc * sizeof(float),
                                          0,
                                          g->n * sizeof(float),
                                          g->m,
                                          c->stream),
                        "zeros");
}

static void product(struct device *d,
                    const struct gemm_shape *g,
                    const struct gemm_batch *batch,
                    const float *a,
                    const float *b,
                    const uint16_t *b_bf16,
                    float *out)
{
    struct cuda *c = cuda_begin(d);
    if (g->m == 0 || g->n == 0 || batch->count == 0)
        return;
    if (g->k == 0) {
        nothing_to_add(c, g, batch, out);
        return;
    }
    struct operand left, right;
    operands(g, batch, &left, &right);
    const void *a_at = a, *b_at = b_bf16 != NULL ? (const void *)b_bf16 : b;
    bool bf16 = d->math == DEVICE_BF16 && c->has_bf16;
    if (bf16)
        a_at = packed<float, uint16_t>(c, CUDA_ROOM_A, &left, a);
    if (bf16 && b_bf16 == NULL)
        b_at = packed<float, uint16_t>(c, CUDA_ROOM_B, &right, b);
    else if (!bf16 && b_bf16 != NULL)
        b_at = packed<uint16_t, float>(c, CUDA_ROOM_B, &right, b_bf16);
    if (a_at != NULL && b_at != NULL)
        multiply(c, d->math, g, &left, a_at, &right, b_at, bf16, batch, out);
}

static const struct gemm_batch alone = {1, 0, 0, 0};

void cuda_gemm(struct device *d,
               const struct gemm_shape *g,
               const float *a,
               const float *b,
               float *c)
{
    product(d, g, &alone, a, b, NULL, c);
}

void cuda_gemm_bf16(struct device *d,
                    const struct gemm_shape *g,
                    const float *a,
                    const uint16_t *b,
                    float *c)
{
    product(d, g, &alone, a, NULL, b, c);
}

void cuda_gemm_batch(struct device *d,
                     const struct gemm_shape *g,
                     const struct gemm_batch *batch,
                     const float *a,
                     const float *b,
                     float *c)
{
    product(d, g, batch, a, b, NULL, c);
}

void cuda_to_bf16(struct device *d, size_t n, const float *v, uint16_t *ret)
{
    struct cuda *c = cuda_begin(d);
    if (n == 0)
        return;
    to_bf16<<<cuda_blocks(c, n), CUDA_THREADS, 0, c->stream>>>(n, v, ret);
    cuda_launched(c, "to_bf16");
}
