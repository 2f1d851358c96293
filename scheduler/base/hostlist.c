/* See hostlist.h. Invariant: a name is 1 .. HOSTLIST_NAME characters of printable ASCII
 * without blanks, commas and brackets, and there are at most HOSTLIST_MAX of them; so a
 * short text like "n[0-999999][0-999999]" ends in an error and not in all memory. */
#include "hostlist.h"
#include "memory.h"
#include "str.h"
#include <stdint.h>

enum { MAX_DIGITS = 18, SHORT_DIGITS = 9 };

struct parser {
    const char *text;
    struct hostlist *list;
    size_t room;
    char name[HOSTLIST_NAME + 1]; /* the one that grows */
    struct gm_error *err;
};

/* One element of an idlist: "7", "08-11". */
struct ids {
    uint64_t lo, hi;
    int width;
};

void hostlist_free(struct hostlist *h)
{
    if (h == NULL)
        return;
    for (size_t i = 0; i < h->n; i++)
        free(h->names[i]);
    free(h->names);
    free(h);
}

static int bad(const struct parser *s, const char *at, const char *what)
{
    return gm_fail(s->err,
                   -EINVAL,
                   "'%.80s': %s at character %zu",
                   s->text,
                   what,
                   (size_t)(at - s->text) + 1);
}

