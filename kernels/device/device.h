/* A device: memory of its own, and the operators that networks are written against. Two
 * are known: "cpu" is always there and has every operator; "cuda" lives in
 * gridmill_cuda.so, opened when it is asked for.
 *
 * Calls stand in one queue, as on a stream: each sees what those before it wrote, and on
 * a device that is not the cpu a call may return before it has run. So nothing but `get`
 * and `sync` waits, and errors are told by `sync` alone: after one, nothing that was
 * computed since the sync before it holds. Pointers are device memory unless they are
 * called host; host memory was read when a call returns. Shapes, aliases and formulas are
 * the operators' own (kernels/op).
 *
 * Bits: the cpu's are the same on any machine (numerics.md). Another device's are its
 * own: the same for the same device, library and build; a job says which it took.
 *
 * A device serves one thread at a time. */
#ifndef DEVICE_DEVICE_H
#define DEVICE_DEVICE_H

#include "base/auto.h"
#include "gridmill/error.h"
#include "kernels/op/adamw.h"
#include "kernels/op/attention.h"
#include "kernels/op/bias_act.h"
#include "kernels/op/dropout.h"
#include "kernels/op/gemm.h"
#include "kernels/op/rotary.h"
#include "kernels/op/sgd.h"
#include "kernels/op/xent.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DEVICE_ABI 1u

/* What products of floats may do inside. The cpu computes DEVICE_F32 whatever is asked,
 * as every other mode may be less exact and none must be. Sums are in floats always. */
enum device_math {
    DEVICE_F32 = 0,
    DEVICE_TF32 = 10, /* operands rounded to 10 bits of mantissa */
    DEVICE_BF16 = 20  /* operands rounded to bfloat16 */
};

struct dso;

struct device {
    const struct device_table *op;
    struct dso *library;   /* whose code `op` is; NULL: linked in */
    enum device_math math; /* of the products from here on */
    bool host; /* its memory is the host's: a host pointer serves as a device pointer */
    char text[128]; /* what it is, for people: "NVIDIA H200, driver for CUDA 13.0,
                       cuBLAS 13.0.2" */
    void *inside;
};

/* What networks call: d->op->gemm(d, ...). A slot may be NULL where the device does not
 * offer the operator (device_need). */
struct device_table {
    uint32_t abi, size; /* DEVICE_ABI, sizeof(struct device_table): grows at the end */
    const char *name;

    /* Memory: 64-byte aligned, zeros. -ENOMEM names the bytes. */
    int (*alloc)(struct device *d, size_t nbytes, void **ret, struct gm_error *err);
    void (*release)(struct device *d, void *at); /* takes NULL */
    void (*put)(struct device *d, void *to, const void *from_host, size_t nbytes);
    void (*get)(struct device *d, void *to_host, const void *from, size_t nbytes);
    void (*copy)(struct device *d, void *to, const void *from, size_t nbytes);
    void (*zero)(struct device *d, void *at, size_t nbytes);
    int (*sync)(struct device *d, struct gm_error *err);
    void (*close)(struct device *d); /* frees d; all its memory was released */

    /* Products: gemm.h. */
    void (*gemm)(struct device *d,
                 const struct gemm_shape *g,
                 const float *a,
                 const float *b,
                 float *c);
    void (*gemm_bf16)(struct device *d,
                      const struct gemm_shape *g,
                      const float *a,
                      const uint16_t *b,
                      float *c);
    void (*gemm_batch)(struct device *d,
                       const struct gemm_shape *g,
                       const struct gemm_batch *batch,
                       const float *a,
                       const float *b,
                       float *c);
    void (*to_bf16)(struct device *d, size_t n, const float *v, uint16_t *ret);

    /* Layers: bias_act.h, xent.h. Scores are device memory. */
    void (*bias_act_forward)(struct device *d,
                             enum act act,
                             size_t m,
                             size_t n,
                             float *z,
                             const float *bias,
                             float *y);
    void (*bias_act_backward)(struct device *d,
                              enum act act,
                              size_t m,
                              size_t n,
                              const float *z,
                              const float *dy,
                              float *dz,
                              float *dbias);
    void (*xent_train)(struct device *d,
                       size_t m,
                       size_t classes,
                       const float *logits,
                       const int32_t *labels,
                       float scale,
                       float *dlogits,
                       struct xent_score *ret);
    void (*xent_infer)(struct device *d,
                       size_t m,
                       size_t classes,
                       const float *logits,
                       float *p,
                       int32_t *predicted);

    /* Optimisers: sgd.h, adamw.h; v and g as there, all device memory. */
    void (*sgd)(struct device *d,
                const struct sgd *o,
                size_t n,
                float *w,
                float *v,
                const float *g);
    /* groups and n_groups are host memory, and are read before the call returns. */
    void (*adamw)(struct device *d,
                  const struct adamw *o,
                  uint64_t t,
                  float factor,
                  size_t n_groups,
                  const struct adamw_group *groups,
                  float *w,
                  float *m,
                  float *v,
                  const float *g);

