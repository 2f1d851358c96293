/* See models.h: a device of which every operator is another's, and the clock. Bytes are
 * those that an operator must read and write once; flops are given where products make an
 * operator's time, else 0. */
#include "models.h"

#include "base/clock.h"
#include "base/memory.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OPERATORS_MAX 128

struct timed {
    struct device device, *under;
    size_t n;
    struct timed_operator found[OPERATORS_MAX], taken[OPERATORS_MAX];
};

__attribute__((format(printf, 5, 6))) static void
note(struct device *d, double start, double flops, double floats, const char *format, ...)
{
    double took = clock_monotonic() - start;
    struct timed *t = d->inside;
    char name[64];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(name, sizeof(name), format, args);
    va_end(args);
    size_t i = 0;
    while (i < t->n && strcmp(t->found[i].name, name) != 0)
        i++;
    if (i == OPERATORS_MAX)
        abort();
    struct timed_operator *o = &t->found[i];
    if (i == t->n) {
        *o = (struct timed_operator){.flops = flops, .bytes = floats * sizeof(float)};
        memcpy(o->name, name, sizeof(name));
        t->n++;
    }
    o->calls++;
    o->seconds += took;
}

static struct device *under(struct device *d)
{
    return ((struct timed *)d->inside)->under;
}

static int timed_alloc(struct device *d, size_t nbytes, void **ret, struct gm_error *err)
{
    return under(d)->op->alloc(under(d), nbytes, ret, err);
}

static void timed_release(struct device *d, void *at)
{
    under(d)->op->release(under(d), at);
}

static int timed_sync(struct device *d, struct gm_error *err)
{
    double start = clock_monotonic();
    int rc = under(d)->op->sync(under(d), err);
    note(d, start, 0, 0, "sync");
    return rc;
}

static void timed_close(struct device *d)
{
    free(d->inside);
}

/* A slot of the table: its parameters and arguments after the device, then what to note.
 */
#define TIMED(slot, params, args, flops, floats, ...)                                    \
    static void timed_##slot params                                                      \
    {                                                                                    \
        double start = clock_monotonic();                                                \
        under(d)->op->slot args;                                                         \
        note(d, start, flops, floats, __VA_ARGS__);                                      \
    }

#define MN ((double)m * (double)n)

TIMED(put,
      (struct device * d, void *to, const void *from, size_t nbytes),
      (under(d), to, from, nbytes),
      0,
      (double)nbytes / 2,
      "put")
TIMED(get,
      (struct device * d, void *to, const void *from, size_t nbytes),
      (under(d), to, from, nbytes),
      0,
      (double)nbytes / 2,
      "get")
TIMED(copy,
      (struct device * d, void *to, const void *from, size_t nbytes),
      (under(d), to, from, nbytes),
      0,
      (double)nbytes / 2,
      "copy %zu",
      nbytes)
TIMED(zero,
      (struct device * d, void *at, size_t nbytes),
      (under(d), at, nbytes),
      0,
      (double)nbytes / 4,
      "zero %zu",
      nbytes)

static const char *const forms[] = {"NN", "NT", "TN"};

static double gemm_flops(const struct gemm_shape *g)
{
    return 2 * (double)g->m * (double)g->n * (double)g->k;
}

static double gemm_floats(const struct gemm_shape *g)
{
    double m = (double)g->m, n = (double)g->n, k = (double)g->k;
    return m * k + k * n + (g->add ? 2 : 1) * m * n;
}

TIMED(gemm,
      (struct device * d,
       const struct gemm_shape *g,
       const float *a,
       const float *b,
       float *c),
      (under(d), g, a, b, c),
      gemm_flops(g),
      gemm_floats(g),
      "gemm %s %zux%zux%zu",
      forms[g->form],
      g->m,
      g->n,
      g->k)
TIMED(gemm_bf16,
      (struct device * d,
       const struct gemm_shape *g,
       const float *a,
       const uint16_t *b,
       float *c),
      (under(d), g, a, b, c),
      gemm_flops(g),
      gemm_floats(g),
      "gemm bf16 %s %zux%zux%zu",
      forms[g->form],
      g->m,
      g->n,
      g->k)
