/* The network itself: which parameters it has, where they lie, and their first values.
 * Layout is arithmetic on the config; nothing else knows an offset. */
#include "transformer.h"

#include "kernels/op/philox.h"
#include "kernels/op/rotary.h"
#include "transformer_inside.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define DEVIATION     0.02
#define PARAMS_MAX    0x1p46 /* floats; below it no size in bytes wraps */
#define POSITIONS_MAX ((size_t)1 << 20)
#define PIECE         ((size_t)4096) /* first values that are made at once; even */

/* Hands out `n` floats. */
static size_t take(size_t *at, size_t n)
{
    size_t here = *at;
    *at += n;
    return here;
}

static void block_matrices(const struct weights_config *c,
                           const struct transformer_layout *l,
                           size_t at,
                           struct transformer_block *ret)
{
    ret->qkv = take(&at, c->dim * l->qkv);
    ret->out = take(&at, l->q * c->dim);
    ret->up = take(&at, c->dim * l->up);
    ret->down = take(&at, c->hidden * c->dim);
}

static void block_vectors(const struct weights_config *c,
                          const struct transformer_layout *l,
                          size_t at,
                          struct transformer_block *ret)
{
    bool bias = c->arch == WEIGHTS_GPT2;
    ret->norm1 = take(&at, c->dim);
    ret->norm2 = take(&at, c->dim);
    ret->norm1_bias = bias ? take(&at, c->dim) : TRANSFORMER_NONE;
    ret->norm2_bias = bias ? take(&at, c->dim) : TRANSFORMER_NONE;
    ret->qkv_bias = bias ? take(&at, l->qkv) : TRANSFORMER_NONE;
    ret->out_bias = bias ? take(&at, c->dim) : TRANSFORMER_NONE;
    ret->up_bias = bias ? take(&at, l->up) : TRANSFORMER_NONE;
    ret->down_bias = bias ? take(&at, c->dim) : TRANSFORMER_NONE;
}

struct transformer_block transformer_block_at(const struct transformer *t, size_t layer)
{
    const struct transformer_layout *l = t->layout;
    struct transformer_block b;
    block_matrices(&t->config, l, l->block_matrices + layer * l->matrices, &b);
    block_vectors(&t->config, l, l->block_vectors + layer * l->vectors, &b);
    return b;
}

static size_t lay_out(const struct weights_config *c, struct transformer_layout *l)
{
    bool gpt2 = c->arch == WEIGHTS_GPT2;
    size_t at = 0;
    l->q = c->heads * c->head_dim;
    l->kv = c->kv_heads * c->head_dim;
    l->qkv = l->q + 2 * l->kv;
    l->up = gpt2 ? c->hidden : 2 * c->hidden;
    l->matrices = c->dim * (l->qkv + l->q + l->up + c->hidden);
    l->vectors = gpt2 ? 6 * c->dim + l->qkv + l->up : 2 * c->dim;
    l->embed = take(&at, c->vocab * c->dim);
    l->place = gpt2 ? take(&at, c->context * c->dim) : TRANSFORMER_NONE;
    l->block_matrices = take(&at, c->layers * l->matrices);
    l->head = c->tied ? l->embed : take(&at, c->vocab * c->dim);
    l->groups[0] = (struct adamw_group){.first = 0, .n = at, .decay = 1};
    l->block_vectors = take(&at, c->layers * l->vectors);
    l->norm = take(&at, c->dim);
    l->norm_bias = gpt2 ? take(&at, c->dim) : TRANSFORMER_NONE;
    l->groups[1] =
        (struct adamw_group){.first = l->groups[0].n, .n = at - l->groups[0].n};
    return at;
}

/* Of floats, in double: products of counts may be beyond any size. */
static double size_of(const struct weights_config *c)
{
    double dim = (double)c->dim, q = (double)(c->heads * c->head_dim),
           kv = (double)(c->kv_heads * c->head_dim), hidden = (double)c->hidden;
    double block = dim * (2 * q + 2 * kv + 3 * hidden + 16) + q + 2 * kv + hidden;
    return (double)c->layers * block + dim * (2 * (double)c->vocab + (double)c->context);
}

static int check(const struct weights_config *c, struct gm_error *err)
{
    int rc = weights_config_check("model", c, err);
    if (rc != 0)
        return rc;
    bool gpt2 = c->arch == WEIGHTS_GPT2;
    if (!gpt2 && c->arch != WEIGHTS_LLAMA)
        return gm_fail(err, -EINVAL, "model: is neither a GPT-2 nor a Llama");
    if (c->head_dim > ATTENTION_SIZE_MAX)
        return gm_fail(err,
                       -ENOTSUP,
                       "model: a head of %zu is wider than %d, the most that attention "
                       "takes",
                       c->head_dim,
                       ATTENTION_SIZE_MAX);
    if (gpt2 && (c->kv_heads != c->heads || c->head_dim * c->heads != c->dim))
        return gm_fail(err,
                       -EINVAL,
                       "model: a GPT-2 has as many key as query heads, of width / heads "
                       "each: not %zu and %zu of %zu",
                       c->kv_heads,
                       c->heads,
                       c->head_dim);
    if (size_of(c) > PARAMS_MAX)
        return gm_fail(
            err, -ENOMEM, "model: no memory for some %.3g parameters", size_of(c));
    return 0;
}

