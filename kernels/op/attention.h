/* Causal attention of many heads, and of grouped queries: query head h reads the keys and
 * values of head h / (heads / kv_heads) (Ainslie et al., "GQA", EMNLP 2023).
 *
 *   s[i][j] = scale q[i] . k[j]      for the keys j up to past + i
 *   p[i] = softmax(s[i]);  o[i] = sum over j of p[i][j] v[j]
 *   lse[i] = log of the sum over j of exp(s[i][j])
 *
 * Never a matrix of tokens by tokens: keys are taken in blocks of 64, with the maximum
 * and the sum of what was seen so far (Milakov and Gimelshein, arXiv 1805.02867; Dao et
 * al., "FlashAttention", NeurIPS 2022), and backward computes p anew from lse.
 *
 * Order: within a block of 64 keys one chain of fused multiply-adds (product.h), blocks
 * ascending. So row i depends on the keys up to past + i alone - whatever stands behind
 * them, NaN included - and has the same bits in a whole sequence and alone with a cache,
 * in any batch, for any threads. Truth: attention_ref.c, in double, p in memory. */
#ifndef OP_ATTENTION_H
#define OP_ATTENTION_H

#include <stddef.h>

#define ATTENTION_SIZE_MAX 256 /* of a head: blocks of it stand on the stack */

struct attention {
    size_t batch;  /* sequences */
    size_t tokens; /* queries of each: 1 when decoding */
    size_t past;   /* keys and values before those of the first query: a cache's */
    size_t heads, kv_heads, size; /* kv_heads divides heads */
    float scale;
};

/* [batch][token][head][size] within some array: floats from one to the next; a head's
 * numbers lie side by side. So parts of a packed qkv work as they are. */
struct attention_in {
    const float *at;
    size_t sequence, token, head;
};
struct attention_out {
    float *at;
    size_t sequence, token, head;
};

/* q and o have `tokens` tokens, k and v past + tokens. lse is [batch][heads][tokens], or
 * NULL where backward is not asked for. o may be q. */
void attention_forward(const struct attention *a,
                       const struct attention_in *q,
                       const struct attention_in *k,
                       const struct attention_in *v,
                       const struct attention_out *o,
                       float *lse);

struct attention_saved {
    struct attention_in q, k, v, o;
    const float *lse;
};

/* past is 0. dq, dk and dv are overwritten and overlap nothing; work is room for
 * batch * heads * tokens floats. */
void attention_backward(const struct attention *a,
                        const struct attention_saved *saved,
                        const struct attention_in *d_o,
                        const struct attention_out *dq,
                        const struct attention_out *dk,
                        const struct attention_out *dv,
                        float *work);

/* Dense arrays; p is room for past + tokens numbers, for backward twice as many. */
void attention_ref_forward(const struct attention *a,
                           const double *q,
                           const double *k,
                           const double *v,
                           double *o,
                           double *p);
void attention_ref_backward(const struct attention *a,
                            const double *q,
                            const double *k,
                            const double *v,
                            const double *d_o,
                            double *dq,
                            double *dk,
                            double *dv,
                            double *p);

#endif
