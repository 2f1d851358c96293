/* Vocabularies for the tokenizers' tests: llama2.c's made up here, GPT-2's small one from
 * tests/golden/tokenizer. */
#ifndef TOKENIZER_FILES_H
#define TOKENIZER_FILES_H

#include "base/auto.h"
#include "base/file.h"
#include "base/str.h"
#include "kernels/model/tokenizer.h"
#include "kernels/op/philox.h"
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static inline void put_token(struct str *s, float score, const char *bytes, size_t len)
{
    int32_t n = (int32_t)len;
    str_add_n(s, (const char *)&score, 4);
    str_add_n(s, (const char *)&n, 4);
    str_add_n(s, bytes, len);
}

/* The first 259 tokens of a tokenizer.bin, as all have them. */
static inline void put_first_tokens(struct str *s, int32_t longest)
{
    str_add_n(s, (const char *)&longest, 4);
    put_token(s, 0, "<unk>", 5);
    put_token(s, 0, "\n<s>\n", 5);
    put_token(s, 0, "\n</s>\n", 6);
    for (unsigned b = 0; b < 256; b++) {
        char name[8];
        (void)snprintf(name, sizeof(name), "<0x%02X>", b);
        put_token(s, 0, name, 6);
    }
}

static inline char *golden_tokenizer(const char *name, size_t *ret_len)
{
    AUTO_STR path = {0};
    char *text = NULL;
    struct gm_error err = {0};
    str_printf(&path, "%s/tests/golden/tokenizer/%s", getenv("GRIDMILL_SOURCE"), name);
    cr_assert_eq(file_read(path.text, 1 << 20, &text, ret_len, &err), 0, "%s", err.text);
    return text;
}

/* A text of n random bytes: whole range, or from a pool in which merges are many. */
static inline void random_text(struct philox *p, const char *pool, size_t n, char *ret)
{
    for (size_t i = 0; i < n; i++)
        ret[i] = pool == NULL ? (char)philox_below(p, 256)
                              : pool[philox_below(p, strlen(pool))];
}

/* decode(encode(text)) is text, in one piece and one id after another. */
static inline void round_trip(struct tokenizer *t, const char *text, size_t len)
{
    AUTO_FREE(int32_t) ids = calloc(tokenizer_most(t, len) + 1, sizeof(*ids));
    AUTO_STR back = {0};
    AUTO_STR stream = {0};
    struct tokenizer_stream s;
    struct gm_error err = {0};
    size_t n = 0;
    cr_assert_eq(tokenizer_encode(t, text, len, ids, &n, &err), 0, "%s", err.text);
    cr_assert_leq(n, tokenizer_most(t, len));
    cr_assert_eq(tokenizer_decode(t, ids, n, &back, &err), 0, "%s", err.text);
    cr_assert_eq(back.len, len);
    cr_assert(len == 0 || memcmp(back.text, text, len) == 0);
    tokenizer_stream_begin(&s, t);
    for (size_t i = 0; i < n; i++) {
        cr_assert_eq(tokenizer_stream_put(&s, ids[i], &stream, &err), 0);
        cr_assert_lt(s.n_held, 4);
    }
    tokenizer_stream_end(&s, &stream);
    cr_assert_eq(stream.len, len);
    cr_assert(len == 0 || memcmp(stream.text, text, len) == 0);
}

#endif
