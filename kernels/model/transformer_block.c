/* The steps that training and decoding share. Each works a row at a time (but for
 * attention, whose rows keep their bits in any company: attention.h): so a token's
 * numbers are the same however many stand beside it. */
#include "kernels/op/rotary.h"
#include "transformer_inside.h"

#include <math.h>

static float *at(const struct transformer *t, size_t offset)
{
    return offset == TRANSFORMER_NONE ? NULL : t->params + offset;
}

void transformer_norm_forward(const struct transformer *t,
                              const struct transformer_norm *n,
                              size_t rows,
                              const float *a,
                              const float *b)
{
    struct device *d = t->device;
    float eps = (float)t->config.norm_eps;
    if (transformer_gpt2(t))
        d->op->layernorm_forward(d,
                                 rows,
                                 t->config.dim,
                                 eps,
                                 a,
                                 b,
                                 n->x,
                                 at(t, n->gain),
                                 at(t, n->bias),
                                 n->y,
                                 n->mean,
                                 n->rstd);
    else
        d->op->rmsnorm_forward(
            d, rows, t->config.dim, eps, a, b, n->x, at(t, n->gain), n->y, n->rstd);
}

void transformer_linear(const struct transformer *t,
                        size_t rows,
                        size_t in,
                        size_t out,
                        const float *x,
                        size_t weight,
                        size_t bias,
                        float *y)
{
    struct device *d = t->device;
    const struct gemm_shape g = {.form = GEMM_NN, .m = rows, .n = out, .k = in};
    d->op->gemm(d, &g, x, t->params + weight, y);
    if (bias != TRANSFORMER_NONE)
        d->op->bias_act_forward(d, ACT_NONE, rows, out, y, t->params + bias, y);
}

enum act transformer_act(const struct transformer *t)
{
    return t->config.gelu_erf ? ACT_GELU_ERF : ACT_GELU;
}

void transformer_activate(const struct transformer *t,
                          const struct transformer_block *b,
                          size_t rows,
                          float *z,
                          float *h)
{
    struct device *d = t->device;
    size_t hidden = t->config.hidden;
    if (transformer_gpt2(t))
        d->op->bias_act_forward(
            d, transformer_act(t), rows, hidden, z, t->params + b->up_bias, h);
    else
        d->op->swiglu_forward(d, rows, hidden, 2 * hidden, z, z + hidden, h);
}

/* Queries and keys lie side by side: one call turns both. */
void transformer_turn(const struct transformer *t,
                      size_t rows,
                      const int32_t *positions,
                      bool back,
                      float *qkv)
{
    struct device *d = t->device;
    const struct transformer_layout *l = t->layout;
    const struct weights_config *c = &t->config;
    if (transformer_gpt2(t))
        return;
    const struct rotary r = {.form = c->rope_pairs ? ROTARY_INTERLEAVED : ROTARY_HALVES,
                             .heads = c->heads + c->kv_heads,
                             .size = c->head_dim,
                             .cos = l->cos,
                             .sin = l->sin};
    if (back)
        d->op->rotary_backward(d, &r, rows, l->qkv, positions, qkv);
    else
        d->op->rotary_forward(d, &r, rows, l->qkv, positions, qkv);
}

void transformer_logits(const struct transformer *t,
                        size_t rows,
                        const float *y,
                        float *logits)
{
    struct device *d = t->device;
    const struct gemm_shape g = {
        .form = GEMM_NT, .m = rows, .n = t->config.vocab, .k = t->config.dim};
    d->op->gemm(d, &g, y, t->params + t->layout->head, logits);
}

struct attention_in transformer_packed(const struct transformer *t,
                                       size_t tokens,
                                       const float *qkv,
                                       size_t column)
{
    size_t wide = t->layout->qkv;
    return (struct attention_in){.at = qkv + column,
                                 .sequence = tokens * wide,
                                 .token = wide,
                                 .head = t->config.head_dim};
}

struct attention transformer_attention(const struct transformer *t,
                                       size_t sequences,
                                       size_t tokens,
                                       size_t past)
{
    const struct weights_config *c = &t->config;
    return (struct attention){.batch = sequences,
                              .tokens = tokens,
                              .past = past,
                              .heads = c->heads,
                              .kv_heads = c->kv_heads,
                              .size = c->head_dim,
                              .scale = (float)(1 / sqrt((double)c->head_dim))};
}