TIMED(gemm_batch,
      (struct device * d,
       const struct gemm_shape *g,
       const struct gemm_batch *batch,
       const float *a,
       const float *b,
       float *c),
      (under(d), g, batch, a, b, c),
      gemm_flops(g) * (double)batch->count,
      gemm_floats(g) * (double)batch->count,
      "gemm batch of %zu %s %zux%zux%zu",
      batch->count,
      forms[g->form],
      g->m,
      g->n,
      g->k)
TIMED(to_bf16,
      (struct device * d, size_t n, const float *v, uint16_t *ret),
      (under(d), n, v, ret),
      0,
      1.5 * (double)n,
      "to bf16 %zu",
      n)
TIMED(bias_act_forward,
      (struct device * d,
       enum act act,
       size_t m,
       size_t n,
       float *z,
       const float *bias,
       float *y),
      (under(d), act, m, n, z, bias, y),
      0,
      (y == z ? 2 : 3) * MN,
      "bias + activation %d %zux%zu",
      (int)act,
      m,
      n)
TIMED(bias_act_backward,
      (struct device * d,
       enum act act,
       size_t m,
       size_t n,
       const float *z,
       const float *dy,
       float *dz,
       float *dbias),
      (under(d), act, m, n, z, dy, dz, dbias),
      0,
      (act == ACT_NONE && dy == dz ? 1 : 3) * MN,
      "bias + activation %d backward %zux%zu",
      (int)act,
      m,
      n)
TIMED(xent_train,
      (struct device * d,
       size_t m,
       size_t n,
       const float *logits,
       const int32_t *labels,
       float scale,
       float *dlogits,
       struct xent_score *ret),
      (under(d), m, n, logits, labels, scale, dlogits, ret),
      0,
      2 * MN,
      "cross-entropy %zux%zu",
      m,
      n)
TIMED(xent_infer,
      (struct device * d,
       size_t m,
       size_t n,
       const float *logits,
       float *p,
       int32_t *predicted),
      (under(d), m, n, logits, p, predicted),
      0,
      2 * MN,
      "probabilities %zux%zu",
      m,
      n)
TIMED(sgd,
      (struct device * d,
       const struct sgd *o,
       size_t n,
       float *w,
       float *v,
       const float *g),
      (under(d), o, n, w, v, g),
      0,
      5 * (double)n,
      "sgd %zu",
      n)

static double group_floats(size_t n_groups, const struct adamw_group *groups)
{
    double n = 0;
    for (size_t i = 0; i < n_groups; i++)
        n += (double)groups[i].n;
    return n;
}

TIMED(adamw,
      (struct device * d,
       const struct adamw *o,
       uint64_t step,
       float factor,
       size_t n_groups,
       const struct adamw_group *groups,
       float *w,
       float *m,
       float *v,
       const float *g),
      (under(d), o, step, factor, n_groups, groups, w, m, v, g),
      0,
      7 * group_floats(n_groups, groups),
      "adamw %.0f",
      group_floats(n_groups, groups))
TIMED(embedding_forward,
      (struct device * d,
       size_t m,
       size_t n,
       const int32_t *id,
       const float *table,
       size_t period,
       const float *place,
       float *y),
      (under(d), m, n, id, table, period, place, y),
      0,
      (place == NULL ? 2 : 3) * MN,
      "embedding %zux%zu",
      m,
      n)
TIMED(embedding_backward,
      (struct device * d,
       size_t m,
       size_t n,
       const int32_t *id,
       const float *dy,
       float *dtable),
      (under(d), m, n, id, dy, dtable),
      0,
      MN,
      "embedding backward %zux%zu",
      m,
      n)
TIMED(embedding_backward_place,
      (struct device * d,
       size_t m,
       size_t n,
       size_t period,
       const float *dy,
       float *dplace),
      (under(d), m, n, period, dy, dplace),
      0,
      MN,
      "positions backward %zux%zu",
      m,
      n)
