/* Forward over whole sequences, and their losses. With a gradient every block keeps what
 * backward wants; without one all blocks share one block's buffers. Logits are there for
 * a chunk of rows at a time, however large the vocabulary. */
#include "transformer_inside.h"

#include <assert.h>

#define DROP_STREAM 40 /* streams from 2^40 on: weights and orders of rows are below */

struct transformer_batch transformer_batch_put(const struct transformer *t,
                                               struct transformer_work *w,
                                               size_t sequences,
                                               size_t tokens,
                                               const int32_t *ids,
                                               const int32_t *labels)
{
    size_t rows = sequences * tokens, bytes = rows * sizeof(int32_t);
    assert(sequences <= w->sequences && rows <= w->rows && tokens <= t->config.context);
    for (size_t i = 0; i < rows; i++)
        w->host_positions[i] = (int32_t)(i % tokens);
    return (struct transformer_batch){
        .sequences = sequences,
        .tokens = tokens,
        .rows = rows,
        .ids = device_view(t->device, ids, bytes, w->ids),
        .labels = device_view(t->device, labels, bytes, w->labels),
        .positions = device_view(t->device, w->host_positions, bytes, w->positions)};
}

void transformer_drop(const struct transformer *t,
                      const struct transformer_batch *b,
                      size_t site,
                      const float *x,
                      const float *add,
                      float *y)
{
    struct device *d = t->device;
    size_t dim = t->config.dim;
    const struct transformer_dropout *o = b->dropout;
    const struct dropout drop = {
        .seed = o->seed, .stream = (site + 1) << DROP_STREAM | o->step, .p = o->p};
    uint64_t first = o->first_sequence * b->tokens * dim;
    d->op->dropout(d, &drop, first, b->rows * dim, x, add, y);
}

/* The residual stream goes on: x = a + branch `site`, y = norm(x). */
static void add_branch(const struct transformer *t,
                       const struct transformer_norm *n,
                       const struct transformer_batch *b,
                       size_t site,
                       const float *a,
                       const float *branch)
{
    if (b->dropout == NULL) {
        transformer_norm_forward(t, n, b->rows, a, branch);
        return;
    }
    transformer_drop(t, b, site, branch, a, n->x);
    transformer_norm_forward(t, n, b->rows, n->x, NULL);
}

static void
embed(const struct transformer *t, const struct transformer_batch *b, float *x)
{
    struct device *d = t->device;
    const struct transformer_layout *l = t->layout;
    d->op->embedding_forward(d,
                             b->rows,
                             t->config.dim,
                             b->ids,
                             t->params + l->embed,
                             b->tokens,
                             l->place == TRANSFORMER_NONE ? NULL : t->params + l->place,
                             x);
    if (b->dropout != NULL)
        transformer_drop(t, b, 0, x, NULL, x);
}

static void attend(const struct transformer *t,
                   const struct transformer_batch *b,
                   const struct transformer_saved *s)
{
    struct device *d = t->device;
    const struct transformer_layout *l = t->layout;
    const struct attention a = transformer_attention(t, b->sequences, b->tokens, 0);
    struct attention_in q = transformer_packed(t, b->tokens, s->qkv, 0);
    struct attention_in k = transformer_packed(t, b->tokens, s->qkv, l->q);
    struct attention_in v = transformer_packed(t, b->tokens, s->qkv, l->q + l->kv);
    const struct attention_out o = {.at = s->att,
                                    .sequence = b->tokens * l->q,
                                    .token = l->q,
                                    .head = t->config.head_dim};
    transformer_turn(t, b->rows, b->positions, false, s->qkv);
    d->op->attention_forward(d, &a, &q, &k, &v, &o, s->lse);
}

void transformer_forward(const struct transformer *t,
                         struct transformer_work *w,
                         const struct transformer_batch *b)
{
    const struct weights_config *c = &t->config;
    const struct transformer_layout *l = t->layout;
    const float *x = w->saved[0].x1;
    embed(t, b, w->saved[0].x1);
    for (size_t i = 0; i < c->layers; i++) {
        const struct transformer_saved *s = &w->saved[w->gradient ? i : 0];
        struct transformer_block p = transformer_block_at(t, i);
        const struct transformer_norm
            first = {p.norm1, p.norm1_bias, s->x1, s->y1, s->mean1, s->rstd1},
            second = {p.norm2, p.norm2_bias, s->x2, s->y2, s->mean2, s->rstd2};
        if (i == 0)
            transformer_norm_forward(t, &first, b->rows, s->x1, NULL);
        else
            add_branch(t, &first, b, 2 * i, x, w->branch);
        transformer_linear(t, b->rows, c->dim, l->qkv, s->y1, p.qkv, p.qkv_bias, s->qkv);
        attend(t, b, s);
        transformer_linear(
            t, b->rows, l->q, c->dim, s->att, p.out, p.out_bias, w->branch);
        add_branch(t, &second, b, 2 * i + 1, s->x1, w->branch);
        transformer_linear(
            t, b->rows, c->dim, l->up, s->y2, p.up, TRANSFORMER_NONE, s->z);
        transformer_activate(t, &p, b->rows, s->z, s->h);
        transformer_linear(
            t, b->rows, c->hidden, c->dim, s->h, p.down, p.down_bias, w->branch);
        x = s->x2;
    }
    const struct transformer_norm last = {
        l->norm, l->norm_bias, w->x, w->y, w->mean, w->rstd};
    add_branch(t, &last, b, 2 * c->layers, x, w->branch);
}

int transformer_score(const struct transformer *t,
                      struct transformer_work *w,
                      const struct transformer_batch *b,
                      float *losses,
                      struct xent_tokens *ret,
                      struct gm_error *err)
{
    struct device *d = t->device;
    size_t chunks = (b->rows + w->chunk - 1) / w->chunk;
    float *own = losses != NULL ? losses : w->host_losses;
    d->op->get(d, own, w->losses, b->rows * sizeof(*own));
    d->op->get(d, w->host_scores, w->scores, chunks * sizeof(*w->scores));
    int rc = d->op->sync(d, err);
    if (rc != 0)
        return rc;
    struct xent_tokens all = {0};
    for (size_t i = 0; i < chunks; i++) {
        all.tokens += w->host_scores[i].tokens;
        all.correct += w->host_scores[i].correct;
    }
    for (size_t i = 0; i < b->rows; i++) /* in order, wherever chunks end */
        all.loss += (double)own[i];
    *ret = all;
    return 0;
}

int transformer_loss(const struct transformer *t,
                     struct transformer_work *w,
                     size_t sequences,
                     size_t tokens,
                     const int32_t *ids,
                     const int32_t *labels,
                     float *losses,
                     struct xent_tokens *ret,
                     struct gm_error *err)
{
    struct device *d = t->device;
    const struct transformer_batch b =
        transformer_batch_put(t, w, sequences, tokens, ids, labels);
    transformer_forward(t, w, &b);
    for (size_t i = 0; i < b.rows; i += w->chunk) {
        size_t rows = b.rows - i < w->chunk ? b.rows - i : w->chunk;
        transformer_logits(t, rows, w->y + i * t->config.dim, w->logits);
        d->op->xent_tokens(d,
                           rows,
                           t->config.vocab,
                           w->logits,
                           b.labels + i,
                           1,
                           w->losses + i,
                           NULL,
                           w->scores + i / w->chunk);
    }
    return transformer_score(t, w, &b, losses, ret, err);
}
