/* The next token of a text from the logits of its last.
 *
 *   temperature 0   the highest logit, the lowest index on a tie
 *   otherwise       p = softmax(logits / temperature); of these the top_k highest (0:
 *                   all), and of those the fewest, highest first, that have top_p of
 *                   their sum (1: all; Holtzman et al., ICLR 2020); one is drawn by p.
 *                   Equal logits stand in the order of their indices.
 *
 * What is drawn depends on (seed, text, position) and the logits alone, by one block of
 * Philox: not on what was drawn before, or beside it. The bits do not depend on the C
 * library. */
#ifndef MODEL_SAMPLER_H
#define MODEL_SAMPLER_H

#include "base/auto.h"
#include "gridmill/error.h"
#include <stddef.h>
#include <stdint.h>

struct sampler_options {
    double temperature; /* 0 or more */
    uint64_t top_k;
    double top_p; /* above 0, at most 1 */
    uint64_t seed;
};

struct sampler;

int sampler_make(const struct sampler_options *how,
                 size_t vocab,
                 struct sampler **ret,
                 struct gm_error *err);
void sampler_free(struct sampler *s); /* takes NULL */

/* The token at `position` of text `text`, or -1 where the logits hold a NaN or +inf.
 * Allocates nothing. */
int32_t
sampler_pick(struct sampler *s, const float *logits, uint64_t text, uint64_t position);
/* Uniform on [0, 1) in steps of 2^-53. */
double sampler_uniform(uint64_t seed, uint64_t text, uint64_t position);

AUTO_TYPE(sampler, sampler_free)

#endif
