/* What the files of the transformer share: where its parameters lie, and the steps of a
 * block. Inside kernels/model/transformer*.c alone. */
#ifndef MODEL_TRANSFORMER_INSIDE_H
#define MODEL_TRANSFORMER_INSIDE_H

#include "transformer.h"

/* Offsets into the parameters. Matrices are [in][out], so that products read them in
 * order; queries, keys and values are one, gate and up are one. NONE: the network has it
 * not. */
#define TRANSFORMER_NONE SIZE_MAX

struct transformer_block {
    size_t qkv, out, up, down;                     /* matrices */
    size_t norm1, norm2;                           /* gains */
    size_t norm1_bias, norm2_bias;                 /* GPT-2 */
    size_t qkv_bias, out_bias, up_bias, down_bias; /* GPT-2 */
};

/* Matrices and embeddings first, block after block, then gains and biases: two groups of
 * decay, each one run. */
struct transformer_layout {
    size_t q, kv, qkv; /* widths: q + 2 kv = qkv */
    size_t up;       /* width of the product into the hidden layer: 2 hidden in a Llama */
    size_t matrices; /* floats of a block's */
    size_t vectors;
    size_t embed, place, head; /* [vocab][dim], [context][dim], [vocab][dim] */
    size_t block_matrices, block_vectors, norm, norm_bias;
    struct adamw_group groups[2];
    float *cos, *sin; /* [context][head_dim / 2], device memory; NULL in a GPT-2 */
};

struct transformer_block transformer_block_at(const struct transformer *t, size_t layer);

/* A tensor of Hugging Face's: [rows][cols], cols 0 for a vector. Its element (r, c) is
 * ours at `at` + r ld + c, or, turned, `at` + c ld + r. */
struct transformer_part {
    char name[80];
    size_t rows, cols, at, ld;
    bool turned;
};

#define TRANSFORMER_BLOCK_PARTS 12
/* The tensors of block `layer`, and those outside of blocks; how many. */
size_t transformer_parts_of_block(const struct transformer *t,
                                  size_t layer,
                                  struct transformer_part *ret);
#define TRANSFORMER_OTHER_PARTS 5
size_t transformer_parts_of_rest(const struct transformer *t,
                                 struct transformer_part *ret);

static inline bool transformer_gpt2(const struct transformer *t)
{
    return t->config.arch == WEIGHTS_GPT2;
}

/* y = norm(x), x = a + b written to x; b NULL: x is a. mean is GPT-2's alone. */
struct transformer_norm {
    size_t gain, bias; /* offsets; bias NONE in a Llama */
    float *x, *y, *mean, *rstd;
};
void transformer_norm_forward(const struct transformer *t,
                              const struct transformer_norm *n,
                              size_t rows,
                              const float *a,
                              const float *b);

/* y[rows][out] = x[rows][in] W (+ bias: offset or NONE). */
void transformer_linear(const struct transformer *t,
                        size_t rows,
                        size_t in,
                        size_t out,
                        const float *x,
                        size_t weight,
                        size_t bias,
                        float *y);
enum act transformer_act(const struct transformer *t); /* GPT-2's */
/* From up's product z, which gets its bias, to the hidden layer h. */
void transformer_activate(const struct transformer *t,
                          const struct transformer_block *b,
                          size_t rows,
                          float *z,
                          float *h);
/* Queries and keys of rows of qkv turned by their positions; in a GPT-2 nothing. */
void transformer_turn(const struct transformer *t,
                      size_t rows,
                      const int32_t *positions,
                      bool back,
                      float *qkv);
/* logits[rows][vocab] = y head^T. */
void transformer_logits(const struct transformer *t,
                        size_t rows,
                        const float *y,
                        float *logits);
/* Places in a packed qkv of sequences of `tokens` tokens. */
struct attention_in transformer_packed(const struct transformer *t,
                                       size_t tokens,
                                       const float *qkv,
                                       size_t column);
struct attention transformer_attention(const struct transformer *t,
                                       size_t sequences,
                                       size_t tokens,
                                       size_t past);

/* What a gradient keeps of a block: [rows][...] each. Without a gradient all blocks share
 * one. */
struct transformer_saved {
    float *x1, *y1, *qkv, *att, *x2, *y2, *z, *h;
    float *mean1, *rstd1, *mean2, *rstd2;
    float *lse; /* [heads][rows], of all sequences */
};

struct transformer_work {
    struct device *device;
    size_t sequences, tokens, rows; /* room */
    size_t chunk;                   /* rows whose logits are there at once */
    bool gradient;
    size_t n_saved;
    struct transformer_saved *saved;
    float *block;               /* the device memory of all that follows */
    float *branch;              /* [rows][dim]: the end of a residual branch */
    float *x, *y, *mean, *rstd; /* the last norm's */
    float *logits;              /* [chunk][vocab] */
    float *losses;              /* [rows] */
    float *dx, *dy, *dqkv, *dh, *dz, *sums; /* gradients, and room for sums */
    int32_t *ids, *labels, *positions;      /* [rows], device memory */
    struct xent_tokens *scores;             /* a chunk's each, device memory */
    int32_t *host_positions;                /* [rows] */
    float *host_losses;
    struct xent_tokens *host_scores;
};

/* The inputs of a call as the device sees them. */
struct transformer_batch {
    size_t sequences, tokens, rows;
    const int32_t *ids, *labels, *positions;
    const struct transformer_dropout *dropout; /* NULL: none */
};

struct transformer_batch transformer_batch_put(const struct transformer *t,
                                               struct transformer_work *w,
                                               size_t sequences,
                                               size_t tokens,
                                               const int32_t *ids,
                                               const int32_t *labels);
/* Up to the last norm's y. */
void transformer_forward(const struct transformer *t,
                         struct transformer_work *w,
                         const struct transformer_batch *b);
/* y = add + dropout(x); site 0 is the embedding, 1 and on the branches in order. */
void transformer_drop(const struct transformer *t,
                      const struct transformer_batch *b,
                      size_t site,
                      const float *x,
                      const float *add,
                      float *y);
/* Waits, and adds up the scores of all chunks. losses: host or NULL. */
int transformer_score(const struct transformer *t,
                      struct transformer_work *w,
                      const struct transformer_batch *b,
                      float *losses,
                      struct xent_tokens *ret,
                      struct gm_error *err);

#endif
