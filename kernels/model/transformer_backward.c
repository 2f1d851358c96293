/* Backward: the blocks from the last to the first, each from what forward saved. dx is
 * the gradient of the residual stream; a block's two branches add to it by the norms that
 * begin them. Every parameter's gradient is written, so what stood there is no matter. */
#include "transformer_inside.h"

#include <string.h>

/* The call's own. */
struct pass {
    const struct transformer *t;
    struct transformer_work *w;
    const struct transformer_batch *b;
    float *grad;
};

/* dW = x^T dy, dbias, and dx = dy W^T. */
static void linear_back(const struct pass *p,
                        size_t in,
                        size_t out,
                        const float *x,
                        size_t weight,
                        size_t bias,
                        float *dy,
                        float *dx)
{
    struct device *d = p->t->device;
    size_t rows = p->b->rows;
    const struct gemm_shape dw = {.form = GEMM_TN, .m = in, .n = out, .k = rows};
    const struct gemm_shape back = {.form = GEMM_NT, .m = rows, .n = in, .k = out};
    if (bias != TRANSFORMER_NONE)
        d->op->bias_act_backward(d, ACT_NONE, rows, out, dy, dy, dy, p->grad + bias);
    d->op->gemm(d, &dw, x, dy, p->grad + weight);
    d->op->gemm(d, &back, dy, p->t->params + weight, dx);
}

/* dx = the norm's gradient from dy, and, where `stream`, what dx held. */
static void norm_back(const struct pass *p, const struct transformer_norm *n, bool stream)
{
    struct device *d = p->t->device;
    const struct transformer_work *w = p->w;
    size_t rows = p->b->rows, dim = p->t->config.dim;
    const float *gain = p->t->params + n->gain, *sum = stream ? w->dx : NULL;
    if (transformer_gpt2(p->t))
        d->op->layernorm_backward(d,
                                  rows,
                                  dim,
                                  n->x,
                                  gain,
                                  n->mean,
                                  n->rstd,
                                  w->dy,
                                  sum,
                                  w->dx,
                                  p->grad + n->gain,
                                  p->grad + n->bias,
                                  w->sums);
    else
        d->op->rmsnorm_backward(d,
                                rows,
                                dim,
                                n->x,
                                gain,
                                n->rstd,
                                w->dy,
                                sum,
                                w->dx,
                                p->grad + n->gain,
                                w->sums);
}

/* Scores, and their gradient through the classifier into dy; chunks of rows are gemm.h's
 * blocks of a sum. */
static void head_back(const struct pass *p, float scale)
{
    const struct transformer *t = p->t;
    struct device *d = t->device;
    struct transformer_work *w = p->w;
    size_t dim = t->config.dim, vocab = t->config.vocab;
    for (size_t i = 0; i < p->b->rows; i += w->chunk) {
        size_t rows = p->b->rows - i < w->chunk ? p->b->rows - i : w->chunk;
        const float *y = w->y + i * dim;
        const struct gemm_shape dw = {
            .form = GEMM_TN, .m = vocab, .n = dim, .k = rows, .add = i > 0};
        const struct gemm_shape back = {.form = GEMM_NN, .m = rows, .n = dim, .k = vocab};
        transformer_logits(t, rows, y, w->logits);
        d->op->xent_tokens(d,
                           rows,
                           vocab,
                           w->logits,
                           p->b->labels + i,
                           scale,
                           w->losses + i,
                           w->logits,
                           w->scores + i / w->chunk);
        d->op->gemm(d, &dw, w->logits, y, p->grad + t->layout->head);
        d->op->gemm(d, &back, w->logits, t->params + t->layout->head, w->dy + i * dim);
    }
}

/* What reaches the end of branch `site`. */
static float *branch_end(const struct pass *p, size_t site)
{
    if (p->b->dropout == NULL)
        return p->w->dx;
    transformer_drop(p->t, p->b, site, p->w->dx, NULL, p->w->branch);
    return p->w->branch;
}

static void hidden_back(const struct pass *p,
                        const struct transformer_block *at,
                        const struct transformer_saved *s,
                        size_t layer)
{
    const struct transformer *t = p->t;
    struct device *d = t->device;
    const struct transformer_work *w = p->w;
    size_t hidden = t->config.hidden, rows = p->b->rows, dim = t->config.dim;
    float *end = branch_end(p, 2 * layer + 2);
    linear_back(p, hidden, dim, s->h, at->down, at->down_bias, end, w->dh);
    if (transformer_gpt2(t))
        d->op->bias_act_backward(d,
                                 transformer_act(t),
                                 rows,
                                 hidden,
                                 s->z,
                                 w->dh,
                                 w->dz,
                                 p->grad + at->up_bias);
    else
        d->op->swiglu_backward(d,
                               rows,
                               hidden,
                               2 * hidden,
                               s->z,
                               s->z + hidden,
                               w->dh,
                               w->dz,
                               w->dz + hidden);
    linear_back(p, dim, t->layout->up, s->y2, at->up, TRANSFORMER_NONE, w->dz, w->dy);
    const struct transformer_norm n = {
        at->norm2, at->norm2_bias, s->x2, s->y2, s->mean2, s->rstd2};
    norm_back(p, &n, true);
}

