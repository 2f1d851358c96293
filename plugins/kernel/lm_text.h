/* Where a language model's text and weights come from: tokenizers by the parameters of
 * lm.train, lm.generate and lm.score, texts as ids, models by path or reference. Private
 * to plugins/kernel. */
#ifndef PLUGINS_KERNEL_LM_TEXT_H
#define PLUGINS_KERNEL_LM_TEXT_H

#include "gridmill/kernel.h"
#include "kernels/model/tokenizer.h"
#include "kernels/model/transformer.h"
#include "kernels/model/weights.h"

/* The choices of the parameter `tokenizer`. */
#define LM_TOKENIZERS "byte|char|gpt2|llama2.c"

#define LM_VOCABULARY_HELP                                                               \
    "the tokenizer's file: a text of all characters, GPT-2's vocab.json, or "            \
    "llama2.c's tokenizer.bin"
#define LM_MERGES_HELP "GPT-2's merges.txt"

struct lm_words {
    const char *kind;                /* a choice, or "model": what the weights say */
    const char *vocabulary, *merges; /* files, or NULL */
    const struct weights *model;     /* or NULL */
    const char *text;                /* what a char tokenizer is made of, or NULL */
    size_t text_len;
};

int lm_tokenizer(const struct lm_words *words,
                 struct tokenizer **ret,
                 struct gm_error *err);
/* The text's ids, *ret yours; `begin`: one more before them, or TOKENIZER_NONE. */
int lm_encode(struct tokenizer *t,
              const char *origin,
              const char *text,
              size_t len,
              int32_t begin,
              int32_t **ret,
              size_t *ret_n,
              struct gm_error *err);

/* A model that is kept from task to task as long as its name stays the same. */
struct lm_model {
    char *name; /* path or reference; NULL: none */
    struct weights *weights;
    struct transformer *network; /* NULL until it is asked for */
};

/* The weights that parameter `param` names: a reference or a path, which must say what
 * network they are for. */
int lm_weights(const struct gm_task *task,
               unsigned param,
               struct weights **ret,
               struct gm_error *err);
/* The network too, on `device`. */
int lm_model_open(struct lm_model *m,
                  const struct gm_task *task,
                  unsigned param,
                  struct device *device,
                  struct gm_error *err);
void lm_model_close(struct lm_model *m); /* what is inside */
/* -EINVAL: the tokenizer has ids that the network has not. */
int lm_check_vocabulary(const struct tokenizer *t,
                        const char *model,
                        size_t vocab,
                        struct gm_error *err);

#endif
