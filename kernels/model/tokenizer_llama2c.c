/* llama2.c's tokenizer.bin: int32, the longest token; then of each id float32 score,
 * int32 length, bytes. Ids 0 unknown, 1 begin, 2 end, 3 ... 258 the bytes, written <0x00>
 * ... <0xFF>.
 *
 * Any two tokens whose bytes make a third one merge; which pairs those are is found once,
 * from every cut of every token. A text is cut where no token's bytes go on across:
 * merges cannot either, so each piece is merged alone. That holds as long as no token is
 * made of a byte token's name (`whole` when one is: then a text is one piece). */
#include "base/arena.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/strmap.h"
#include "bpe.h"
#include "tokenizer_kind.h"
#include <math.h>
#include <string.h>

#define FILE_MAX    ((size_t)256 << 20)
#define TOKEN_MAX   1024
#define BYTES_AT    3 /* the id of byte 0 */
#define N_LEAST     (BYTES_AT + 256)
#define LEAST_SCORE (-1e10F) /* llama2.c merges nothing at or below */

struct llama2c {
    struct bpe *bpe;
    struct arena *arena; /* tokens' bytes */
    struct strmap *ids;  /* a token's bytes -> its lowest id */
    bool whole;
    unsigned char across[256][32]; /* bit b of a: a then b are inside a token */
    char *text;                    /* a blank, then what is encoded */
    size_t text_room;
};

struct token {
    float score;
    size_t len;
    const char *bytes; /* terminated */
    uint32_t rank;
};

struct reading {
    const char *origin;
    struct arena *arena;
    struct token *tokens;
    size_t n;
};

static void release(void *self)
{
    struct llama2c *l = self;
    if (l == NULL)
        return;
    bpe_free(l->bpe);
    strmap_free(l->ids);
    arena_free(l->arena);
    free(l->text);
    free(l);
}

static bool inside(const struct llama2c *l, unsigned char a, unsigned char b)
{
    return (l->across[a][b / 8] >> (b % 8) & 1) != 0;
}

/* The character from `at` on: a byte and up to three that continue it. The blank before
 * the text is one by itself. */
static size_t character(const unsigned char *text, size_t len, size_t at)
{
    size_t n = 1;
    while (at > 0 && n < 4 && at + n < len && (text[at + n] & 0xC0) == 0x80)
        n++;
    return n;
}

/* Ids of text[at, end) into ret; how many. */
static size_t encode_piece(
    struct llama2c *l, const unsigned char *text, size_t at, size_t end, int32_t *ret)
{
    size_t n = 0;
    for (size_t i = at, width; i < end; i += width) {
        char one[5] = "";
        size_t id;
        width = character(text, end, i);
        memcpy(one, text + i, width);
        if (strlen(one) == width && strmap_get(l->ids, one, &id)) {
            ret[n++] = (int32_t)id;
            continue;
        }
        for (size_t b = 0; b < width; b++)
            ret[n++] = BYTES_AT + text[i + b];
    }
    return bpe_merge(l->bpe, ret, n);
}

static size_t
piece_end(const struct llama2c *l, const unsigned char *text, size_t len, size_t at)
{
    do {
        at += character(text, len, at);
    } while (at < len && (l->whole || inside(l, text[at - 1], text[at])));
    return at;
}

static int encode(struct tokenizer *t,
                  const unsigned char *text,
                  size_t len,
                  int32_t *ret_ids,
                  size_t *ret_n,
                  struct gm_error *err)
{
    struct llama2c *l = t->self;
    size_t n = 0;
    (void)err;
    if (len + 1 > l->text_room) {
        l->text = xrealloc(l->text, xadd(len, 1), 1);
        l->text_room = len + 1;
    }
    l->text[0] = ' ';
    memcpy(l->text + 1, text, len);
    text = (const unsigned char *)l->text;
    len++;
    for (size_t at = 0, end; at < len; at = end) {
        end = piece_end(l, text, len, at);
        /* the first piece of a text that begins amid a character is like no other */
        bool common = at > 0 || (text[1] & 0xC0) != 0x80;
        size_t made = common ? bpe_recall(l->bpe, text + at, end - at, ret_ids + n) : 0;
        if (made == 0) {
            made = encode_piece(l, text, at, end, ret_ids + n);
            if (common)
                bpe_keep(l->bpe, text + at, end - at, ret_ids + n, made);
        }
        n += made;
    }
    *ret_n = n;
    return 0;
}

static int bad_token(const struct reading *r, const char *what, struct gm_error *err)
{
    return gm_fail(err, -EINVAL, "%s: token %zu %s", r->origin, r->n, what);
}

static int read_token(struct reading *r,
                      const unsigned char **at,
                      size_t left,
                      size_t longest,
                      struct gm_error *err)
{
    float score;
    int32_t len;
    if (left < 8)
        return bad_token(r, "is cut off: the file ends inside it", err);
    memcpy(&score, *at, 4);
    memcpy(&len, *at + 4, 4);
    if (len < 0 || (size_t)len > left - 8)
        return bad_token(r, "reaches beyond the end of the file", err);
    if ((size_t)len > longest)
        return bad_token(r, "is longer than the file says the longest is", err);
    if (!isfinite(score))
        return bad_token(r, "has a score that is no number", err);
    if (memchr(*at + 8, '\0', (size_t)len) != NULL)
        return bad_token(r, "has a zero byte in it", err);
    struct token *t = &r->tokens[r->n++];
    *t =
        (struct token){.score = score,
                       .len = (size_t)len,
                       .bytes = arena_copy(r->arena, (const char *)*at + 8, (size_t)len)};
    *at += 8 + (size_t)len;
    return 0;
}

