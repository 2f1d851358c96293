/* Decoder-only transformers, one network switched by its config (weights.h):
 *
 *   GPT-2  learned positions, layernorm with bias, biases on every product, GELU
 *          (Radford et al. 2019)
 *   Llama  rotary positions, rmsnorm, no biases, SwiGLU, grouped queries
 *          (Touvron et al., arXiv 2302.13971)
 *
 * Parameters are one allocation on the device; a gradient is a flat array of the same
 * layout. Matrices are kept as products want them, whatever a file has; weights go in and
 * out under Hugging Face's names and layouts.
 *
 * Bits: a token's logits and loss depend on the weights and the tokens before it in its
 * sequence alone, the same in a batch, in a sequence alone, and one by one with a cache;
 * a gradient depends on the micro-shard's sequences alone: never on threads or ranks. */
#ifndef MODEL_TRANSFORMER_H
#define MODEL_TRANSFORMER_H

#include "base/auto.h"
#include "gridmill/error.h"
#include "kernels/device/device.h"
#include "kernels/model/weights.h"
#include <stddef.h>
#include <stdint.h>

struct transformer {
    struct weights_config config;
    struct device *device; /* borrowed */
    size_t n_params;
    float *params; /* [n_params], device memory */
    const struct adamw_group
        *groups; /* which decay (matrices, embeddings): decay 1 or 0 */
    size_t n_groups;
    struct transformer_layout *layout;
};

/* All parameters 0. Fails with the sentence when the config is none (weights.h), or the
 * device lacks an operator. */
int transformer_make(const struct weights_config *config,
                     struct device *device,
                     struct transformer **ret,
                     struct gm_error *err);
/* From weights that have a config; a tensor that is missing or of another shape is named.
 */
int transformer_load(const struct weights *w,
                     struct device *device,
                     struct transformer **ret,
                     struct gm_error *err);
void transformer_free(struct transformer *t); /* takes NULL */

/* First weights: normal with deviation 0.02, those of the products that end a residual
 * branch by 0.02 / sqrt(2 layers) (Radford et al. 2019), gains 1, biases 0; from Philox
 * (seed, stream: tensor), with bits that do not depend on the C library. */
void transformer_init(struct transformer *t, uint64_t seed);

/* safetensors bytes under Hugging Face's names, config inside; *ret is yours. */
int transformer_format(const struct transformer *t,
                       unsigned char **ret,
                       size_t *ret_len,
                       struct gm_error *err);

/* Buffers for up to `sequences` sequences of up to `tokens` tokens; `gradient` whether
 * they will be differentiated. */
struct transformer_work;
int transformer_work_make(const struct transformer *t,
                          size_t sequences,
                          size_t tokens,
                          bool gradient,
                          struct transformer_work **ret,
                          struct gm_error *err);
void transformer_work_free(struct transformer_work *w); /* takes NULL */

/* ids and labels are host memory, [sequences][tokens]; a label below 0 does not count.
 * Ids are 0 .. vocab - 1, tokens at most the context (who reads them checks). losses:
 * [sequences][tokens], host memory, or NULL. */
int transformer_loss(const struct transformer *t,
                     struct transformer_work *w,
                     size_t sequences,
                     size_t tokens,
                     const int32_t *ids,
                     const int32_t *labels,
                     float *losses,
                     struct xent_tokens *ret,
                     struct gm_error *err);
/* The gradient of scale * (summed loss), into grad[n_params] (device memory,
 * overwritten). Dropout (p 0: none) after the embeddings and at the end of each residual
 * branch, of GPT-2 alone; element numbers begin at `first_sequence`, this shard's place
 * in the whole batch. */
struct transformer_dropout {
    float p;
    uint64_t seed, step, first_sequence;
};
int transformer_gradient(const struct transformer *t,
                         struct transformer_work *w,
                         size_t sequences,
                         size_t tokens,
                         const int32_t *ids,
                         const int32_t *labels,
                         float scale,
                         const struct transformer_dropout *dropout, /* or NULL */
                         float *grad,
                         struct xent_tokens *ret,
                         struct gm_error *err);

/* Keys and values of up to `tokens` tokens (at most the context) of `sequences`
 * sequences that grow side by side. */
struct transformer_cache;
int transformer_cache_make(const struct transformer *t,
                           size_t sequences,
                           size_t tokens,
                           struct transformer_cache **ret,
                           struct gm_error *err);
void transformer_cache_free(struct transformer_cache *c); /* takes NULL */
/* Forgets all tokens from `tokens` on. */
void transformer_cache_cut(struct transformer_cache *c, size_t tokens);
size_t transformer_cache_tokens(const struct transformer_cache *c);

/* Takes `tokens` more ids of each sequence (host, [sequences][tokens]; a prompt at once,
 * then one by one) and gives the logits of each sequence's last, [sequences][vocab] on
 * the host; they lie in the cache until its next use. -ENOSPC: the cache is full. */
int transformer_next(const struct transformer *t,
                     struct transformer_cache *c,
                     size_t tokens,
                     const int32_t *ids,
                     const float **ret_logits,
                     struct gm_error *err);

/* Work of a step and of one decoded token with `past` tokens before it: multiply and add
 * count two; bytes are the least that memory must move. For receipts and floors. */
struct transformer_cost {
    double flops, bytes;
};
struct transformer_cost
transformer_cost_train(const struct weights_config *c, size_t sequences, size_t tokens);
struct transformer_cost
transformer_cost_next(const struct weights_config *c, size_t sequences, size_t past);

AUTO_TYPE(transformer, transformer_free)
AUTO_TYPE(transformer_work, transformer_work_free)
AUTO_TYPE(transformer_cache, transformer_cache_free)

#endif
