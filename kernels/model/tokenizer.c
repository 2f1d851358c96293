/* What all tokenizers have in common: the bytes of ids and decoding; and the plainest of
 * them, bytes. Invariant of a stream: `held` is the beginning of one UTF-8 character,
 * which the next bytes may complete. */
#include "tokenizer.h"

#include "base/memory.h"
#include "tokenizer_kind.h"
#include <string.h>

struct tokenizer *tokenizer_make(const struct tokenizer_kind *kind)
{
    struct tokenizer *t = xcalloc(1, sizeof(*t));
    t->kind = kind;
    t->begin = t->end = TOKENIZER_NONE;
    return t;
}

void tokenizer_add(struct tokenizer *t, const void *bytes, size_t len)
{
    if (t->n == t->room) {
        t->room = t->room == 0 ? 256 : 2 * t->room;
        t->ends = xrealloc(t->ends, t->room, sizeof(*t->ends));
    }
    if (len > 0)
        str_add_n(&t->bytes, bytes, len);
    t->ends[t->n++] = t->bytes.len;
}

void tokenizer_free(struct tokenizer *t)
{
    if (t == NULL)
        return;
    if (t->kind->release != NULL)
        t->kind->release(t->self);
    str_free(&t->bytes);
    free(t->ends);
    free(t);
}

const char *tokenizer_name(const struct tokenizer *t)
{
    return t->kind->name;
}

size_t tokenizer_vocab(const struct tokenizer *t)
{
    return t->n;
}

int32_t tokenizer_begin(const struct tokenizer *t)
{
    return t->begin;
}

int32_t tokenizer_end(const struct tokenizer *t)
{
    return t->end;
}

const char *tokenizer_bytes(const struct tokenizer *t, int32_t id, size_t *ret_len)
{
    size_t first = id == 0 ? 0 : t->ends[id - 1];
    *ret_len = t->ends[id] - first;
    return str_text(&t->bytes) + first;
}

int32_t tokenizer_find(const struct tokenizer *t, const void *bytes, size_t len)
{
    for (int32_t id = 0; (size_t)id < t->n; id++) {
        size_t n;
        const char *own = tokenizer_bytes(t, id, &n);
        if (n == len && memcmp(own, bytes, len) == 0)
            return id;
    }
    return TOKENIZER_NONE;
}

size_t tokenizer_most(const struct tokenizer *t, size_t len)
{
    return len + (t->kind->blank_first ? 1 : 0);
}

int tokenizer_encode(struct tokenizer *t,
                     const void *text,
                     size_t len,
                     int32_t *ret_ids,
                     size_t *ret_n,
                     struct gm_error *err)
{
    if (len == 0) {
        *ret_n = 0;
        return 0;
    }
    return t->kind->encode(t, text, len, ret_ids, ret_n, err);
}

/* The bytes that id gives after `before`. */
static int piece(const struct tokenizer *t,
                 int32_t before,
                 int32_t id,
                 const char **ret,
                 size_t *ret_len,
                 struct gm_error *err)
{
    if (id < 0 || (size_t)id >= t->n)
        return gm_fail(err, -EINVAL, "%d is no token: the vocabulary has %zu", id, t->n);
    const char *bytes = tokenizer_bytes(t, id, ret_len);
    if (id == t->begin || id == t->end)
        *ret_len = 0;
    if (t->kind->blank_first && before == t->begin && *ret_len > 0 && bytes[0] == ' ') {
        bytes++;
        --*ret_len;
    }
    *ret = bytes;
    return 0;
}

int tokenizer_decode(const struct tokenizer *t,
                     const int32_t *ids,
                     size_t n,
                     struct str *ret,
                     struct gm_error *err)
{
    int32_t before = t->begin;
    for (size_t i = 0; i < n; i++) {
        const char *bytes = "";
        size_t len = 0;
        int rc = piece(t, before, ids[i], &bytes, &len, err);
        if (rc != 0)
            return rc;
        str_add_n(ret, bytes, len);
        before = ids[i];
    }
    return 0;
}

void tokenizer_stream_begin(struct tokenizer_stream *s, const struct tokenizer *t)
{
    *s = (struct tokenizer_stream){.tokenizer = t, .before = t->begin};
}

/* Whether held bytes may still become a character. */
static bool unfinished(const unsigned char *p, unsigned n)
{
    unsigned want = p[0] >= 0xF0 ? 4 : p[0] >= 0xE0 ? 3 : p[0] >= 0xC2 ? 2 : 1;
    if (p[0] > 0xF4 || n >= want)
        return false;
    for (unsigned i = 1; i < n; i++) {
        if ((p[i] & 0xC0) != 0x80)
            return false;
    }
    return true;
}

int tokenizer_stream_put(struct tokenizer_stream *s,
                         int32_t id,
                         struct str *ret,
                         struct gm_error *err)
{
    const char *bytes = "";
    size_t len = 0;
    int rc = piece(s->tokenizer, s->before, id, &bytes, &len, err);
    if (rc != 0)
        return rc;
    s->before = id;
    for (size_t i = 0; i < len; i++) {
        if (s->n_held > 0 && ((unsigned char)bytes[i] & 0xC0) != 0x80)
            tokenizer_stream_end(s, ret); /* broken off: what follows is another one */
        s->held[s->n_held++] = (unsigned char)bytes[i];
        if (!unfinished(s->held, s->n_held))
            tokenizer_stream_end(s, ret);
    }
    return 0;
}

void tokenizer_stream_end(struct tokenizer_stream *s, struct str *ret)
{
    str_add_n(ret, (const char *)s->held, s->n_held);
    s->n_held = 0;
}

static int encode_bytes(struct tokenizer *t,
                        const unsigned char *text,
                        size_t len,
                        int32_t *ret_ids,
                        size_t *ret_n,
                        struct gm_error *err)
{
    (void)t, (void)err;
    for (size_t i = 0; i < len; i++)
        ret_ids[i] = text[i];
    *ret_n = len;
    return 0;
}

struct tokenizer *tokenizer_byte(void)
{
    static const struct tokenizer_kind kind = {.name = "byte", .encode = encode_bytes};
    struct tokenizer *t = tokenizer_make(&kind);
    for (unsigned b = 0; b < 256; b++)
        tokenizer_add(t, &(unsigned char){(unsigned char)b}, 1);
    return t;
}
