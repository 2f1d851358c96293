/* Softmax and cross-entropy of m rows of class scores, fused.
 *
 *   p[i] = softmax(logits[i])            exp(z - max) / sum: no overflow for any finite z
 *   loss = sum over i of -log p[i][label[i]]
 *   dlogits[i][c] = scale * (p[i][c] - (c == label[i]))
 *
 * The class that a row is given is the one of the highest score, the lowest index on a
 * tie. Truth: xent_ref.c, in double. */
#ifndef OP_XENT_H
#define OP_XENT_H

#include <stddef.h>
#include <stdint.h>

struct xent_score {
    double loss;      /* summed over the rows */
    uint64_t correct; /* rows whose class is their label */
};

/* Labels are 0 .. classes - 1 (who reads them checks). dlogits may be logits. */
struct xent_score xent_train(size_t m,
                             size_t classes,
                             const float *logits,
                             const int32_t *labels,
                             float scale,
                             float *dlogits);
/* Probabilities [m][classes] (may be logits) and the class of each row. */
void xent_infer(
    size_t m, size_t classes, const float *logits, float *p, int32_t *predicted);

/* The class of one row of scores. */
int32_t xent_class(size_t classes, const float *logits);

/* The form of a language model: rows are tokens, and a label below 0 is no token (it has
 * loss 0 and gradient 0). For the mean's gradient scale is 1 / the tokens that count in
 * the whole batch, of which these may be a part: xent_count.
 *
 *   losses[i] = -log p[i][label[i]];  dlogits as above, which may be logits, or NULL
 *
 * The bits of what is computed do not depend on the C library. */
struct xent_tokens {
    double loss; /* summed over the tokens, in order: the mean is loss / tokens */
    uint64_t tokens, correct;
};

uint64_t xent_count(size_t m, const int32_t *labels);
struct xent_tokens xent_tokens(size_t m,
                               size_t classes,
                               const float *logits,
                               const int32_t *labels,
                               float scale,
                               float *losses,
                               float *dlogits);

struct xent_score xent_ref_train(size_t m,
                                 size_t classes,
                                 const double *logits,
                                 const int32_t *labels,
                                 double scale,
                                 double *dlogits);
struct xent_tokens xent_ref_tokens(size_t m,
                                   size_t classes,
                                   const double *logits,
                                   const int32_t *labels,
                                   double scale,
                                   double *losses,
                                   double *dlogits);

#endif
