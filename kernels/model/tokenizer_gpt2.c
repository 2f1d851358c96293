/* GPT-2's byte-pair encoding from its two files. Both write a byte as a character that
 * can be seen: the printable ones of Latin-1 stand for themselves, the others for U+0100
 * upwards. Words are cut by tokenizer_words.h, their bytes become ids, and ids are
 * merged. */
#include "base/arena.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/strmap.h"
#include "bpe.h"
#include "kernels/io/json_scan.h"
#include "tokenizer_kind.h"
#include "tokenizer_words.h"
#include "unicode.h"
#include <inttypes.h>
#include <string.h>

#define FILE_MAX ((size_t)256 << 20)
#define END_WORD "<|endoftext|>"
#define SHOWN    (256 + 256) /* characters that may stand for a byte */

struct gpt2 {
    struct bpe *bpe;
    int32_t of_byte[256];
};

static void release(void *self)
{
    struct gpt2 *g = self;
    if (g != NULL)
        bpe_free(g->bpe);
    free(g);
}

/* shown[c]: the byte that the character c stands for, or -1. */
static void make_table(int16_t shown[SHOWN])
{
    int next = 256;
    memset(shown, -1, SHOWN * sizeof(*shown));
    for (int b = 0; b < 256; b++) {
        bool seen = (b >= '!' && b <= '~') || (b >= 0xA1 && b <= 0xAC) || b >= 0xAE;
        shown[seen ? b : next++] = (int16_t)b;
    }
}

/* The bytes a token's text stands for; text with other characters (an added token) stands
 * for itself. Returns the length. */
static size_t bytes_of(const int16_t *shown, const char *text, size_t len, char *ret)
{
    size_t n = 0;
    for (size_t at = 0; at < len;) {
        uint32_t code = 0;
        size_t width = unicode_decode((const unsigned char *)text + at, len - at, &code);
        if (width == 0 || code >= SHOWN || shown[code] < 0) {
            memcpy(ret, text, len);
            return len;
        }
        ret[n++] = (char)shown[code];
        at += width;
    }
    return n;
}

struct reading {
    const char *origin;
    struct arena *arena;
    struct strmap *ids;  /* text -> id */
    const char **tokens; /* by id */
    size_t n;
};

static int bad_vocab(const struct reading *r, size_t at, struct gm_error *err)
{
    return gm_fail(
        err,
        -EINVAL,
        "%s: is not the JSON object of tokens and ids it should be at byte %zu",
        r->origin,
        at);
}

/* id -> token from the map; ids must be 0, 1, ... each once. */
static int put_in_order(struct reading *r,
                        const char **texts,
                        const uint64_t *ids,
                        struct gm_error *err)
{
    r->tokens = arena_alloc(r->arena, r->n, sizeof(*r->tokens));
    for (size_t i = 0; i < r->n; i++) {
        if (ids[i] >= r->n || r->tokens[ids[i]] != NULL)
            return gm_fail(err,
                           -EINVAL,
                           "%s: token '%.32s' has the id %" PRIu64
                           ": the ids of %zu tokens are 0 to %zu, each once",
                           r->origin,
                           texts[i],
                           ids[i],
                           r->n,
                           r->n - 1);
        r->tokens[ids[i]] = texts[i];
    }
    return 0;
}

static int
read_vocab(struct reading *r, const char *text, size_t len, struct gm_error *err)
{
    struct json_scan s = {.text = text, .len = len};
    size_t room = 0;
    AUTO_FREE(const char *) texts = NULL;
    AUTO_FREE(uint64_t) ids = NULL;
    if (!json_scan_take(&s, '{'))
        return bad_vocab(r, s.at, err);
    do {
        if (r->n == room) {
            room = room == 0 ? 1024 : 2 * room;
            texts = xrealloc(texts, room, sizeof(*texts));
            ids = xrealloc(ids, room, sizeof(*ids));
        }
        size_t id = 0;
        if (!json_scan_string(&s, r->arena, &texts[r->n]) || !json_scan_take(&s, ':') ||
            !json_scan_u64(&s, &ids[r->n]))
            return bad_vocab(r, s.at, err);
        id = ids[r->n];
        if (!strmap_add(r->ids, texts[r->n], &id))
            return gm_fail(
                err, -EINVAL, "%s: token '%.32s' is there twice", r->origin, texts[r->n]);
        r->n++;
    } while (json_scan_take(&s, ','));
    if (!json_scan_take(&s, '}') || !json_scan_over(&s) || r->n > INT32_MAX)
        return bad_vocab(r, s.at, err);
    return put_in_order(r, texts, ids, err);
}

/* "left right" -> a merge of that rank. */
static int read_merge(const struct reading *r,
                      const char *line,
                      size_t len,
                      size_t number,
                      struct bpe *bpe,
                      struct gm_error *err)
{
    AUTO_FREE(char) text = xcalloc(2 * len + 3, 1);
    const char *blank = memchr(line, ' ', len);
    size_t left = blank == NULL ? 0 : (size_t)(blank - line), right = len - left - 1;
    bool good = left > 0 && left + 1 < len && memchr(blank + 1, ' ', right) == NULL;
    size_t ids[3] = {0};
    if (good) {
        memcpy(text, line, left);
        memcpy(text + left + 1, blank + 1, right);
        good = strmap_get(r->ids, text, &ids[0]) &&
               strmap_get(r->ids, text + left + 1, &ids[1]);
        memmove(text + left, text + left + 1, right + 1);
        good = good && strmap_get(r->ids, text, &ids[2]);
    }
    if (!good)
        return gm_fail(err,
                       -EINVAL,
                       "%s: line %zu is no merge of two tokens of the vocabulary into "
                       "a third: '%.*s'",
                       r->origin,
                       number,
                       (int)(len < 48 ? len : 48),
                       line);
    bpe_add(bpe, (int32_t)ids[0], (int32_t)ids[1], (uint32_t)number, (int32_t)ids[2]);
    return 0;
}

