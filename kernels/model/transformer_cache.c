/* Decoding. The new tokens of all sequences go through the blocks side by side, and each
 * reads the keys and values of those before it; a long prompt goes in pieces, which
 * changes no bit. */
#include "transformer_inside.h"

#include <stdlib.h>
#include <string.h>

#define PIECE ((size_t)256) /* tokens of a prompt that go through the blocks at once */

struct transformer_cache {
    struct device *device;
    size_t sequences, room, tokens; /* of each sequence: may be, are */
    size_t piece;                   /* tokens of each sequence at once */
    float *past;                    /* [layers][sequences][room][2 kv]: keys, values */
    float *block;
    float *x, *x2, *y, *qkv, *att, *branch, *z, *h, *mean, *rstd; /* [rows][...] */
    float *logits;                                                /* [sequences][vocab] */
    int32_t *ids, *positions;
    const int32_t *at; /* positions as the device sees them */
    int32_t *host_ids, *host_positions;
    float *host_logits; /* NULL where the device's are the host's */
};

static float *cut(float **next, size_t rows, size_t width)
{
    float *at = *next;
    *next += (rows * width + 15) / 16 * 16;
    return at;
}

static int alloc_buffers(const struct transformer *t,
                         struct transformer_cache *c,
                         struct gm_error *err)
{
    const struct transformer_layout *l = t->layout;
    size_t rows = c->sequences * c->piece, dim = t->config.dim, vocab = t->config.vocab;
    size_t row = 4 * dim + l->qkv + l->q + l->up + t->config.hidden + 4;
    double floats = (double)rows * (double)row + (double)c->sequences * (double)vocab;
    void *block = NULL;
    if (floats > 0x1p46)
        return gm_fail(err, -ENOMEM, "no memory for %zu sequences", c->sequences);
    size_t n = rows * row + c->sequences * vocab + (size_t)16 * 16;
    int rc = c->device->op->alloc(c->device, n * sizeof(float), &block, err);
    if (rc != 0)
        return rc;
    float *next = c->block = block;
    c->x = cut(&next, rows, dim);
    c->x2 = cut(&next, rows, dim);
    c->y = cut(&next, rows, dim);
    c->branch = cut(&next, rows, dim);
    c->qkv = cut(&next, rows, l->qkv);
    c->att = cut(&next, rows, l->q);
    c->z = cut(&next, rows, l->up);
    c->h = cut(&next, rows, t->config.hidden);
    c->mean = cut(&next, rows, 1);
    c->rstd = cut(&next, rows, 1);
    c->logits = cut(&next, c->sequences, vocab);
    c->ids = (void *)cut(&next, rows, 1);
    c->positions = (void *)cut(&next, rows, 1);
    c->host_ids = calloc(rows, sizeof(*c->host_ids));
    c->host_positions = calloc(rows, sizeof(*c->host_positions));
    if (!c->device->host)
        c->host_logits = calloc(c->sequences * vocab, sizeof(*c->host_logits));
    if (c->host_ids == NULL || c->host_positions == NULL ||
        (!c->device->host && c->host_logits == NULL))
        return gm_fail(err, -ENOMEM, "out of memory");
    return 0;
}

int transformer_cache_make(const struct transformer *t,
                           size_t sequences,
                           size_t tokens,
                           struct transformer_cache **ret,
                           struct gm_error *err)
{
    size_t width = 2 * t->layout->kv, layers = t->config.layers;
    double floats = (double)sequences * (double)tokens * (double)width * (double)layers;
    if (sequences == 0 || tokens == 0 || tokens > t->config.context)
        return gm_fail(err,
                       -EINVAL,
                       "a cache of %zu sequences of %zu tokens does not fit the model, "
                       "whose context is %zu",
                       sequences,
                       tokens,
                       t->config.context);
    if (sequences > INT32_MAX / PIECE || floats > 0x1p46)
        return gm_fail(err,
                       -ENOMEM,
                       "no memory for the keys and values of %zu sequences of %zu tokens",
                       sequences,
                       tokens);
    AUTO(transformer_cache) c = calloc(1, sizeof(*c));
    if (c == NULL)
        return gm_fail(err, -ENOMEM, "out of memory");
    c->device = t->device;
    c->sequences = sequences;
    c->room = tokens;
    c->piece = sequences < PIECE ? PIECE / sequences : 1;
    c->piece = c->piece < tokens ? c->piece : tokens;
    void *past = NULL;
    int rc = c->device->op->alloc(
        c->device, layers * sequences * tokens * width * sizeof(float), &past, err);
    c->past = past;
    if (rc == 0)
        rc = alloc_buffers(t, c, err);
    if (rc == 0)
        *ret = steal(&c);
    return rc;
}

void transformer_cache_free(struct transformer_cache *c)
{
    if (c == NULL)
        return;
    c->device->op->release(c->device, c->past);
    c->device->op->release(c->device, c->block);
    free(c->host_ids);
    free(c->host_positions);
    free(c->host_logits);
    free(c);
}

void transformer_cache_cut(struct transformer_cache *c, size_t tokens)
{
    c->tokens = tokens < c->tokens ? tokens : c->tokens;
}

size_t transformer_cache_tokens(const struct transformer_cache *c)
{
    return c->tokens;
}

/* The keys and values of `n` new tokens go behind those that are there; then the queries
 * read all of them. */
