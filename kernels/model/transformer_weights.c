/* Weights in and out under Hugging Face's names. One table says for each tensor of theirs
 * where its elements are ours; reading, writing and the names in errors all go by it. */
#include "transformer_inside.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

__attribute__((format(printf, 6, 7))) static void add(struct transformer_part **next,
                                                      size_t rows,
                                                      size_t cols,
                                                      size_t at,
                                                      size_t ld,
                                                      const char *name,
                                                      ...)
{
    struct transformer_part *p = (*next)++;
    va_list args;
    va_start(args, name);
    (void)vsnprintf(p->name, sizeof(p->name), name, args);
    va_end(args);
    p->rows = rows;
    p->cols = cols;
    p->at = at;
    p->ld = ld == 0 ? cols : ld;
    p->turned = ld != 0;
}

static size_t
gpt2_block(const struct transformer *t, size_t i, struct transformer_part *p)
{
    const struct transformer_layout *l = t->layout;
    struct transformer_block b = transformer_block_at(t, i);
    struct transformer_part *next = p;
    size_t dim = t->config.dim, hidden = t->config.hidden;
    add(&next, dim, 0, b.norm1, 0, "h.%zu.ln_1.weight", i);
    add(&next, dim, 0, b.norm1_bias, 0, "h.%zu.ln_1.bias", i);
    add(&next, dim, l->qkv, b.qkv, 0, "h.%zu.attn.c_attn.weight", i);
    add(&next, l->qkv, 0, b.qkv_bias, 0, "h.%zu.attn.c_attn.bias", i);
    add(&next, l->q, dim, b.out, 0, "h.%zu.attn.c_proj.weight", i);
    add(&next, dim, 0, b.out_bias, 0, "h.%zu.attn.c_proj.bias", i);
    add(&next, dim, 0, b.norm2, 0, "h.%zu.ln_2.weight", i);
    add(&next, dim, 0, b.norm2_bias, 0, "h.%zu.ln_2.bias", i);
    add(&next, dim, hidden, b.up, 0, "h.%zu.mlp.c_fc.weight", i);
    add(&next, hidden, 0, b.up_bias, 0, "h.%zu.mlp.c_fc.bias", i);
    add(&next, hidden, dim, b.down, 0, "h.%zu.mlp.c_proj.weight", i);
    add(&next, dim, 0, b.down_bias, 0, "h.%zu.mlp.c_proj.bias", i);
    return (size_t)(next - p);
}

/* Llama's matrices are [out][in]: turned, and side by side where ours are one. */
static size_t
llama_block(const struct transformer *t, size_t i, struct transformer_part *p)
{
    const struct transformer_layout *l = t->layout;
    struct transformer_block b = transformer_block_at(t, i);
    struct transformer_part *next = p;
    size_t dim = t->config.dim, hidden = t->config.hidden, qkv = l->qkv;
    static const char own[] = "model.layers.%zu.%s.weight";
    add(&next, dim, 0, b.norm1, 0, own, i, "input_layernorm");
    add(&next, l->q, dim, b.qkv, qkv, own, i, "self_attn.q_proj");
    add(&next, l->kv, dim, b.qkv + l->q, qkv, own, i, "self_attn.k_proj");
    add(&next, l->kv, dim, b.qkv + l->q + l->kv, qkv, own, i, "self_attn.v_proj");
    add(&next, dim, l->q, b.out, dim, own, i, "self_attn.o_proj");
    add(&next, dim, 0, b.norm2, 0, own, i, "post_attention_layernorm");
    add(&next, hidden, dim, b.up, l->up, own, i, "mlp.gate_proj");
    add(&next, hidden, dim, b.up + hidden, l->up, own, i, "mlp.up_proj");
    add(&next, dim, hidden, b.down, dim, own, i, "mlp.down_proj");
    return (size_t)(next - p);
}

size_t transformer_parts_of_block(const struct transformer *t,
                                  size_t layer,
                                  struct transformer_part *ret)
{
    return transformer_gpt2(t) ? gpt2_block(t, layer, ret) : llama_block(t, layer, ret);
}

size_t transformer_parts_of_rest(const struct transformer *t,
                                 struct transformer_part *ret)
{
    const struct weights_config *c = &t->config;
    const struct transformer_layout *l = t->layout;
    struct transformer_part *next = ret;
    if (transformer_gpt2(t)) {
        add(&next, c->vocab, c->dim, l->embed, 0, "wte.weight");
        add(&next, c->context, c->dim, l->place, 0, "wpe.weight");
        add(&next, c->dim, 0, l->norm, 0, "ln_f.weight");
        add(&next, c->dim, 0, l->norm_bias, 0, "ln_f.bias");
    } else {
        add(&next, c->vocab, c->dim, l->embed, 0, "model.embed_tokens.weight");
        add(&next, c->dim, 0, l->norm, 0, "model.norm.weight");
    }
    if (!c->tied)
        add(&next, c->vocab, c->dim, l->head, 0, "lm_head.weight");
    return (size_t)(next - ret);
}

static size_t floats_of(const struct transformer_part *p)
{
    return p->cols == 0 ? p->rows : p->rows * p->cols;
}

#define TILE ((size_t)32) /* of a matrix that is turned: both sides stay in the cache */

/* Between a part's own array and the parameters. */
static void
carry(const struct transformer_part *p, float *params, float *own, bool into_params)
{
    if (!p->turned) {
        if (into_params)
            memcpy(params + p->at, own, floats_of(p) * sizeof(*own));
        else
            memcpy(own, params + p->at, floats_of(p) * sizeof(*own));
        return;
    }
    for (size_t r = 0; r < p->rows; r += TILE) {
        for (size_t c = 0; c < p->cols; c++) {
            for (size_t v = r; v < p->rows && v < r + TILE; v++) {
                float *ours = params + p->at + c * p->ld + v,
                      *theirs = own + v * p->cols + c;
                if (into_params)
                    *ours = *theirs;
                else
                    *theirs = *ours;
            }
        }
    }
}

