/* Texts that go on from prompts, several side by side with one cache of keys and values.
 * Each token depends on the weights, its own text and (seed, the text's number, position)
 * alone, so a text is the same whatever stands beside it. Private to plugins/kernel. */
#ifndef PLUGINS_KERNEL_LM_DECODE_H
#define PLUGINS_KERNEL_LM_DECODE_H

#include "kernels/model/sampler.h"
#include "kernels/model/tokenizer.h"
#include "kernels/model/transformer.h"

struct lm_decode_options {
    struct sampler_options sampler;
    size_t max_tokens; /* new ones of a text; the context may allow fewer */
    size_t batch;      /* texts side by side */
    const char *stop;  /* a text ends before this; NULL or "": at the end's token alone */
};

struct lm_text {
    uint64_t number;       /* the sampler's */
    const int32_t *prompt; /* [n_prompt], borrowed; 1 .. context of them */
    size_t n_prompt;
    /* the decoder's */
    int32_t *ids; /* what was made: [n], room for max_tokens */
    size_t n;
    bool over;
    struct tokenizer_stream stream;
    struct str tail; /* of the bytes, as many as `stop` may begin in */
};

struct lm_decoder;

/* texts[n] are borrowed and keep their order; ids and tail are the decoder's. */
int lm_decoder_make(const struct transformer *t,
                    const struct tokenizer *k,
                    const struct lm_decode_options *how,
                    struct lm_text *texts,
                    size_t n,
                    struct lm_decoder **ret,
                    struct gm_error *err);
void lm_decoder_free(struct lm_decoder *d); /* takes NULL */

/* One more token of each of some texts: 1 more to do, 0 all are over. */
int lm_decoder_step(struct lm_decoder *d, struct gm_error *err);
/* The bytes of a text that is over, without its prompt and the stop. */
int lm_decoder_text(const struct lm_decoder *d,
                    const struct lm_text *text,
                    struct str *ret,
                    struct gm_error *err);
/* Of texts that are over. */
size_t lm_decoder_done(const struct lm_decoder *d);
/* Of all steps so far. */
struct transformer_cost lm_decoder_cost(const struct lm_decoder *d);

AUTO_TYPE(lm_decoder, lm_decoder_free)

#endif