static int read_tokens(struct reading *r,
                       const unsigned char *bytes,
                       size_t len,
                       struct gm_error *err)
{
    int32_t longest = 0;
    size_t room = 0;
    if (len >= 4)
        memcpy(&longest, bytes, 4);
    if (longest < 1 || longest > TOKEN_MAX)
        return gm_fail(
            err,
            -EINVAL,
            "%s: is no tokenizer.bin of llama2.c: its longest token would have "
            "%d bytes",
            r->origin,
            longest);
    const unsigned char *at = bytes + 4, *end = bytes + len;
    while (at < end) {
        if (r->n == room) {
            room = room == 0 ? 1024 : 2 * room;
            r->tokens = xrealloc(r->tokens, room, sizeof(*r->tokens));
        }
        int rc = read_token(r, &at, (size_t)(end - at), (size_t)longest, err);
        if (rc != 0)
            return rc;
    }
    for (size_t b = 0; b < 256; b++) {
        char name[8];
        (void)snprintf(name, sizeof(name), "<0x%02X>", (unsigned)b);
        if (r->n < N_LEAST || strcmp(r->tokens[BYTES_AT + b].bytes, name) != 0)
            return gm_fail(
                err,
                -EINVAL,
                "%s: has no token %s at id %zu: llama2.c's have the bytes there",
                r->origin,
                name,
                BYTES_AT + b);
    }
    return 0;
}

struct scored {
    float score;
    uint32_t id;
};

static int by_score(const void *a, const void *b)
{
    const struct scored *x = a, *y = b;
    return x->score > y->score ? -1 : x->score < y->score;
}

/* The higher the score the lower the rank; equal ones share it. */
static void set_ranks(struct reading *r)
{
    AUTO_FREE(struct scored) order = xcalloc(r->n, sizeof(*order));
    uint32_t rank = 0;
    for (size_t i = 0; i < r->n; i++)
        order[i] = (struct scored){r->tokens[i].score, (uint32_t)i};
    qsort(order, r->n, sizeof(*order), by_score);
    for (size_t i = 0; i < r->n; i++) {
        rank += i > 0 && order[i].score < order[i - 1].score;
        r->tokens[order[i].id].rank = rank;
    }
}

/* Every cut of token `id` into two tokens is a merge. */
static void find_merges(struct llama2c *l, const struct token *t, int32_t id)
{
    char left[TOKEN_MAX + 1];
    if (!(t->score > LEAST_SCORE))
        return;
    for (size_t cut = 1; cut < t->len; cut++) {
        size_t a, b;
        memcpy(left, t->bytes, cut);
        left[cut] = '\0';
        if (!strmap_get(l->ids, left, &a) || !strmap_get(l->ids, t->bytes + cut, &b))
            continue;
        bpe_add(l->bpe, (int32_t)a, (int32_t)b, t->rank, id);
        l->whole =
            l->whole || (a >= BYTES_AT && a < N_LEAST) || (b >= BYTES_AT && b < N_LEAST);
    }
    for (size_t i = 0; i + 1 < t->len; i++) {
        unsigned char a = (unsigned char)t->bytes[i], b = (unsigned char)t->bytes[i + 1];
        l->across[a][b / 8] |= (unsigned char)(1U << (b % 8));
    }
}

static void settle(const struct reading *r, struct llama2c *l, struct tokenizer *t)
{
    for (size_t i = 0; i < r->n; i++) {
        size_t id = i;
        if (r->tokens[i].len > 0)
            (void)strmap_add(l->ids, r->tokens[i].bytes, &id);
        if (i >= BYTES_AT && i < N_LEAST)
            tokenizer_add(t, &(unsigned char){(unsigned char)(i - BYTES_AT)}, 1);
        else
            tokenizer_add(t, r->tokens[i].bytes, r->tokens[i].len);
    }
    for (size_t i = 0; i < r->n; i++) {
        size_t id;
        bool first = r->tokens[i].len > 0 &&
                     strmap_get(l->ids, r->tokens[i].bytes, &id) && id == i;
        if (first)
            find_merges(l, &r->tokens[i], (int32_t)i);
    }
    t->begin = 1;
    t->end = 2;
}

int tokenizer_llama2c(const char *origin,
                      const void *bytes,
                      size_t len,
                      struct tokenizer **ret,
                      struct gm_error *err)
{
    static const struct tokenizer_kind kind = {
        .name = "llama2.c", .blank_first = true, .encode = encode, .release = release};
    AUTO(arena) a = arena_make();
    struct reading r = {.origin = origin, .arena = a};
    int rc = read_tokens(&r, bytes, len, err);
    if (rc == 0) {
        struct tokenizer *t = tokenizer_make(&kind);
        struct llama2c *l = t->self = xcalloc(1, sizeof(*l));
        l->bpe = bpe_make();
        l->ids = strmap_make_for(r.n);
        l->arena = steal(&a);
        set_ranks(&r);
        settle(&r, l, t);
        *ret = t;
    }
    free(r.tokens);
    return rc;
}

int tokenizer_llama2c_open(const char *path, struct tokenizer **ret, struct gm_error *err)
{
    AUTO_FREE(char) bytes = NULL;
    size_t len = 0;
    int rc = file_read(path, FILE_MAX, &bytes, &len, err);
    return rc == 0 ? tokenizer_llama2c(path, bytes, len, ret, err) : rc;
}