static int take_parts(const struct weights *w,
                      const struct transformer_part *parts,
                      size_t n,
                      float *params,
                      struct gm_error *err)
{
    for (size_t i = 0; i < n; i++) {
        const struct transformer_part *p = &parts[i];
        const size_t dims[] = {p->rows, p->cols};
        AUTO_FREE(float) own = malloc(floats_of(p) * sizeof(*own));
        if (own == NULL)
            return gm_fail(err, -ENOMEM, "no memory for tensor '%s'", p->name);
        int rc = weights_take(w, p->name, p->cols == 0 ? 1 : 2, dims, own, err);
        if (rc != 0)
            return rc;
        carry(p, params, own, true);
    }
    return 0;
}

static int take_all(const struct weights *w,
                    const struct transformer *t,
                    float *params,
                    struct gm_error *err)
{
    struct transformer_part parts[TRANSFORMER_BLOCK_PARTS];
    int rc = take_parts(w, parts, transformer_parts_of_rest(t, parts), params, err);
    for (size_t i = 0; rc == 0 && i < t->config.layers; i++)
        rc = take_parts(w, parts, transformer_parts_of_block(t, i, parts), params, err);
    return rc;
}

/* A config is words until the tensors are as large as it says: the embedding is looked at
 * before memory is taken. */
static int embedded(const struct weights *w, struct gm_error *err)
{
    const struct weights_config *c = &w->config;
    const char *name =
        c->arch == WEIGHTS_GPT2 ? "wte.weight" : "model.embed_tokens.weight";
    const struct weights_tensor *t = weights_find(w, name);
    if (c->arch == WEIGHTS_NO_ARCH)
        return gm_fail(err,
                       -EINVAL,
                       "%s: does not say which network it is for: a config.json belongs "
                       "beside it",
                       weights_origin(w));
    if (w->n_tensors < c->layers)
        return gm_fail(err,
                       -EINVAL,
                       "%s: has %zu tensors, too few for %zu layers",
                       weights_origin(w),
                       w->n_tensors,
                       c->layers);
    if (t == NULL)
        return gm_fail(err, -EINVAL, "%s: has no tensor '%s'", weights_origin(w), name);
    if (t->ndim != 2 || t->dims[0] != c->vocab || t->dims[1] != c->dim)
        return gm_fail(err,
                       -EINVAL,
                       "%s: tensor '%s' is not [%zu, %zu], as the config says",
                       weights_origin(w),
                       name,
                       c->vocab,
                       c->dim);
    return 0;
}

int transformer_load(const struct weights *w,
                     struct device *device,
                     struct transformer **ret,
                     struct gm_error *err)
{
    AUTO(transformer) t = NULL;
    int rc = embedded(w, err);
    if (rc == 0)
        rc = transformer_make(&w->config, device, &t, err);
    if (rc != 0)
        return rc;
    AUTO_FREE(float) stage = device->host ? NULL : calloc(t->n_params, sizeof(*stage));
    if (!device->host && stage == NULL)
        return gm_fail(
            err, -ENOMEM, "no memory for a copy of %zu parameters", t->n_params);
    rc = take_all(w, t, device->host ? t->params : stage, err);
    if (rc == 0 && !device->host) {
        device->op->put(device, t->params, stage, t->n_params * sizeof(*stage));
        rc = device->op->sync(device, err);
    }
    if (rc == 0)
        *ret = steal(&t);
    return rc;
}

/* Tensors of `parts` into w, their data at *next and on. */
static int add_parts(const struct transformer_part *parts,
                     size_t n,
                     float *params,
                     float **next,
                     struct weights *w,
                     struct gm_error *err)
{
    for (size_t i = 0; i < n; i++) {
        const struct transformer_part *p = &parts[i];
        const struct weights_tensor tensor = {.name = p->name,
                                              .type = WEIGHTS_F32,
                                              .ndim = p->cols == 0 ? 1 : 2,
                                              .dims = {p->rows, p->cols},
                                              .data = *next,
                                              .nbytes = floats_of(p) * sizeof(float)};
        carry(p, params, *next, false);
        *next += floats_of(p);
        int rc = weights_add(w, &tensor, err);
        if (rc != 0)
            return rc;
    }
    return 0;
}

int transformer_format(const struct transformer *t,
                       unsigned char **ret,
                       size_t *ret_len,
                       struct gm_error *err)
{
    size_t bytes = t->n_params * sizeof(float);
    struct device *d = t->device;
    struct transformer_part parts[TRANSFORMER_BLOCK_PARTS];
    AUTO_FREE(float) own = malloc(bytes);
    AUTO_FREE(float) stage = d->host ? NULL : malloc(bytes);
    if (own == NULL || (!d->host && stage == NULL))
        return gm_fail(
            err, -ENOMEM, "no memory for a copy of %zu parameters", t->n_params);
    if (!d->host)
        d->op->get(d, stage, t->params, bytes);
    int rc = d->op->sync(d, err);
    if (rc != 0)
        return rc;
    float *params = d->host ? t->params : stage, *next = own;
    AUTO(weights) w = weights_make("model");
    w->config = t->config;
    rc = add_parts(parts, transformer_parts_of_rest(t, parts), params, &next, w, err);
    for (size_t i = 0; rc == 0 && i < t->config.layers; i++)
        rc = add_parts(
            parts, transformer_parts_of_block(t, i, parts), params, &next, w, err);
    return rc == 0 ? weights_format(w, ret, ret_len, err) : rc;
}
