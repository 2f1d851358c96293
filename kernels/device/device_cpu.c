/* The cpu: the operators as they are, on the host's memory. A call has run when it
 * returns, so `sync` has nothing to tell. */
#include "device_entry.h"

#include "kernels/op/clip.h"
#include "kernels/op/embedding.h"
#include "kernels/op/layernorm.h"
#include "kernels/op/rmsnorm.h"
#include "kernels/op/swiglu.h"
#include <stdlib.h>
#include <string.h>

#define ALIGN 64

static int cpu_alloc(struct device *d, size_t nbytes, void **ret, struct gm_error *err)
{
    (void)d;
    void *at = NULL;
    size_t room = nbytes > 0 ? nbytes : 1; /* an address in any case */
    if (nbytes > PTRDIFF_MAX || posix_memalign(&at, ALIGN, room) != 0)
        return gm_fail(err, -ENOMEM, "no memory for %zu bytes", nbytes);
    memset(at, 0, room);
    *ret = at;
    return 0;
}

static void cpu_release(struct device *d, void *at)
{
    (void)d;
    free(at);
}

/* Both of put, get and copy: an empty array may have no address. */
static void move(void *to, const void *from, size_t nbytes)
{
    if (nbytes > 0)
        memmove(to, from, nbytes);
}

static void cpu_put(struct device *d, void *to, const void *from_host, size_t nbytes)
{
    (void)d;
    move(to, from_host, nbytes);
}

static void cpu_get(struct device *d, void *to_host, const void *from, size_t nbytes)
{
    (void)d;
    move(to_host, from, nbytes);
}

static void cpu_copy(struct device *d, void *to, const void *from, size_t nbytes)
{
    (void)d;
    move(to, from, nbytes);
}

static void cpu_zero(struct device *d, void *at, size_t nbytes)
{
    (void)d;
    if (nbytes > 0)
        memset(at, 0, nbytes);
}

static int cpu_sync(struct device *d, struct gm_error *err)
{
    (void)d;
    (void)err;
    return 0;
}

static void cpu_close(struct device *d)
{
    free(d);
}

static void cpu_gemm(struct device *d,
                     const struct gemm_shape *g,
                     const float *a,
                     const float *b,
                     float *c)
{
    (void)d;
    gemm_run(g, a, b, c);
}

static void cpu_gemm_bf16(struct device *d,
                          const struct gemm_shape *g,
                          const float *a,
                          const uint16_t *b,
                          float *c)
{
    (void)d;
    gemm_run_bf16(g, a, b, c);
}

static void cpu_gemm_batch(struct device *d,
                           const struct gemm_shape *g,
                           const struct gemm_batch *batch,
                           const float *a,
                           const float *b,
                           float *c)
{
    (void)d;
    gemm_batch_run(g, batch, a, b, c);
}

static void cpu_to_bf16(struct device *d, size_t n, const float *v, uint16_t *ret)
{
    (void)d;
    gemm_to_bf16(n, v, ret);
}

static void cpu_bias_act_forward(struct device *d,
                                 enum act act,
                                 size_t m,
                                 size_t n,
                                 float *z,
                                 const float *bias,
                                 float *y)
{
    (void)d;
    bias_act_forward(act, m, n, z, bias, y);
}

static void cpu_bias_act_backward(struct device *d,
                                  enum act act,
                                  size_t m,
                                  size_t n,
                                  const float *z,
                                  const float *dy,
                                  float *dz,
                                  float *dbias)
{
    (void)d;
    bias_act_backward(act, m, n, z, dy, dz, dbias);
}

static void cpu_xent_train(struct device *d,
                           size_t m,
                           size_t classes,
                           const float *logits,
                           const int32_t *labels,
                           float scale,
                           float *dlogits,
                           struct xent_score *ret)
{
    (void)d;
    *ret = xent_train(m, classes, logits, labels, scale, dlogits);
}

static void cpu_xent_infer(struct device *d,
                           size_t m,
                           size_t classes,
                           const float *logits,
                           float *p,
                           int32_t *predicted)
{
    (void)d;
    xent_infer(m, classes, logits, p, predicted);
}

static void cpu_sgd(
    struct device *d, const struct sgd *o, size_t n, float *w, float *v, const float *g)
{
    (void)d;
    sgd_step(o, n, w, v, g);
}

static void cpu_adamw(struct device *d,
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
    (void)d;
    adamw_groups(o, t, factor, n_groups, groups, w, m, v, g);
}

static void cpu_embedding_forward(struct device *d,
                                  size_t m,
                                  size_t n,
                                  const int32_t *id,
                                  const float *table,
                                  size_t period,
                                  const float *place,
                                  float *y)
{
    (void)d;
    embedding_forward(m, n, id, table, period, place, y);
}

static void cpu_embedding_backward(struct device *d,
                                   size_t m,
                                   size_t n,
                                   const int32_t *id,
                                   const float *dy,
                                   float *dtable)
{
    (void)d;
    embedding_backward(m, n, id, dy, dtable);
}

static void cpu_embedding_backward_place(
    struct device *d, size_t m, size_t n, size_t period, const float *dy, float *dplace)
{
    (void)d;
    embedding_backward_place(m, n, period, dy, dplace);
}

static void cpu_layernorm_forward(struct device *d,
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
                                  float *rstd)
{
    (void)d;
    if (b != NULL)
        layernorm_forward_add(m, n, eps, a, b, x, gain, bias, y, mean, rstd);
    else
        layernorm_forward(m, n, eps, a, gain, bias, y, mean, rstd);
}