    /* Of transformers: embedding.h, layernorm.h, rmsnorm.h, rotary.h, swiglu.h,
     * attention.h, dropout.h, clip.h. The bool of a norm's forward: x = a + b first. */
    void (*embedding_forward)(struct device *d,
                              size_t m,
                              size_t n,
                              const int32_t *id,
                              const float *table,
                              size_t period,
                              const float *place,
                              float *y);
    void (*embedding_backward)(struct device *d,
                               size_t m,
                               size_t n,
                               const int32_t *id,
                               const float *dy,
                               float *dtable);
    void (*embedding_backward_place)(struct device *d,
                                     size_t m,
                                     size_t n,
                                     size_t period,
                                     const float *dy,
                                     float *dplace);
    /* b NULL: x is a, and is not written. */
    void (*layernorm_forward)(struct device *d,
                              size_t m,
                              size_t n,
                              float eps,
                              const float *a,
                              const float *b,
                              float *x,
                              const float *gain,
                              const float *bias,
                              float *y,
                              float *mean,
                              float *rstd);
    void (*layernorm_backward)(struct device *d,
                               size_t m,
                               size_t n,
                               const float *x,
                               const float *gain,
                               const float *mean,
                               const float *rstd,
                               const float *dy,
                               const float *dsum,
                               float *dx,
                               float *dgain,
                               float *dbias,
                               float *work);
    void (*rmsnorm_forward)(struct device *d,
                            size_t m,
                            size_t n,
                            float eps,
                            const float *a,
                            const float *b,
                            float *x,
                            const float *gain,
                            float *y,
                            float *rstd);
    void (*rmsnorm_backward)(struct device *d,
                             size_t m,
                             size_t n,
                             const float *x,
                             const float *gain,
                             const float *rstd,
                             const float *dy,
                             const float *dsum,
                             float *dx,
                             float *dgain,
                             float *work);
    void (*rotary_forward)(struct device *d,
                           const struct rotary *r,
                           size_t m,
                           size_t stride,
                           const int32_t *position,
                           float *x);
    void (*rotary_backward)(struct device *d,
                            const struct rotary *r,
                            size_t m,
                            size_t stride,
                            const int32_t *position,
                            float *dx);
    void (*swiglu_forward)(struct device *d,
                           size_t m,
                           size_t n,
                           size_t stride,
                           const float *a,
                           const float *b,
                           float *y);
    void (*swiglu_backward)(struct device *d,
                            size_t m,
                            size_t n,
                            size_t stride,
                            const float *a,
                            const float *b,
                            const float *dy,
                            float *da,
                            float *db);
    void (*attention_forward)(struct device *d,
                              const struct attention *a,
                              const struct attention_in *q,
                              const struct attention_in *k,
                              const struct attention_in *v,
                              const struct attention_out *o,
                              float *lse);
    void (*attention_backward)(struct device *d,
                               const struct attention *a,
                               const struct attention_saved *saved,
                               const struct attention_in *d_o,
                               const struct attention_out *dq,
                               const struct attention_out *dk,
                               const struct attention_out *dv,
                               float *work);
    void (*dropout)(struct device *d,
                    const struct dropout *o,
                    uint64_t first,
                    size_t n,
                    const float *x,
                    const float *add,
                    float *y);
    /* losses and dlogits as in xent.h; *ret is device memory. */
    void (*xent_tokens)(struct device *d,
                        size_t m,
                        size_t classes,
                        const float *logits,
                        const int32_t *labels,
                        float scale,
                        float *losses,
                        float *dlogits,
                        struct xent_tokens *ret);
    /* The square root of the sum of squares, into device memory. */
    void (*norm)(struct device *d, size_t n, const float *g, double *ret);
};

/* What a network needs of a device. */
enum device_need { DEVICE_FOR_GEMM, DEVICE_FOR_MLP, DEVICE_FOR_TRANSFORMER };

/* "cpu"; "cuda" (the first GPU that this process sees), "cuda:N" (number N of them) or
 * "cuda:0000:3b:00.0" (the one at this PCI address, whatever the order). -ENODEV: not on
 * this machine, and the sentence says why (no driver, no gridmill_cuda.so, no GPU, ...);
 * -EINVAL: no such name. */
int device_open(const char *name, struct device **ret, struct gm_error *err);
void device_close(struct device *d); /* takes NULL */
/* Could it be opened, and what would it be (`ret_text`, as in struct device)? Codes as
 * above. Quicker than to open it, and takes no memory of the device. */
int device_probe(const char *name, char ret_text[128], struct gm_error *err);
/* 0, or -ENOTSUP with a sentence that names the first operator that is missing. */
int device_check(const struct device *d, enum device_need need, struct gm_error *err);

/* Host memory as the device can read it: itself where d->host, else put into `room`
 * (device memory of nbytes). */
static inline const void *
device_view(struct device *d, const void *from_host, size_t nbytes, void *room)
{
    if (d->host)
        return from_host;
    d->op->put(d, room, from_host, nbytes);
    return room;
}

AUTO_TYPE(device, device_close)

#endif