static int read_merges(const struct reading *r,
                       const char *text,
                       size_t len,
                       struct bpe *bpe,
                       struct gm_error *err)
{
    size_t number = 0;
    for (size_t at = 0; at < len;) {
        const char *end = memchr(text + at, '\n', len - at);
        size_t n = end == NULL ? len - at : (size_t)(end - text) - at, own = n;
        number++;
        if (own > 0 && text[at + own - 1] == '\r')
            own--;
        bool version = number == 1 && own >= 8 && memcmp(text + at, "#version", 8) == 0;
        int rc =
            own == 0 || version ? 0 : read_merge(r, text + at, own, number, bpe, err);
        if (rc != 0)
            return rc;
        at += n + 1;
    }
    return 0;
}

static int encode_word(const struct gpt2 *g,
                       const unsigned char *text,
                       size_t at,
                       size_t end,
                       int32_t *ret_ids,
                       size_t *ret_n,
                       struct gm_error *err)
{
    size_t n = end - at;
    for (size_t i = 0; i < n; i++) {
        ret_ids[i] = g->of_byte[text[at + i]];
        if (ret_ids[i] < 0)
            return gm_fail(err,
                           -EINVAL,
                           "text: the byte 0x%02X at %zu has no token in the vocabulary",
                           text[at + i],
                           at + i);
    }
    *ret_n = bpe_merge(g->bpe, ret_ids, n);
    bpe_keep(g->bpe, text + at, end - at, ret_ids, *ret_n);
    return 0;
}

static int encode(struct tokenizer *t,
                  const unsigned char *text,
                  size_t len,
                  int32_t *ret_ids,
                  size_t *ret_n,
                  struct gm_error *err)
{
    const struct gpt2 *g = t->self;
    size_t n = 0;
    for (size_t at = 0, end; at < len; at = end) {
        int rc = 0;
        end = tokenizer_word(text, len, at);
        size_t made = bpe_recall(g->bpe, text + at, end - at, ret_ids + n);
        if (made == 0)
            rc = encode_word(g, text, at, end, ret_ids + n, &made, err);
        if (rc != 0)
            return rc;
        n += made;
    }
    *ret_n = n;
    return 0;
}

static void
settle(const struct reading *r, const int16_t *shown, struct gpt2 *g, struct tokenizer *t)
{
    memset(g->of_byte, -1, sizeof(g->of_byte));
    for (size_t id = 0; id < r->n; id++) {
        size_t len = strlen(r->tokens[id]);
        AUTO_FREE(char) bytes = xcalloc(len + 1, 1);
        size_t n = bytes_of(shown, r->tokens[id], len, bytes);
        tokenizer_add(t, bytes, n);
        if (strcmp(r->tokens[id], END_WORD) == 0)
            t->begin = t->end = (int32_t)id;
    }
    for (uint32_t c = 0; c < SHOWN; c++) {
        char text[5] = "";
        size_t id;
        (void)unicode_encode(c, (unsigned char *)text);
        if (shown[c] >= 0 && strmap_get(r->ids, text, &id))
            g->of_byte[shown[c]] = (int32_t)id;
    }
}

static const struct tokenizer_kind kind = {
    .name = "gpt2", .encode = encode, .release = release};

static int read_both(const char *vocab_origin,
                     const void *vocab,
                     size_t vocab_len,
                     const char *merges_origin,
                     const void *merges,
                     size_t merges_len,
                     struct tokenizer **ret,
                     struct gm_error *err)
{
    AUTO(arena) a = arena_make();
    AUTO(strmap) ids = strmap_make();
    AUTO(bpe) bpe = bpe_make();
    struct reading r = {.origin = vocab_origin, .arena = a, .ids = ids};
    int rc = read_vocab(&r, vocab, vocab_len, err);
    r.origin = merges_origin;
    if (rc == 0)
        rc = read_merges(&r, merges, merges_len, bpe, err);
    if (rc != 0)
        return rc;
    int16_t shown[SHOWN];
    make_table(shown);
    struct tokenizer *t = tokenizer_make(&kind);
    struct gpt2 *g = t->self = xcalloc(1, sizeof(*g));
    settle(&r, shown, g, t);
    g->bpe = steal(&bpe);
    *ret = t;
    return 0;
}

int tokenizer_gpt2(const char *origin,
                   const void *vocab,
                   size_t vocab_len,
                   const void *merges,
                   size_t merges_len,
                   struct tokenizer **ret,
                   struct gm_error *err)
{
    return read_both(origin, vocab, vocab_len, origin, merges, merges_len, ret, err);
}

int tokenizer_gpt2_open(const char *vocab,
                        const char *merges,
                        struct tokenizer **ret,
                        struct gm_error *err)
{
    AUTO_FREE(char) v = NULL;
    AUTO_FREE(char) m = NULL;
    size_t v_len = 0, m_len = 0;
    int rc = file_read(vocab, FILE_MAX, &v, &v_len, err);
    if (rc == 0)
        rc = file_read(merges, FILE_MAX, &m, &m_len, err);
    return rc == 0 ? read_both(vocab, v, v_len, merges, m, m_len, ret, err) : rc;
}