TIMED(layernorm_forward,
      (struct device * d,
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
       float *rstd),
      (under(d), m, n, eps, a, b, x, gain, bias, y, mean, rstd),
      0,
      (b == NULL ? 2 : 4) * MN,
      "layernorm%s %zux%zu",
      b == NULL ? "" : " of a sum",
      m,
      n)
TIMED(layernorm_backward,
      (struct device * d,
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
       float *work),
      (under(d), m, n, x, gain, mean, rstd, dy, dsum, dx, dgain, dbias, work),
      0,
      (dsum == NULL ? 3 : 4) * MN,
      "layernorm backward %zux%zu",
      m,
      n)
TIMED(rmsnorm_forward,
      (struct device * d,
       size_t m,
       size_t n,
       float eps,
       const float *a,
       const float *b,
       float *x,
       const float *gain,
       float *y,
       float *rstd),
      (under(d), m, n, eps, a, b, x, gain, y, rstd),
      0,
      (b == NULL ? 2 : 4) * MN,
      "rmsnorm%s %zux%zu",
      b == NULL ? "" : " of a sum",
      m,
      n)
TIMED(rmsnorm_backward,
      (struct device * d,
       size_t m,
       size_t n,
       const float *x,
       const float *gain,
       const float *rstd,
       const float *dy,
       const float *dsum,
       float *dx,
       float *dgain,
       float *work),
      (under(d), m, n, x, gain, rstd, dy, dsum, dx, dgain, work),
      0,
      (dsum == NULL ? 3 : 4) * MN,
      "rmsnorm backward %zux%zu",
      m,
      n)
TIMED(rotary_forward,
      (struct device * d,
       const struct rotary *r,
       size_t m,
       size_t stride,
       const int32_t *position,
       float *x),
      (under(d), r, m, stride, position, x),
      0,
      2 * (double)(m * r->heads * r->size),
      "rotary %zux%zu",
      m,
      r->heads * r->size)
TIMED(rotary_backward,
      (struct device * d,
       const struct rotary *r,
       size_t m,
       size_t stride,
       const int32_t *position,
       float *x),
      (under(d), r, m, stride, position, x),
      0,
      2 * (double)(m * r->heads * r->size),
      "rotary backward %zux%zu",
      m,
      r->heads * r->size)
TIMED(swiglu_forward,
      (struct device * d,
       size_t m,
       size_t n,
       size_t stride,
       const float *a,
       const float *b,
       float *y),
      (under(d), m, n, stride, a, b, y),
      0,
      3 * MN,
      "SwiGLU %zux%zu",
      m,
      n)
TIMED(swiglu_backward,
      (struct device * d,
       size_t m,
       size_t n,
       size_t stride,
       const float *a,
       const float *b,
       const float *dy,
       float *da,
       float *db),
      (under(d), m, n, stride, a, b, dy, da, db),
      0,
      5 * MN,
      "SwiGLU backward %zux%zu",
      m,
      n)

/* The multiplications that the mask leaves: scores and values. */
static double attention_flops(const struct attention *a)
{
    double t = (double)a->tokens, pairs = t * (t + 1) / 2 + t * (double)a->past;
    return 4 * pairs * (double)(a->batch * a->heads * a->size);
}

/* q and o, k and v. */
static double attention_floats(const struct attention *a)
{
    double own = (double)(a->tokens * a->heads);
    double kv = (double)((a->tokens + a->past) * a->kv_heads);
    return 2 * (double)(a->batch * a->size) * (own + kv);
}

TIMED(attention_forward,
      (struct device * d,
       const struct attention *a,
       const struct attention_in *q,
       const struct attention_in *k,
       const struct attention_in *v,
       const struct attention_out *o,
       float *lse),
      (under(d), a, q, k, v, o, lse),
      attention_flops(a),
      attention_floats(a),
      "attention B%zu T%zu H%zu/%zu d%zu",
      a->batch,
      a->tokens,
      a->heads,
      a->kv_heads,
      a->size)