/* The rotary angles, made on the host. */
static int make_angles(struct transformer *t, struct gm_error *err)
{
    const struct weights_config *c = &t->config;
    struct device *d = t->device;
    size_t n = c->context * (c->head_dim / 2);
    AUTO_FREE(float) host = malloc(2 * n * sizeof(*host));
    void *at = NULL;
    if (host == NULL)
        return gm_fail(err, -ENOMEM, "no memory for %zu rotary angles", n);
    rotary_table(c->context, c->head_dim, c->rope_theta, host, host + n);
    int rc = d->op->alloc(d, 2 * n * sizeof(*host), &at, err);
    if (rc != 0)
        return rc;
    d->op->put(d, at, host, 2 * n * sizeof(*host));
    t->layout->cos = at;
    t->layout->sin = (float *)at + n;
    return d->op->sync(d, err);
}

int transformer_make(const struct weights_config *config,
                     struct device *device,
                     struct transformer **ret,
                     struct gm_error *err)
{
    int rc = check(config, err);
    if (rc == 0)
        rc = device_check(device, DEVICE_FOR_TRANSFORMER, err);
    if (rc != 0)
        return rc;
    AUTO(transformer) t = calloc(1, sizeof(*t));
    if (t == NULL || (t->layout = calloc(1, sizeof(*t->layout))) == NULL)
        return gm_fail(err, -ENOMEM, "out of memory");
    t->config = *config;
    t->device = device;
    t->n_params = lay_out(config, t->layout);
    t->groups = t->layout->groups;
    t->n_groups = 2;
    void *params = NULL;
    rc = device->op->alloc(device, t->n_params * sizeof(float), &params, err);
    t->params = params;
    if (rc == 0 && !transformer_gpt2(t))
        rc = make_angles(t, err);
    if (rc == 0)
        *ret = steal(&t);
    return rc;
}

void transformer_free(struct transformer *t)
{
    if (t == NULL)
        return;
    if (t->layout != NULL && t->device != NULL) {
        t->device->op->release(t->device, t->layout->cos);
        t->device->op->release(t->device, t->params);
    }
    free(t->layout);
    free(t);
}

static void fill(struct transformer *t, size_t at, size_t n, float value)
{
    float piece[PIECE];
    for (size_t i = 0; i < PIECE; i++)
        piece[i] = value;
    for (size_t i = 0; at != TRANSFORMER_NONE && i < n; i += PIECE) {
        size_t many = n - i < PIECE ? n - i : PIECE;
        t->device->op->put(t->device, t->params + at + i, piece, many * sizeof(*piece));
    }
}

/* Piece by piece; who the device is changes nothing. */
static void draw(struct transformer *t,
                 uint64_t seed,
                 uint64_t tensor,
                 double dev,
                 size_t at,
                 size_t n)
{
    float piece[PIECE];
    for (size_t i = 0; i < n; i += PIECE) {
        size_t many = n - i < PIECE ? n - i : PIECE;
        philox_normal(seed, tensor, i, 0, (float)dev, many, piece);
        t->device->op->put(t->device, t->params + at + i, piece, many * sizeof(*piece));
    }
}

void transformer_init(struct transformer *t, uint64_t seed)
{
    const struct weights_config *c = &t->config;
    const struct transformer_layout *l = t->layout;
    double last = DEVIATION / sqrt(2 * (double)c->layers);
    t->device->op->zero(t->device, t->params, t->n_params * sizeof(float));
    draw(t, seed, 0, DEVIATION, l->embed, c->vocab * c->dim);
    if (l->place != TRANSFORMER_NONE)
        draw(t, seed, 1, DEVIATION, l->place, c->context * c->dim);
    if (!c->tied)
        draw(t, seed, 2, DEVIATION, l->head, c->vocab * c->dim);
    for (size_t i = 0; i < c->layers; i++) {
        struct transformer_block b = transformer_block_at(t, i);
        draw(t, seed, 4 * i + 4, DEVIATION, b.qkv, c->dim * l->qkv);
        draw(t, seed, 4 * i + 5, last, b.out, l->q * c->dim);
        draw(t, seed, 4 * i + 6, DEVIATION, b.up, c->dim * l->up);
        draw(t, seed, 4 * i + 7, last, b.down, c->hidden * c->dim);
        fill(t, b.norm1, c->dim, 1);
        fill(t, b.norm2, c->dim, 1);
    }
    fill(t, l->norm, c->dim, 1);
}
