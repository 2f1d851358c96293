/* See idset.h. Words past n_words are empty; trailing zero words are allowed, so equality
 * looks at both lengths. */
#include "idset.h"
#include "memory.h"
#include "str.h"

enum { BITS = 64 };

struct idset *idset_make(void)
{
    return xcalloc(1, sizeof(struct idset));
}

struct idset *idset_dup(const struct idset *s)
{
    struct idset *copy = idset_make();
    idset_unite(copy, s);
    return copy;
}

void idset_free(struct idset *s)
{
    if (s != NULL)
        free(s->words);
    free(s);
}

static void grow(struct idset *s, unsigned n_words)
{
    if (n_words <= s->n_words)
        return;
    s->words = xrealloc(s->words, n_words, sizeof(*s->words));
    for (unsigned i = s->n_words; i < n_words; i++)
        s->words[i] = 0;
    s->n_words = n_words;
}

void idset_add(struct idset *s, unsigned id)
{
    grow(s, id / BITS + 1);
    s->words[id / BITS] |= UINT64_C(1) << (id % BITS);
}

void idset_add_run(struct idset *s, unsigned first, unsigned last)
{
    grow(s, last / BITS + 1);
    for (unsigned i = first / BITS; i <= last / BITS; i++) {
        uint64_t w = ~UINT64_C(0);
        if (i == first / BITS)
            w &= ~UINT64_C(0) << (first % BITS);
        if (i == last / BITS)
            w &= ~UINT64_C(0) >> (BITS - 1 - last % BITS);
        s->words[i] |= w;
    }
}

void idset_remove(struct idset *s, unsigned id)
{
    if (id / BITS < s->n_words)
        s->words[id / BITS] &= ~(UINT64_C(1) << (id % BITS));
}

void idset_clear(struct idset *s)
{
    for (unsigned i = 0; i < s->n_words; i++)
        s->words[i] = 0;
}

bool idset_has(const struct idset *s, unsigned id)
{
    return id / BITS < s->n_words && (s->words[id / BITS] >> (id % BITS) & 1) != 0;
}

unsigned idset_count(const struct idset *s)
{
    unsigned n = 0;
    for (unsigned i = 0; i < s->n_words; i++)
        n += (unsigned)__builtin_popcountll(s->words[i]);
    return n;
}

static uint64_t word(const struct idset *s, unsigned i)
{
    return i < s->n_words ? s->words[i] : 0;
}

bool idset_subset(const struct idset *a, const struct idset *b)
{
    for (unsigned i = 0; i < a->n_words; i++) {
        if ((a->words[i] & ~word(b, i)) != 0)
            return false;
    }
    return true;
}

bool idset_equal(const struct idset *a, const struct idset *b)
{
    return idset_subset(a, b) && idset_subset(b, a);
}

bool idset_overlap(const struct idset *a, const struct idset *b)
{
    for (unsigned i = 0; i < a->n_words; i++) {
        if ((a->words[i] & word(b, i)) != 0)
            return true;
    }
    return false;
}

void idset_unite(struct idset *a, const struct idset *b)
{
    grow(a, b->n_words);
    for (unsigned i = 0; i < b->n_words; i++)
        a->words[i] |= b->words[i];
}

void idset_subtract(struct idset *a, const struct idset *b)
{
    for (unsigned i = 0; i < a->n_words; i++)
        a->words[i] &= ~word(b, i);
}

int64_t idset_next(const struct idset *s, unsigned from)
{
    for (unsigned i = from / BITS; i < s->n_words; i++) {
        uint64_t w = s->words[i];
        if (i == from / BITS)
            w &= ~UINT64_C(0) << (from % BITS);
        if (w != 0)
            return (int64_t)i * BITS + __builtin_ctzll(w);
    }
    return -1;
}

static int bad(const char *text, const char *at, const char *what, struct gm_error *err)
{
    return gm_fail(err,
                   -EINVAL,
                   "'%.80s': %s at character %zu",
                   text,
                   what,
                   (size_t)(at - text) + 1);
}

/* The id at *at, which moves behind it. */
static int read_id(const char *text, const char **at, unsigned *ret, struct gm_error *err)
{
    const char *p = *at;
    if (*p < '0' || *p > '9')
        return bad(text, p, "an id must stand", err);
    if (p[0] == '0' && p[1] >= '0' && p[1] <= '9')
        return bad(text, p, "a leading zero", err);
    unsigned id = 0;
    for (; *p >= '0' && *p <= '9'; p++) {
        id = id * 10 + (unsigned)(*p - '0');
        if (id >= IDSET_MAX)
            return bad(text, *at, "an id above 1048575", err);
    }
    *ret = id;
    *at = p;
    return 0;
}

/* "3" or "0-3", all of it above `last`. */
static int read_run(struct idset *set,
                    const char *text,
                    const char **at,
                    int64_t *last,
                    struct gm_error *err)
{
    const char *from = *at;
    unsigned lo = 0, hi;
    int rc = read_id(text, at, &lo, err);
    hi = lo;
    if (rc == 0 && **at == '-') {
        (*at)++;
        rc = read_id(text, at, &hi, err);
    }
    if (rc != 0)
        return rc;
    if ((int64_t)lo <= *last || hi < lo)
        return bad(text, from, "ids must ascend", err);
    idset_add_run(set, lo, hi);
    *last = hi;
    return 0;
}

int idset_parse(const char *text, struct idset **ret, struct gm_error *err)
{
    AUTO(idset) set = idset_make();
    bool bracket = text[0] == '[';
    const char *at = text + bracket;
    int64_t last = -1;
    for (bool more = at[0] != '\0' && at[0] != ']'; more; at += more) {
        int rc = read_run(set, text, &at, &last, err);
        if (rc != 0)
            return rc;
        more = *at == ',';
    }
    if (bracket && *at == '\0')
        return bad(text, at, "a ] must stand", err);
    if ((*at == ']') != bracket || at[bracket] != '\0')
        return bad(text, at + (bracket && *at == ']'), "nothing may follow", err);
    *ret = steal(&set);
    return 0;
}

char *idset_format(const struct idset *s)
{
    struct str out = {0};
    for (int64_t a = idset_next(s, 0); a >= 0;) {
        int64_t b = a;
        while (idset_has(s, (unsigned)b + 1))
            b++;
        str_printf(&out, out.len > 0 ? ",%lld" : "%lld", (long long)a);
        if (b > a)
            str_printf(&out, "-%lld", (long long)b);
        a = idset_next(s, (unsigned)b + 1);
    }
    return str_steal(&out);
}