static int add_name(struct parser *s)
{
    struct hostlist *h = s->list;
    if (h->n == HOSTLIST_MAX)
        return gm_fail(
            s->err, -EINVAL, "'%.80s': more than %u names", s->text, HOSTLIST_MAX);
    if (h->n == s->room) {
        s->room = s->room < 16 ? 16 : 2 * s->room;
        h->names = xrealloc(h->names, s->room, sizeof(*h->names));
    }
    h->names[h->n++] = xstrdup(s->name);
    return 0;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static int
read_number(const struct parser *s, const char **at, uint64_t *ret, int *ret_digits)
{
    const char *p = *at;
    *ret = 0;
    for (; is_digit(*p); p++) {
        if (p - *at == MAX_DIGITS)
            return bad(s, *at, "a number of more than 18 digits");
        *ret = *ret * 10 + (uint64_t)(*p - '0');
    }
    if (p == *at)
        return bad(s, p, "a number must stand");
    *ret_digits = (int)(p - *at);
    *at = p;
    return 0;
}

static int read_ids(const struct parser *s, const char **at, struct ids *ret)
{
    const char *from = *at;
    int digits = 0, ignored = 0;
    int rc = read_number(s, at, &ret->lo, &digits);
    ret->hi = ret->lo;
    ret->width = *from == '0' ? digits : 1;
    if (rc == 0 && **at == '-') {
        (*at)++;
        rc = read_number(s, at, &ret->hi, &ignored);
    }
    if (rc == 0 && ret->hi < ret->lo)
        rc = bad(s, from, "a range that descends");
    if (rc == 0 && **at != ',' && **at != ']')
        rc = bad(s, *at, "a , or ] must stand");
    return rc;
}

static bool ends_entry(char c)
{
    return c == '\0' || c == ',' || c == ' ' || c == '\t';
}

static int expand(struct parser *s, const char *p, size_t len);

/* `after` follows the idlist: each id gets a name of its own, or several. */
static int
expand_ids(struct parser *s, const struct ids *ids, const char *after, size_t len)
{
    for (uint64_t id = ids->lo; id <= ids->hi; id++) {
        size_t room = sizeof(s->name) - len;
        int n =
            snprintf(s->name + len, room, "%0*llu", ids->width, (unsigned long long)id);
        if (n < 0 || (size_t)n >= room)
            return bad(s, after, "a name of more than 255 characters");
        int rc = expand(s, after, len + (size_t)n);
        if (rc != 0)
            return rc;
    }
    return 0;
}

/* p follows the "[". Leading zeros of the first id are kept in all. */
static int expand_idlist(struct parser *s, const char *p, size_t len)
{
    const char *end = strchr(p, ']');
    if (end == NULL)
        return bad(s, p - 1, "no ] closes the [");
    int width = 1;
    for (const char *at = p; at <= end; at++) {
        struct ids ids = {0};
        bool first = at == p;
        int rc = read_ids(s, &at, &ids);
        if (first)
            width = ids.width;
        else if (ids.width < width)
            ids.width = width;
        if (rc == 0)
            rc = expand_ids(s, &ids, end + 1, len);
        if (rc != 0)
            return rc;
    }
    return 0;
}

/* The rest of an entry, behind the `len` characters of a name that are there. Recursion
 * is bounded as each level makes the name longer. */
static int expand(struct parser *s, const char *p, size_t len)
{
    for (; !ends_entry(*p); p++) {
        if (*p == '[')
            return expand_idlist(s, p + 1, len);
        if (*p == ']')
            return bad(s, p, "no [ belongs to the ]");
        if (*p < '!' || *p > '~')
            return bad(s, p, "no printable ASCII");
        if (len == HOSTLIST_NAME)
            return bad(s, p, "a name of more than 255 characters");
        s->name[len++] = *p;
    }
    s->name[len] = '\0';
    return add_name(s);
}

static const char *skip_blanks(const char *p)
{
    return p + strspn(p, " \t");
}

/* Brackets of an entry that expand took are closed, and hold no blanks. */
static const char *entry_end(const char *p)
{
    for (; !ends_entry(*p); p++) {
        if (*p == '[')
            p = strchr(p, ']');
    }
    return p;
}

int hostlist_parse(const char *text, struct hostlist **ret, struct gm_error *err)
{
    AUTO(hostlist) list = xcalloc(1, sizeof(*list));
    struct parser s = {.text = text, .list = list, .err = err};
    for (const char *p = skip_blanks(text); *p != '\0'; p = skip_blanks(p)) {
        if (*p == ',') { /* an empty entry is an empty list */
            p++;
            continue;
        }
        int rc = expand(&s, p, 0);
        if (rc != 0)
            return rc;
        p = skip_blanks(entry_end(p));
        if (*p != ',' && *p != '\0')
            return bad(&s, p, "a comma must stand");
    }
    *ret = steal(&list);
    return 0;
}

/* A name cut at its last number: the prefix, and up to SHORT_DIGITS digits. */
struct cut {
    const char *name;
    size_t prefix;
    uint64_t id;
    int digits; /* 0: no number */
};

static struct cut cut_name(const char *name)
{
    size_t len = strlen(name), at = len;
    while (at > 0 && len - at < SHORT_DIGITS && is_digit(name[at - 1]))
        at--;
    struct cut c = {.name = name, .prefix = at, .digits = (int)(len - at)};
    for (; at < len; at++)
        c.id = c.id * 10 + (uint64_t)(name[at] - '0');
    return c;
}

static bool same_prefix(const struct cut *a, const struct cut *b)
{
    return a->digits > 0 && b->digits > 0 && a->prefix == b->prefix &&
           memcmp(a->name, b->name, a->prefix) == 0;
}

/* The width that a number asks for by leading zeros. */
static int zero_width(const struct cut *c)
{
    return c->name[c->prefix] == '0' ? c->digits : 1;
}

static int decimal_digits(uint64_t id)
{
    return snprintf(NULL, 0, "%llu", (unsigned long long)id);
}

/* The names from i whose numbers ascend by one, printed with the first one's width; how
 * many. */
static size_t run_length(const struct hostlist *h, size_t i, int width)
{
    struct cut first = cut_name(h->names[i]);
    if (width < zero_width(&first))
        width = zero_width(&first);
    size_t n = 1;
    for (; i + n < h->n; n++) {
        struct cut c = cut_name(h->names[i + n]);
        int digits = decimal_digits(c.id);
        if (!same_prefix(&first, &c) || c.id != first.id + n ||
            c.digits != (digits < width ? width : digits))
            break;
    }
    return n;
}

/* The entry that begins with name i; how many names it holds. A number goes into the
 * bracket when the first one's width leaves it as it is. */
static size_t format_entry(const struct hostlist *h, size_t i, struct str *out)
{
    struct cut first = cut_name(h->names[i]), next = first;
    int width = zero_width(&first);
    if (i + 1 < h->n)
        next = cut_name(h->names[i + 1]);
    if (i + 1 == h->n || !same_prefix(&first, &next) || next.digits < width) {
        str_add(out, h->names[i]);
        return 1;
    }
    size_t n = 0;
    str_add_n(out, first.name, first.prefix);
    for (; i + n < h->n; n += run_length(h, i + n, width)) {
        next = cut_name(h->names[i + n]);
        if (!same_prefix(&first, &next) || next.digits < width)
            break;
        size_t run = run_length(h, i + n, width);
        str_printf(out, n == 0 ? "[%s" : ",%s", next.name + next.prefix);
        if (run > 1)
            str_printf(out, "-%s", h->names[i + n + run - 1] + next.prefix);
    }
    str_add(out, "]");
    return n;
}

char *hostlist_format(const struct hostlist *h)
{
    struct str out = {0};
    for (size_t i = 0; i < h->n;) {
        if (i > 0)
            str_add(&out, ",");
        i += format_entry(h, i, &out);
    }
    return str_steal(&out);
}

bool hostlist_has(const struct hostlist *h, const char *name)
{
    for (size_t i = 0; i < h->n; i++) {
        if (strcmp(h->names[i], name) == 0)
            return true;
    }
    return false;
}
