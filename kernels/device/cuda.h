/* What the files of gridmill_cuda.so share: the device inside, launches, the first error.
 *
 * One stream carries everything, so that calls stand in one queue and cuBLAS, whose
 * workspace is ours, repeats its bits. An error is kept until sync tells it; calls after
 * it go on, and their results do not hold. Private to kernels/device. */
#ifndef DEVICE_CUDA_H
#define DEVICE_CUDA_H

#include "device_entry.h"
#include <cublas_v2.h>
#include <cuda_runtime.h>

enum cuda_room { CUDA_ROOM_A, CUDA_ROOM_B, CUDA_ROOMS };

struct cuda {
    int number;
    int n_processors;
    bool has_bf16; /* tensor cores for bfloat16 and TF32: compute capability 8.0 */
    cudaStream_t stream;
    cublasHandle_t blas;
    void *workspace; /* cuBLAS's */
    struct {
        void *at;
        size_t nbytes;
    } room[CUDA_ROOMS]; /* for what an operator needs while it runs */
    int code;           /* of the first error since the last sync, or 0 */
    char text[384];
};

static inline struct cuda *cuda_of(struct device *d)
{
    return (struct cuda *)d->inside;
}

/* Keeps the first failure. Both return whether it was none. */
bool cuda_good(struct cuda *c, cudaError_t e, const char *what);
bool cuda_blas_good(struct cuda *c, cublasStatus_t s, const char *what);
void cuda_refuse(struct cuda *c, int code, const char *sentence);
/* At least nbytes, which hold until the next call for this room; NULL, and the error
 * kept, where there is no memory. It grows at most once for a shape, never shrinks. */
void *cuda_room(struct cuda *c, enum cuda_room which, size_t nbytes);

/* Before an operator launches: this thread's device is ours. */
static inline struct cuda *cuda_begin(struct device *d)
{
    struct cuda *c = cuda_of(d);
    (void)cuda_good(c, cudaSetDevice(c->number), "cudaSetDevice");
    return c;
}

/* After a launch. */
static inline void cuda_launched(struct cuda *c, const char *what)
{
    (void)cuda_good(c, cudaGetLastError(), what);
}

#define CUDA_THREADS 256

/* Blocks for a loop over n elements: enough to fill the device, and each then strides. */
static inline unsigned cuda_blocks(const struct cuda *c, size_t n)
{
    size_t wanted = (n + CUDA_THREADS - 1) / CUDA_THREADS,
           most = (size_t)c->n_processors * 16;
    return (unsigned)(wanted < most ? wanted : most);
}

/* The operators, a file each. */
void cuda_gemm(struct device *d,
               const struct gemm_shape *g,
               const float *a,
               const float *b,
               float *c);
void cuda_gemm_bf16(struct device *d,
                    const struct gemm_shape *g,
                    const float *a,
                    const uint16_t *b,
                    float *c);
void cuda_gemm_batch(struct device *d,
                     const struct gemm_shape *g,
                     const struct gemm_batch *batch,
                     const float *a,
                     const float *b,
                     float *c);
void cuda_to_bf16(struct device *d, size_t n, const float *v, uint16_t *ret);
void cuda_bias_act_forward(struct device *d,
                           enum act act,
                           size_t m,
                           size_t n,
                           float *z,
                           const float *bias,
                           float *y);
void cuda_bias_act_backward(struct device *d,
                            enum act act,
                            size_t m,
                            size_t n,
                            const float *z,
                            const float *dy,
                            float *dz,
                            float *dbias);
void cuda_xent_train(struct device *d,
                     size_t m,
                     size_t classes,
                     const float *logits,
                     const int32_t *labels,
                     float scale,
                     float *dlogits,
                     struct xent_score *ret);
void cuda_xent_infer(struct device *d,
                     size_t m,
                     size_t classes,
                     const float *logits,
                     float *p,
                     int32_t *predicted);
void cuda_sgd(
    struct device *d, const struct sgd *o, size_t n, float *w, float *v, const float *g);
void cuda_adamw(struct device *d,
                const struct adamw *o,
                uint64_t t,
                float factor,
                size_t n_groups,
                const struct adamw_group *groups,
                float *w,
                float *m,
                float *v,
                const float *g);

#endif
