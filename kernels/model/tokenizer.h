/* Text to the numbers a language model reads, and back.
 *
 * Four kinds: bytes as they are; the characters of a text; llama2.c's tokenizer.bin;
 * GPT-2's vocab.json and merges.txt. Text is bytes: none is refused for not being UTF-8
 * but by the characters' kind. decode(encode(text)) is the text again.
 *
 * An id is 0 ... tokenizer_vocab() - 1. The special ids (begin, end of a text) come from
 * no text, decode to nothing, and are put before or behind by who asks for them.
 *
 * encode keeps words it has seen, so a tokenizer serves one thread at a time. */
#ifndef MODEL_TOKENIZER_H
#define MODEL_TOKENIZER_H

#include "base/auto.h"
#include "base/str.h"
#include "gridmill/error.h"
#include <stddef.h>
#include <stdint.h>

struct tokenizer;

#define TOKENIZER_NONE (-1)

/* 256 ids, each a byte. */
struct tokenizer *tokenizer_byte(void);
/* The distinct characters of a text, in the order of their code points. A vocabulary's
 * text (tokenizer_saved) gives the same vocabulary again. -EINVAL: empty, not UTF-8. */
int tokenizer_char(const char *origin,
                   const void *text,
                   size_t len,
                   struct tokenizer **ret,
                   struct gm_error *err);
/* karpathy/llama2.c, tokenizer.bin: merges by the highest score, leftmost first; a
 * character without a token becomes byte tokens; a blank is put before the text. (A
 * vocabulary that spells a byte token's name in a longer token loses that byte's way
 * back.) */
int tokenizer_llama2c(const char *origin,
                      const void *bytes,
                      size_t len,
                      struct tokenizer **ret,
                      struct gm_error *err);
int tokenizer_llama2c_open(const char *path,
                           struct tokenizer **ret,
                           struct gm_error *err);
/* Radford et al. 2019 (openai/gpt-2, encoder.py): words by its pattern over Unicode's
 * letters and numbers, merges by rank within a word, leftmost first. A byte that is not
 * UTF-8 is a character that is neither. */
int tokenizer_gpt2(const char *origin,
                   const void *vocab,
                   size_t vocab_len,
                   const void *merges,
                   size_t merges_len,
                   struct tokenizer **ret,
                   struct gm_error *err);
int tokenizer_gpt2_open(const char *vocab,
                        const char *merges,
                        struct tokenizer **ret,
                        struct gm_error *err);
void tokenizer_free(struct tokenizer *t); /* takes NULL */

const char *
tokenizer_name(const struct tokenizer *t); /* "byte", "char", "llama2.c", "gpt2" */
size_t tokenizer_vocab(const struct tokenizer *t);
int32_t tokenizer_begin(const struct tokenizer *t); /* or TOKENIZER_NONE */
int32_t tokenizer_end(const struct tokenizer *t);   /* or TOKENIZER_NONE */
/* The bytes of one id; borrowed. */
const char *tokenizer_bytes(const struct tokenizer *t, int32_t id, size_t *ret_len);
/* The id whose bytes these are, or TOKENIZER_NONE: for a stop mark. Searches them all. */
int32_t tokenizer_find(const struct tokenizer *t, const void *bytes, size_t len);
/* What a char tokenizer is made again from: all its characters, in order; NULL of others.
 */
const char *tokenizer_saved(const struct tokenizer *t, size_t *ret_len);

/* No text of len bytes gives more ids. */
size_t tokenizer_most(const struct tokenizer *t, size_t len);
/* ret_ids has room for tokenizer_most. -EINVAL: a character without an id; the sentence
 * names it and its place. */
int tokenizer_encode(struct tokenizer *t,
                     const void *text,
                     size_t len,
                     int32_t *ret_ids,
                     size_t *ret_n,
                     struct gm_error *err);
/* Appends to *ret. -EINVAL: an id that is none. */
int tokenizer_decode(const struct tokenizer *t,
                     const int32_t *ids,
                     size_t n,
                     struct str *ret,
                     struct gm_error *err);

/* Decoding one id after another: what comes out ends with a whole character, and is, all
 * together, what tokenizer_decode gives. {0} is no stream: begin it. */
struct tokenizer_stream {
    const struct tokenizer *tokenizer;
    int32_t before;
    unsigned char held[4]; /* the beginning of a character */
    unsigned n_held;
};

void tokenizer_stream_begin(struct tokenizer_stream *s, const struct tokenizer *t);
int tokenizer_stream_put(struct tokenizer_stream *s,
                         int32_t id,
                         struct str *ret,
                         struct gm_error *err);
void tokenizer_stream_end(struct tokenizer_stream *s, struct str *ret); /* the rest */

AUTO_TYPE(tokenizer, tokenizer_free)

#endif