TIMED(attention_backward,
      (struct device * d,
       const struct attention *a,
       const struct attention_saved *saved,
       const struct attention_in *d_o,
       const struct attention_out *dq,
       const struct attention_out *dk,
       const struct attention_out *dv,
       float *work),
      (under(d), a, saved, d_o, dq, dk, dv, work),
      2.5 * attention_flops(a),
      2 * attention_floats(a),
      "attention backward B%zu T%zu H%zu/%zu d%zu",
      a->batch,
      a->tokens,
      a->heads,
      a->kv_heads,
      a->size)
TIMED(dropout,
      (struct device * d,
       const struct dropout *o,
       uint64_t first,
       size_t n,
       const float *x,
       const float *add,
       float *y),
      (under(d), o, first, n, x, add, y),
      0,
      (add == NULL ? 2 : 3) * (double)n,
      "dropout %zu",
      n)
TIMED(xent_tokens,
      (struct device * d,
       size_t m,
       size_t n,
       const float *logits,
       const int32_t *labels,
       float scale,
       float *losses,
       float *dlogits,
       struct xent_tokens *ret),
      (under(d), m, n, logits, labels, scale, losses, dlogits, ret),
      0,
      (dlogits == NULL ? 1 : 2) * MN,
      "cross-entropy of tokens %zux%zu",
      m,
      n)
TIMED(norm,
      (struct device * d, size_t n, const float *g, double *ret),
      (under(d), n, g, ret),
      0,
      (double)n,
      "gradient norm %zu",
      n)

static const struct device_table table = {.abi = DEVICE_ABI,
                                          .size = sizeof(struct device_table),
                                          .name = "timed",
                                          .alloc = timed_alloc,
                                          .release = timed_release,
                                          .put = timed_put,
                                          .get = timed_get,
                                          .copy = timed_copy,
                                          .zero = timed_zero,
                                          .sync = timed_sync,
                                          .close = timed_close,
                                          .gemm = timed_gemm,
                                          .gemm_bf16 = timed_gemm_bf16,
                                          .gemm_batch = timed_gemm_batch,
                                          .to_bf16 = timed_to_bf16,
                                          .bias_act_forward = timed_bias_act_forward,
                                          .bias_act_backward = timed_bias_act_backward,
                                          .xent_train = timed_xent_train,
                                          .xent_infer = timed_xent_infer,
                                          .sgd = timed_sgd,
                                          .adamw = timed_adamw,
                                          .embedding_forward = timed_embedding_forward,
                                          .embedding_backward = timed_embedding_backward,
                                          .embedding_backward_place =
                                              timed_embedding_backward_place,
                                          .layernorm_forward = timed_layernorm_forward,
                                          .layernorm_backward = timed_layernorm_backward,
                                          .rmsnorm_forward = timed_rmsnorm_forward,
                                          .rmsnorm_backward = timed_rmsnorm_backward,
                                          .rotary_forward = timed_rotary_forward,
                                          .rotary_backward = timed_rotary_backward,
                                          .swiglu_forward = timed_swiglu_forward,
                                          .swiglu_backward = timed_swiglu_backward,
                                          .attention_forward = timed_attention_forward,
                                          .attention_backward = timed_attention_backward,
                                          .dropout = timed_dropout,
                                          .xent_tokens = timed_xent_tokens,
                                          .norm = timed_norm};

struct timed *timed_make(struct device *d)
{
    struct timed *t = xcalloc(1, sizeof(*t));
    t->under = d;
    t->device = *d;
    t->device.op = &table;
    t->device.inside = t;
    t->device.library = NULL; /* d keeps it open */
    return t;
}

struct device *timed_device(struct timed *t)
{
    return &t->device;
}

const struct timed_operator *timed_take(struct timed *t, size_t *ret_n)
{
    memcpy(t->taken, t->found, t->n * sizeof(t->found[0]));
    *ret_n = t->n;
    for (size_t i = 0; i < t->n; i++) { /* each keeps its place */
        t->found[i].calls = 0;
        t->found[i].seconds = 0;
    }
    return t->taken;
}
