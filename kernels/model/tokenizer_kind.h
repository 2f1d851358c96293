/* What the kinds of tokenizers have in common, and what each brings. Private to model/.
 */
#ifndef MODEL_TOKENIZER_KIND_H
#define MODEL_TOKENIZER_KIND_H

#include "tokenizer.h"
#include <stdbool.h>

struct tokenizer_kind {
    const char *name;
    bool blank_first; /* text has a blank put before it, which decoding takes away */
    int (*encode)(struct tokenizer *t,
                  const unsigned char *text,
                  size_t len,
                  int32_t *ret_ids,
                  size_t *ret_n,
                  struct gm_error *err);
    void (*release)(void *self); /* takes NULL */
};

struct tokenizer {
    const struct tokenizer_kind *kind;
    void *self;       /* the kind's own */
    struct str bytes; /* of all ids, one behind the other */
    size_t *ends;     /* id i: [i == 0 ? 0 : ends[i - 1], ends[i]) */
    size_t n, room;
    int32_t begin, end;
};

struct tokenizer *tokenizer_make(const struct tokenizer_kind *kind);
/* The next id's bytes. */
void tokenizer_add(struct tokenizer *t, const void *bytes, size_t len);

#endif
