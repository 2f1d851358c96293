/* The weights of a language model: named tensors and the shape of the network they are
 * for, wherever they come from. The transformer takes this and knows no file.
 *
 * Names are Hugging Face's, and so is each tensor's layout:
 *   GPT-2  wte.weight wpe.weight h.N.ln_1.{weight,bias} h.N.attn.c_attn.{weight,bias}
 *          h.N.attn.c_proj h.N.ln_2 h.N.mlp.c_fc h.N.mlp.c_proj ln_f; matrices [in, out]
 *   Llama  model.embed_tokens.weight model.layers.N.input_layernorm.weight
 *          model.layers.N.self_attn.{q,k,v,o}_proj.weight
 *          model.layers.N.post_attention_layernorm.weight
 *          model.layers.N.mlp.{gate,up,down}_proj.weight model.norm.weight
 *          lm_head.weight (absent when tied); matrices [out, in]
 *
 * Data is borrowed: from the mapped file, from the bytes given, or from who added it.
 * Only a tensor that does not stand where its element may is copied. */
#ifndef MODEL_WEIGHTS_H
#define MODEL_WEIGHTS_H

#include "base/auto.h"
#include "base/str.h"
#include "gridmill/error.h"
#include "gridmill/types.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum weights_type {
    WEIGHTS_OTHER, /* integers, masks, ...: kept, and not taken as numbers */
    WEIGHTS_F32,
    WEIGHTS_F64,
    WEIGHTS_F16,
    WEIGHTS_BF16
};

struct weights_tensor {
    const char *name;
    enum weights_type type;
    const char *word; /* its name in safetensors: "F32"; may be NULL but for OTHER */
    uint32_t ndim;
    uint64_t dims[GM_MAX_DIMS];
    const void *data; /* aligned to its element; little-endian */
    size_t nbytes;
};

enum weights_arch { WEIGHTS_NO_ARCH, WEIGHTS_GPT2, WEIGHTS_LLAMA };

/* Counts are checked when a config is made: all at least 1, dim = heads * something,
 * kv_heads divides heads, products of any three fit a size_t. */
struct weights_config {
    enum weights_arch arch;
    size_t dim, hidden, layers, heads, kv_heads, head_dim, vocab, context;
    bool tied;       /* the classifier is the embedding */
    bool rope_pairs; /* rotary turns (2i, 2i + 1), as llama2.c; else (i, i + head_dim /
                      * 2), as Hugging Face */
    bool gelu_erf;   /* GPT-2's activation exact, not by tanh */
    double rope_theta, norm_eps;
};

struct weights {
    struct weights_tensor *tensors; /* in the file's order */
    size_t n_tensors;
    struct weights_config config; /* arch WEIGHTS_NO_ARCH: the source does not say */
    /* How its text became ids: a tokenizer's name, and the characters of a char
     * tokenizer; NULL: the source does not say. */
    const char *tokenizer, *vocabulary;
    struct weights_inside *inside;
};

/* A file: safetensors, whose config stands in its metadata (`config`, JSON) or in
 * config.json beside it; or a llama2.c checkpoint. Told apart by content. */
int weights_open(const char *path, struct weights **ret, struct gm_error *err);
/* Bytes that outlive *ret; `origin` names them in errors. */
int weights_parse(const char *origin,
                  const void *bytes,
                  size_t len,
                  struct weights **ret,
                  struct gm_error *err);
void weights_free(struct weights *w); /* takes NULL */

/* An empty set, and tensors for it: what a result holds is handed in so. Name and dims
 * are copied, data is borrowed. -EINVAL: a name twice, or nbytes that the shape denies.
 */
struct weights *weights_make(const char *origin);
int weights_add(struct weights *w, const struct weights_tensor *t, struct gm_error *err);
/* Copies both; vocabulary may be NULL. */
void weights_set_tokenizer(struct weights *w,
                           const char *tokenizer,
                           const char *vocabulary);
/* What errors call it. */
const char *weights_origin(const struct weights *w);
/* By name, also where the file says "transformer." before it; NULL: not there. */
const struct weights_tensor *weights_find(const struct weights *w, const char *name);
/* A tensor of this shape as floats (from F32, F64, F16 or BF16) into ret[product]. */
int weights_take(const struct weights *w,
                 const char *name,
                 uint32_t ndim,
                 const size_t *dims,
                 float *ret,
                 struct gm_error *err);

/* safetensors, all tensors in order, metadata format "pt", the config and the tokenizer;
 * *ret is yours. */
int weights_format(const struct weights *w,
                   unsigned char **ret,
                   size_t *ret_len,
                   struct gm_error *err);

/* Hugging Face's config.json of GPT2LMHeadModel or LlamaForCausalLM; and one key of ours,
 * "rope_pairs". */
int weights_config_parse(const char *origin,
                         const char *text,
                         size_t len,
                         struct weights_config *ret,
                         struct gm_error *err);
void weights_config_format(const struct weights_config *c, struct str *ret);
/* The contract above; fails with the sentence. */
int weights_config_check(const char *origin,
                         const struct weights_config *c,
                         struct gm_error *err);

AUTO_TYPE(weights, weights_free)

#endif
