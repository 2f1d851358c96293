/* One id a character: the distinct code points of a text, sorted. ASCII is looked up in a
 * table, the others are searched for by halves. */
#include "base/memory.h"
#include "tokenizer_kind.h"
#include "unicode.h"
#include <string.h>

#define CODES 0x110000

struct chars {
    int32_t ascii[128];
    uint32_t *codes; /* of the ids, ascending */
    size_t n;
};

static void release(void *self)
{
    struct chars *c = self;
    if (c != NULL)
        free(c->codes);
    free(c);
}

static int32_t find(const struct chars *c, uint32_t code)
{
    size_t low = 0, high = c->n;
    if (code < 128)
        return c->ascii[code];
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (c->codes[middle] < code)
            low = middle + 1;
        else
            high = middle;
    }
    return low < c->n && c->codes[low] == code ? (int32_t)low : TOKENIZER_NONE;
}

static int not_utf8(const char *origin, size_t at, struct gm_error *err)
{
    return gm_fail(err,
                   -EINVAL,
                   "%s: byte %zu is not UTF-8: the byte tokenizer takes any text",
                   origin,
                   at);
}

static int encode(struct tokenizer *t,
                  const unsigned char *text,
                  size_t len,
                  int32_t *ret_ids,
                  size_t *ret_n,
                  struct gm_error *err)
{
    const struct chars *c = t->self;
    size_t n = 0;
    for (size_t at = 0; at < len;) {
        uint32_t code = text[at];
        size_t width = code < 0x80 ? 1 : unicode_decode(text + at, len - at, &code);
        if (width == 0)
            return not_utf8("text", at, err);
        int32_t id = find(c, code);
        if (id < 0)
            return gm_fail(
                err,
                -EINVAL,
                "text: the character '%.*s' (U+%04X) at byte %zu is not in the "
                "vocabulary of %zu characters",
                (int)(code < 0x20 ? 0 : width),
                (const char *)text + at,
                code,
                at,
                c->n);
        ret_ids[n++] = id;
        at += width;
    }
    *ret_n = n;
    return 0;
}

static const struct tokenizer_kind kind = {
    .name = "char", .encode = encode, .release = release};

int tokenizer_char(const char *origin,
                   const void *text,
                   size_t len,
                   struct tokenizer **ret,
                   struct gm_error *err)
{
    AUTO_FREE(unsigned char) seen = xcalloc(CODES, 1);
    const unsigned char *bytes = text;
    size_t n = 0;
    for (size_t at = 0; at < len;) {
        uint32_t code;
        size_t width = unicode_decode(bytes + at, len - at, &code);
        if (width == 0)
            return not_utf8(origin, at, err);
        n += !seen[code];
        seen[code] = 1;
        at += width;
    }
    if (n == 0)
        return gm_fail(err, -EINVAL, "%s: is empty: it has no characters", origin);
    struct tokenizer *t = tokenizer_make(&kind);
    struct chars *c = t->self = xcalloc(1, sizeof(*c));
    c->codes = xcalloc(n, sizeof(*c->codes));
    memset(c->ascii, -1, sizeof(c->ascii));
    for (uint32_t code = 0; code < CODES; code++) {
        unsigned char own[4];
        if (!seen[code])
            continue;
        if (code < 128)
            c->ascii[code] = (int32_t)c->n;
        c->codes[c->n++] = code;
        tokenizer_add(t, own, unicode_encode(code, own));
    }
    *ret = t;
    return 0;
}

const char *tokenizer_saved(const struct tokenizer *t, size_t *ret_len)
{
    if (t->kind != &kind)
        return NULL;
    *ret_len = t->bytes.len;
    return t->bytes.text;
}