static void cpu_layernorm_backward(struct device *d,
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
                                   float *work)
{
    (void)d;
    layernorm_backward(m, n, x, gain, mean, rstd, dy, dsum, dx, dgain, dbias, work);
}

static void cpu_rmsnorm_forward(struct device *d,
                                size_t m,
                                size_t n,
                                float eps,
                                const float *a,
                                const float *b,
                                float *x,
                                const float *gain,
                                float *y,
                                float *rstd)
{
    (void)d;
    if (b != NULL)
        rmsnorm_forward_add(m, n, eps, a, b, x, gain, y, rstd);
    else
        rmsnorm_forward(m, n, eps, a, gain, y, rstd);
}

static void cpu_rmsnorm_backward(struct device *d,
                                 size_t m,
                                 size_t n,
                                 const float *x,
                                 const float *gain,
                                 const float *rstd,
                                 const float *dy,
                                 const float *dsum,
                                 float *dx,
                                 float *dgain,
                                 float *work)
{
    (void)d;
    rmsnorm_backward(m, n, x, gain, rstd, dy, dsum, dx, dgain, work);
}

static void cpu_rotary_forward(struct device *d,
                               const struct rotary *r,
                               size_t m,
                               size_t stride,
                               const int32_t *position,
                               float *x)
{
    (void)d;
    rotary_forward(r, m, stride, position, x);
}

static void cpu_rotary_backward(struct device *d,
                                const struct rotary *r,
                                size_t m,
                                size_t stride,
                                const int32_t *position,
                                float *dx)
{
    (void)d;
    rotary_backward(r, m, stride, position, dx);
}

static void cpu_swiglu_forward(struct device *d,
                               size_t m,
                               size_t n,
                               size_t stride,
                               const float *a,
                               const float *b,
                               float *y)
{
    (void)d;
    swiglu_forward(m, n, stride, a, b, y);
}

static void cpu_swiglu_backward(struct device *d,
                                size_t m,
                                size_t n,
                                size_t stride,
                                const float *a,
                                const float *b,
                                const float *dy,
                                float *da,
                                float *db)
{
    (void)d;
    swiglu_backward(m, n, stride, a, b, dy, da, db);
}

static void cpu_attention_forward(struct device *d,
                                  const struct attention *a,
                                  const struct attention_in *q,
                                  const struct attention_in *k,
                                  const struct attention_in *v,
                                  const struct attention_out *o,
                                  float *lse)
{
    (void)d;
    attention_forward(a, q, k, v, o, lse);
}

static void cpu_attention_backward(struct device *d,
                                   const struct attention *a,
                                   const struct attention_saved *saved,
                                   const struct attention_in *d_o,
                                   const struct attention_out *dq,
                                   const struct attention_out *dk,
                                   const struct attention_out *dv,
                                   float *work)
{
    (void)d;
    attention_backward(a, saved, d_o, dq, dk, dv, work);
}

static void cpu_dropout(struct device *d,
                        const struct dropout *o,
                        uint64_t first,
                        size_t n,
                        const float *x,
                        const float *add,
                        float *y)
{
    (void)d;
    dropout_apply(o, first, n, x, add, y);
}

static void cpu_xent_tokens(struct device *d,
                            size_t m,
                            size_t classes,
                            const float *logits,
                            const int32_t *labels,
                            float scale,
                            float *losses,
                            float *dlogits,
                            struct xent_tokens *ret)
{
    (void)d;
    *ret = xent_tokens(m, classes, logits, labels, scale, losses, dlogits);
}

static void cpu_norm(struct device *d, size_t n, const float *g, double *ret)
{
    (void)d;
    *ret = clip_norm(n, g);
}

const struct device_table device_cpu_table = {
    .abi = DEVICE_ABI,
    .size = sizeof(struct device_table),
    .name = "cpu",
    .alloc = cpu_alloc,
    .release = cpu_release,
    .put = cpu_put,
    .get = cpu_get,
    .copy = cpu_copy,
    .zero = cpu_zero,
    .sync = cpu_sync,
    .close = cpu_close,
    .gemm = cpu_gemm,
    .gemm_bf16 = cpu_gemm_bf16,
    .gemm_batch = cpu_gemm_batch,
    .to_bf16 = cpu_to_bf16,
    .bias_act_forward = cpu_bias_act_forward,
    .bias_act_backward = cpu_bias_act_backward,
    .xent_train = cpu_xent_train,
    .xent_infer = cpu_xent_infer,
    .sgd = cpu_sgd,
    .adamw = cpu_adamw,
    .embedding_forward = cpu_embedding_forward,
    .embedding_backward = cpu_embedding_backward,
    .embedding_backward_place = cpu_embedding_backward_place,
    .layernorm_forward = cpu_layernorm_forward,
    .layernorm_backward = cpu_layernorm_backward,
    .rmsnorm_forward = cpu_rmsnorm_forward,
    .rmsnorm_backward = cpu_rmsnorm_backward,
    .rotary_forward = cpu_rotary_forward,
    .rotary_backward = cpu_rotary_backward,
    .swiglu_forward = cpu_swiglu_forward,
    .swiglu_backward = cpu_swiglu_backward,
    .attention_forward = cpu_attention_forward,
    .attention_backward = cpu_attention_backward,
    .dropout = cpu_dropout,
    .xent_tokens = cpu_xent_tokens,
    .norm = cpu_norm};

int device_cpu_open(struct device **ret, struct gm_error *err)
{
    struct device *d = calloc(1, sizeof(*d));
    if (d == NULL)
        return gm_fail(err, -ENOMEM, "out of memory");
    *d = (struct device){.op = &device_cpu_table, .host = true, .text = "cpu"};
    *ret = d;
    return 0;
}