static void
attend(const struct transformer *t, struct transformer_cache *c, size_t layer, size_t n)
{
    struct device *d = t->device;
    const struct transformer_layout *l = t->layout;
    size_t rows = c->sequences * n, width = 2 * l->kv, sequence = c->room * width;
    float *past = c->past + layer * c->sequences * sequence;
    transformer_turn(t, rows, c->at, false, c->qkv);
    for (size_t s = 0; s < c->sequences; s++) {
        for (size_t i = 0; i < n; i++)
            d->op->copy(d,
                        past + s * sequence + (c->tokens + i) * width,
                        c->qkv + (s * n + i) * l->qkv + l->q,
                        width * sizeof(float));
    }
    const struct attention a = transformer_attention(t, c->sequences, n, c->tokens);
    const struct attention_in q = transformer_packed(t, n, c->qkv, 0);
    const struct attention_in k = {
        .at = past, .sequence = sequence, .token = width, .head = t->config.head_dim};
    struct attention_in v = k;
    const struct attention_out o = {
        .at = c->att, .sequence = n * l->q, .token = l->q, .head = t->config.head_dim};
    v.at += l->kv;
    d->op->attention_forward(d, &a, &q, &k, &v, &o, NULL);
}

/* One block over `rows` new tokens. x: what came before, and with `branch` added the
 * stream; afterwards x2 and branch are that. */
static void
block(const struct transformer *t, struct transformer_cache *c, size_t layer, size_t n)
{
    const struct weights_config *f = &t->config;
    const struct transformer_layout *l = t->layout;
    struct transformer_block p = transformer_block_at(t, layer);
    const struct transformer_norm
        first = {p.norm1, p.norm1_bias, c->x, c->y, c->mean, c->rstd},
        second = {p.norm2, p.norm2_bias, c->x2, c->y, c->mean, c->rstd};
    size_t rows = c->sequences * n;
    transformer_norm_forward(
        t, &first, rows, layer == 0 ? c->x : c->x2, layer == 0 ? NULL : c->branch);
    transformer_linear(t, rows, f->dim, l->qkv, c->y, p.qkv, p.qkv_bias, c->qkv);
    attend(t, c, layer, n);
    transformer_linear(t, rows, l->q, f->dim, c->att, p.out, p.out_bias, c->branch);
    transformer_norm_forward(t, &second, rows, c->x, c->branch);
    transformer_linear(t, rows, f->dim, l->up, c->y, p.up, TRANSFORMER_NONE, c->z);
    transformer_activate(t, &p, rows, c->z, c->h);
    transformer_linear(t, rows, f->hidden, f->dim, c->h, p.down, p.down_bias, c->branch);
}

static void embed(const struct transformer *t, struct transformer_cache *c, size_t n)
{
    struct device *d = t->device;
    const struct transformer_layout *l = t->layout;
    size_t rows = c->sequences * n, bytes = rows * sizeof(int32_t), dim = t->config.dim;
    const float *place =
        l->place == TRANSFORMER_NONE ? NULL : t->params + l->place + c->tokens * dim;
    d->op->embedding_forward(d,
                             rows,
                             dim,
                             device_view(d, c->host_ids, bytes, c->ids),
                             t->params + l->embed,
                             n,
                             place,
                             c->x);
    c->at = device_view(d, c->host_positions, bytes, c->positions);
}

/* Logits of each sequence's last of `n` tokens. */
static void classify(const struct transformer *t, struct transformer_cache *c, size_t n)
{
    struct device *d = t->device;
    size_t dim = t->config.dim;
    for (size_t s = 0; s < c->sequences && n > 1; s++) {
        size_t from = (s * n + n - 1) * dim, bytes = dim * sizeof(float);
        d->op->copy(d, c->x2 + s * dim, c->x2 + from, bytes);
        d->op->copy(d, c->branch + s * dim, c->branch + from, bytes);
    }
    const struct transformer_norm last = {
        t->layout->norm, t->layout->norm_bias, c->x, c->y, c->mean, c->rstd};
    transformer_norm_forward(t, &last, c->sequences, c->x2, c->branch);
    transformer_logits(t, c->sequences, c->y, c->logits);
}

/* Takes `n` tokens of each sequence, `stride` ids from one sequence to the next. */
static void feed(const struct transformer *t,
                 struct transformer_cache *c,
                 size_t n,
                 size_t stride,
                 const int32_t *ids)
{
    for (size_t s = 0; s < c->sequences; s++) {
        for (size_t i = 0; i < n; i++) {
            c->host_ids[s * n + i] = ids[s * stride + i];
            c->host_positions[s * n + i] = (int32_t)(c->tokens + i);
        }
    }
    embed(t, c, n);
    for (size_t layer = 0; layer < t->config.layers; layer++)
        block(t, c, layer, n);
    c->tokens += n;
}

int transformer_next(const struct transformer *t,
                     struct transformer_cache *c,
                     size_t tokens,
                     const int32_t *ids,
                     const float **ret_logits,
                     struct gm_error *err)
{
    struct device *d = t->device;
    if (tokens == 0 || tokens > c->room - c->tokens)
        return gm_fail(err,
                       tokens == 0 ? -EINVAL : -ENOSPC,
                       "%zu tokens more do not fit a cache that holds %zu of %zu",
                       tokens,
                       c->tokens,
                       c->room);
    size_t n = 0;
    for (size_t i = 0; i < tokens; i += n) {
        n = tokens - i < c->piece ? tokens - i : c->piece;
        feed(t, c, n, tokens, ids + i);
    }
    classify(t, c, n);
    if (!d->host)
        d->op->get(
            d, c->host_logits, c->logits, c->sequences * t->config.vocab * sizeof(float));
    int rc = d->op->sync(d, err);
    if (rc == 0)
        *ret_logits = d->host ? c->logits : c->host_logits;
    return rc;
}