static struct attention_out gradient_at(const struct pass *p, size_t column)
{
    size_t wide = p->t->layout->qkv;
    return (struct attention_out){.at = p->w->dqkv + column,
                                  .sequence = p->b->tokens * wide,
                                  .token = wide,
                                  .head = p->t->config.head_dim};
}

static void attend_back(const struct pass *p, const struct transformer_saved *s)
{
    const struct transformer *t = p->t;
    struct device *d = t->device;
    size_t tokens = p->b->tokens, q = t->layout->q, kv = t->layout->kv;
    const struct attention a = transformer_attention(t, p->b->sequences, tokens, 0);
    struct attention_in o = {
        .at = s->att, .sequence = tokens * q, .token = q, .head = t->config.head_dim};
    const struct attention_saved saved = {
        .q = transformer_packed(t, tokens, s->qkv, 0),
        .k = transformer_packed(t, tokens, s->qkv, q),
        .v = transformer_packed(t, tokens, s->qkv, q + kv),
        .o = o,
        .lse = s->lse};
    struct attention_out dq = gradient_at(p, 0), dk = gradient_at(p, q),
                         dv = gradient_at(p, q + kv);
    o.at = p->w->dy;
    d->op->attention_backward(d, &a, &saved, &o, &dq, &dk, &dv, p->w->sums);
    transformer_turn(t, p->b->rows, p->b->positions, true, p->w->dqkv);
}

static void attention_back(const struct pass *p,
                           const struct transformer_block *at,
                           const struct transformer_saved *s,
                           size_t layer)
{
    const struct transformer_work *w = p->w;
    const struct transformer_layout *l = p->t->layout;
    size_t dim = p->t->config.dim;
    float *end = branch_end(p, 2 * layer + 1);
    linear_back(p, l->q, dim, s->att, at->out, at->out_bias, end, w->dy);
    attend_back(p, s);
    linear_back(p, dim, l->qkv, s->y1, at->qkv, at->qkv_bias, w->dqkv, w->dy);
    const struct transformer_norm n = {
        at->norm1, at->norm1_bias, s->x1, s->y1, s->mean1, s->rstd1};
    norm_back(p, &n, true);
}

/* A tied table has the classifier's gradient already. */
static void embed_back(const struct pass *p)
{
    const struct transformer *t = p->t;
    struct device *d = t->device;
    const struct weights_config *c = &t->config;
    const struct transformer_layout *l = t->layout;
    const float *dx = branch_end(p, 0);
    if (!c->tied)
        d->op->zero(d, p->grad + l->embed, c->vocab * c->dim * sizeof(float));
    d->op->embedding_backward(d, p->b->rows, c->dim, p->b->ids, dx, p->grad + l->embed);
    if (l->place == TRANSFORMER_NONE)
        return;
    d->op->zero(d, p->grad + l->place, c->context * c->dim * sizeof(float));
    d->op->embedding_backward_place(
        d, p->b->rows, c->dim, p->b->tokens, dx, p->grad + l->place);
}

int transformer_gradient(const struct transformer *t,
                         struct transformer_work *w,
                         size_t sequences,
                         size_t tokens,
                         const int32_t *ids,
                         const int32_t *labels,
                         float scale,
                         const struct transformer_dropout *dropout,
                         float *grad,
                         struct xent_tokens *ret,
                         struct gm_error *err)
{
    struct transformer_batch b =
        transformer_batch_put(t, w, sequences, tokens, ids, labels);
    bool drops = transformer_gpt2(t) && dropout != NULL && dropout->p > 0;
    b.dropout = drops ? dropout : NULL;
    struct pass p = {.t = t, .w = w, .b = &b};
    p.grad = grad;
    transformer_forward(t, w, &b);
    head_back(&p, scale);
    const struct transformer_norm last = {
        t->layout->norm, t->layout->norm_bias, w->x, w->y, w->mean, w->rstd};
    norm_back(&p, &last, false);
    for (size_t i = t->config.layers; i-- > 0;) {
        struct transformer_block at = transformer_block_at(t, i);
        hidden_back(&p, &at, &w->saved[i], i);
        attention_back(&p, &at, &w->saved[i], i);
    }
    embed_back(&p);
    return transformer_score(t, w, &b, NULL, ret, err);
}
