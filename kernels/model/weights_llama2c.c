/* A llama2.c checkpoint, version 0 (karpathy/llama2.c, run.c): seven int32 (dim, hidden,
 * layers, heads, kv heads, vocabulary, context; a vocabulary below 0: the classifier has
 * weights of its own), then float32, one kind of tensor after another over all layers.
 * Nothing is read before the length of the file agrees with the header. */
#include "weights_source.h"

#include <inttypes.h>
#include <limits.h>
#include <string.h>

#define HEADER 28

struct kind {
    const char
        *name; /* %zu: the layer; NULL: skipped (rotary tables, which we compute) */
    bool layered;
    size_t rows, cols; /* cols 0: a vector */
};

enum { KINDS = 14 };

/* In the file's order. */
static size_t kinds_of(const struct weights_config *c, struct kind *k)
{
    size_t n = 0, q = c->heads * c->head_dim, kv = c->kv_heads * c->head_dim;
    size_t turns = c->head_dim / 2;
    k[n++] = (struct kind){"model.embed_tokens.weight", false, c->vocab, c->dim};
    k[n++] = (struct kind){"model.layers.%zu.input_layernorm.weight", true, c->dim, 0};
    k[n++] = (struct kind){"model.layers.%zu.self_attn.q_proj.weight", true, q, c->dim};
    k[n++] = (struct kind){"model.layers.%zu.self_attn.k_proj.weight", true, kv, c->dim};
    k[n++] = (struct kind){"model.layers.%zu.self_attn.v_proj.weight", true, kv, c->dim};
    k[n++] = (struct kind){"model.layers.%zu.self_attn.o_proj.weight", true, c->dim, q};
    k[n++] = (struct kind){
        "model.layers.%zu.post_attention_layernorm.weight", true, c->dim, 0};
    k[n++] =
        (struct kind){"model.layers.%zu.mlp.gate_proj.weight", true, c->hidden, c->dim};
    k[n++] =
        (struct kind){"model.layers.%zu.mlp.down_proj.weight", true, c->dim, c->hidden};
    k[n++] =
        (struct kind){"model.layers.%zu.mlp.up_proj.weight", true, c->hidden, c->dim};
    k[n++] = (struct kind){"model.norm.weight", false, c->dim, 0};
    k[n++] = (struct kind){NULL, false, c->context, turns};
    k[n++] = (struct kind){NULL, false, c->context, turns};
    if (!c->tied)
        k[n++] = (struct kind){"lm_head.weight", false, c->vocab, c->dim};
    return n;
}

static size_t floats_of(const struct kind *k)
{
    return k->cols == 0 ? k->rows : k->rows * k->cols;
}

static int read_config(const char *origin,
                       const void *bytes,
                       size_t len,
                       struct weights_config *ret,
                       struct gm_error *err)
{
    int32_t h[7];
    if (len < HEADER)
        return gm_fail(err,
                       -EINVAL,
                       "%s: has %zu bytes: too short for a llama2.c checkpoint",
                       origin,
                       len);
    memcpy(h, bytes, sizeof(h));
    bool vocab = h[5] != 0 && h[5] != INT32_MIN, good = vocab;
    for (unsigned i = 0; i < 7; i++)
        good = good && (i == 5 || h[i] > 0);
    if (!good)
        return gm_fail(err,
                       -EINVAL,
                       "%s: is neither safetensors nor a llama2.c checkpoint: its first "
                       "numbers are %d, %d, %d, %d, %d, %d, %d",
                       origin,
                       h[0],
                       h[1],
                       h[2],
                       h[3],
                       h[4],
                       h[5],
                       h[6]);
    *ret = (struct weights_config){.arch = WEIGHTS_LLAMA,
                                   .dim = (size_t)h[0],
                                   .hidden = (size_t)h[1],
                                   .layers = (size_t)h[2],
                                   .heads = (size_t)h[3],
                                   .kv_heads = (size_t)h[4],
                                   .head_dim = (size_t)h[0] / (size_t)h[3],
                                   .vocab = (size_t)(h[5] < 0 ? -h[5] : h[5]),
                                   .context = (size_t)h[6],
                                   .tied = h[5] > 0,
                                   .rope_pairs = true,
                                   .rope_theta = 10000,
                                   .norm_eps = 1e-5};
    return weights_config_check(origin, ret, err);
}

static int
add_kind(struct weights *w, const struct kind *k, const char **at, struct gm_error *err)
{
    size_t n = k->layered ? w->config.layers : 1;
    for (size_t layer = 0; layer < n; layer++) {
        char name[96];
        static const char mark[] = "%zu";
        const char *number = strstr(k->name, mark);
        if (number != NULL)
            (void)snprintf(name,
                           sizeof(name),
                           "%.*s%zu%s",
                           (int)(number - k->name),
                           k->name,
                           layer,
                           number + sizeof(mark) - 1);
        struct weights_tensor t = {.name = number != NULL ? name : k->name,
                                   .type = WEIGHTS_F32,
                                   .ndim = k->cols == 0 ? 1 : 2,
                                   .dims = {k->rows, k->cols},
                                   .data = *at,
                                   .nbytes = floats_of(k) * sizeof(float)};
        int rc = weights_add(w, &t, err);
        if (rc != 0)
            return rc;
        *at += t.nbytes;
    }
    return 0;
}

int weights_read_llama2c(const char *origin,
                         const void *bytes,
                         size_t len,
                         struct weights *w,
                         struct gm_error *err)
{
    int rc = read_config(origin, bytes, len, &w->config, err);
    if (rc != 0)
        return rc;
    struct kind kinds[KINDS];
    size_t n = kinds_of(&w->config, kinds);
    uint64_t floats = 0, all, bytes_wanted = 0;
    bool over = false;
    for (size_t i = 0; i < n; i++) {
        over |= __builtin_mul_overflow((uint64_t)floats_of(&kinds[i]),
                                       kinds[i].layered ? w->config.layers : 1,
                                       &all);
        over |= __builtin_add_overflow(floats, all, &floats);
    }
    over |= __builtin_mul_overflow(floats, sizeof(float), &bytes_wanted);
    if (over || bytes_wanted != len - HEADER)
        return gm_fail(err,
                       -EINVAL,
                       "%s: has %zu bytes where a llama2.c checkpoint of its shape has %s"
                       "%" PRIu64,
                       origin,
                       len,
                       over ? "more than " : "",
                       over ? UINT64_MAX : bytes_wanted + HEADER);
    const char *at = (const char *)bytes + HEADER;
    for (size_t i = 0; i < n && rc == 0; i++) {
        if (kinds[i].name == NULL)
            at += floats_of(&kinds[i]) * sizeof(float);
        else
            rc = add_kind(w, &kinds[i], &at, err);
    }
    return rc;
}
