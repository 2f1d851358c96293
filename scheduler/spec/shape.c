/* See shape.h. Recursive descent, a function a rule of RFC 46's grammar; depth is bounded
 * by RESOURCE_MAX_DEPTH. Whether a slot may go without a label is known at the end alone.
 */
#include "shape.h"
#include "base/memory.h"
#include "base/strmap.h"
#include "shape_word.h"
#include <strings.h>

#define DEFAULT_LABEL "default"

#define TYPE_STOPS  "={}[]/;,:\"'"
#define KEY_STOPS   ":,{}\"'"
#define VALUE_STOPS ",{}[]\"'"

struct list {
    const struct resource *items;
    unsigned n;
};

static int parse_list(struct shape_reader *r, unsigned depth, struct list *ret);

static bool is_slot(const struct resource *v)
{
    return strcmp(v->type, "slot") == 0;
}

/* A range stands in the canonical form as RFC 46 shows it: as a mapping. */
static void as_mapping(struct count *c)
{
    if (c->kind == COUNT_SET && c->n_runs == 1)
        c->kind = COUNT_RANGE;
    c->mapping = c->kind == COUNT_RANGE;
    c->ended = c->mapping && !c->range.open;
    c->operated = c->mapping && (c->ended || c->range.op != '+' || c->range.operand != 1);
}

/* What follows the "=". */
static int parse_count(struct shape_reader *r, struct count *ret)
{
    const char *from = r->p;
    size_t len = *from == '[' ? strcspn(from, "]") : strspn(from, "0123456789,-+:*^");
    if (*from == '[') {
        if (from[len] == '\0')
            return shape_bad(r, from, "no ] closes the [");
        len++;
    }
    if (len == 0)
        return shape_bad(r, from, "a count must stand");
    struct gm_error why = {0};
    if (count_parse(r->arena, arena_copy(r->arena, from, len), ret, &why) != 0) {
        AUTO_STR what = {0};
        str_printf(&what, "a count that is wrong (%s)", why.text);
        return shape_bad(r, from, str_text(&what));
    }
    as_mapping(ret);
    r->p += len;
    return 0;
}

static int twice(const struct shape_reader *r, const char *at, const char *key)
{
    AUTO_STR what = {0};
    str_printf(&what, "a second %s", key);
    return shape_bad(r, at, str_text(&what));
}

static int set_exclusive(struct shape_reader *r,
                         const char *at,
                         enum resource_flag flag,
                         struct resource *v)
{
    if (v->exclusive != RESOURCE_UNSAID)
        return twice(r, at, "exclusive");
    v->exclusive = flag;
    return 0;
}

/* Where a key's text goes, or NULL. */
static const char **text_of(struct resource *v, const char *key)
{
    if (strcmp(key, "unit") == 0)
        return &v->unit;
    if (strcmp(key, "label") == 0)
        return &v->label;
    return strcmp(key, "id") == 0 ? &v->id : NULL;
}

static bool is_exclusive(const char *key, bool quoted)
{
    return strcmp(key, "exclusive") == 0 || (!quoted && strcmp(key, "x") == 0);
}

static int unknown_key(const struct shape_reader *r, const char *at, const char *key)
{
    bool outside = strcmp(key, "type") == 0 || strcmp(key, "count") == 0;
    AUTO_STR what = {0};
    if (outside)
        str_printf(&what, "%s belongs before the braces, as TYPE=COUNT,", key);
    else if (strcmp(key, "with") == 0)
        str_add(&what, "what is below follows a /, so no with");
    else
        str_printf(&what, "'%.40s' is not one of unit, label, id, x:", key);
    return shape_bad(r, at, str_text(&what));
}

static int add_label(struct shape_reader *r, const char *at, const char *label)
{
    size_t found;
    if (strmap_get(r->labels, label, &found))
        return shape_bad(r, at, "a label that is there already");
    strmap_put(r->labels, label, 0);
    return 0;
}

/* The VALUE behind "key:". JSON's lists, objects and numbers are values of no key. */
static int parse_value(struct shape_reader *r,
                       const char *at,
                       bool flag,
                       const char *key,
                       struct resource *v)
{
    const char *from = r->p, *word;
    bool quoted;
    if (*from == '{' || *from == '[')
        return shape_bad(
            r, from, flag ? "true or false must stand" : "a string must stand");
    int rc = shape_word(r, VALUE_STOPS, "a value", &word, &quoted);
    if (rc != 0)
        return rc;
    bool yes = strcasecmp(word, "true") == 0, no = strcasecmp(word, "false") == 0;
    if (flag && !quoted && (yes || no))
        return set_exclusive(r, at, yes ? RESOURCE_TRUE : RESOURCE_FALSE, v);
    if (flag)
        return shape_bad(r, from, "true or false must stand");
    if (!quoted && shape_is_literal(word))
        return shape_bad(r, from, "a string must stand (quote it)");
    const char **text = text_of(v, key);
    if (*text != NULL)
        return twice(r, at, key);
    *text = word;
    return text == &v->label ? add_label(r, from, word) : 0;
}

/* "key:VALUE", "+key", "-key", "key" */
static int parse_item(struct shape_reader *r, struct resource *v)
{
    const char *at = r->p, *key;
    bool quoted, sign = *at == '+' || *at == '-';
    r->p += sign;
    int rc = shape_word(r, KEY_STOPS, "a key", &key, &quoted);
    if (rc != 0)
        return rc;
    bool flag = is_exclusive(key, quoted);
    if (!flag && text_of(v, key) == NULL)
        return unknown_key(r, at + sign, key);
    shape_skip_blanks(r);
    if (*r->p == ':' && !sign) {
        r->p++;
        shape_skip_blanks(r);
        return parse_value(r, at, flag, key, v);
    }
    if (flag)
        return set_exclusive(r, at, *at == '-' ? RESOURCE_FALSE : RESOURCE_TRUE, v);
    AUTO_STR what = {0};
    str_printf(&what, "%s has a string, as %s:TEXT, and is no flag", key, key);
    return shape_bad(r, at, str_text(&what));
}

/* A slot's braces begin with its label's value. */
static int parse_label(struct shape_reader *r, struct resource *v)
{
    const char *from = r->p;
    bool quoted;
    if (*from == '+' || *from == '-')
        return shape_bad(r, from, "a slot's label must stand first");
    int rc = shape_word(r, KEY_STOPS, "a slot's label", &v->label, &quoted);
    if (rc != 0)
        return rc;
    shape_skip_blanks(r);
    if (*r->p == ':')
        return shape_bad(r, from, "a slot's label must stand first, without a key,");
    return add_label(r, from, v->label);
}

/* What follows the "{", and the "}". */
static int parse_braces(struct shape_reader *r, struct resource *v)
{
    const char *open = r->p - 1;
    shape_skip_blanks(r);
    bool more = is_slot(v) || *r->p != '}';
    for (bool first = true; more; first = false) {
        if (*r->p == '\0')
            break;
        int rc = first && is_slot(v) ? parse_label(r, v) : parse_item(r, v);
        if (rc != 0)
            return rc;
        shape_skip_blanks(r);
        more = *r->p == ',';
        r->p += more;
        shape_skip_blanks(r);
    }
    if (*r->p == '\0')
        return shape_bad(r, open, "no } closes the {");
    if (*r->p != '}')
        return shape_bad(r, r->p, "a , or } must stand");
    r->p++;
    return 0;
}

static void count_slot(struct shape_reader *r, const char *at, struct resource *v)
{
    r->slots++;
    if (v->label != NULL)
        return;
    v->label = DEFAULT_LABEL;
    if (r->nameless == NULL)
        r->nameless = at;
}

static int parse_vertex(struct shape_reader *r, unsigned depth, struct resource *v)
{
    bool quoted;
    *v = (struct resource){
        .count = count_fixed(1), .line = 1, .col = (unsigned)(r->p - r->text) + 1};
    const char *from = r->p;
    int rc = shape_word(r, TYPE_STOPS, "a resource type", &v->type, &quoted);
    shape_skip_blanks(r);
    if (rc == 0 && *r->p == '=') {
        r->p++;
        shape_skip_blanks(r);
        rc = parse_count(r, &v->count);
        shape_skip_blanks(r);
    }
    if (rc == 0 && *r->p == '{') {
        r->p++;
        rc = parse_braces(r, v);
        shape_skip_blanks(r);
    }
    if (rc == 0 && is_slot(v))
        count_slot(r, from, v);
    if (rc == 0 && *r->p == '/') {
        struct list below = {0};
        r->p++;
        shape_skip_blanks(r);
        rc = parse_list(r, depth + 1, &below);
        v->with = below.items;
        v->n_with = below.n;
    } else if (rc == 0 && is_slot(v) && strchr(";]", *r->p) != NULL) {
        rc = shape_bad(r, from, "a slot with nothing below it, as slot/core,");
    }
    return rc;
}

/* What follows the "[", and the "]". */
static int parse_vertices(struct shape_reader *r, unsigned depth, struct list *ret)
{
    AUTO_FREE(struct resource) items = NULL;
    unsigned n = 0, room = 0;
    const char *open = r->p - 1;
    for (bool more = true; more;) {
        if (n == room) {
            room = room == 0 ? 4 : 2 * room;
            items = xrealloc(items, room, sizeof(*items));
        }
        shape_skip_blanks(r);
        int rc = parse_vertex(r, depth, &items[n++]);
        if (rc != 0)
            return rc;
        shape_skip_blanks(r);
        more = *r->p == ';';
        r->p += more;
    }
    if (*r->p == '\0')
        return shape_bad(r, open, "no ] closes the [");
    if (*r->p != ']')
        return shape_bad(r, r->p, "a ; or ] must stand");
    r->p++;
    struct resource *kept = arena_alloc(r->arena, n, sizeof(*kept));
    memcpy(kept, items, n * sizeof(*kept));
    *ret = (struct list){kept, n};
    return 0;
}

static int parse_list(struct shape_reader *r, unsigned depth, struct list *ret)
{
    if (depth > RESOURCE_MAX_DEPTH)
        return shape_bad(r, r->p, "more than 31 levels");
    if (*r->p == '[') {
        r->p++;
        return parse_vertices(r, depth, ret);
    }
    struct resource *v = arena_alloc(r->arena, 1, sizeof(*v));
    *ret = (struct list){v, 1};
    return parse_vertex(r, depth, v);
}

static int check_text(const struct shape_reader *r)
{
    size_t left = strlen(r->text);
    for (const char *p = r->text; left > 0;) {
        size_t n = str_utf8_length((const unsigned char *)p, left);
        if (n == 0)
            return shape_bad(r, p, "no UTF-8");
        p += n;
        left -= n;
    }
    return 0;
}

int shape_parse(struct arena *a,
                const char *text,
                const struct resource **ret,
                unsigned *ret_n,
                struct gm_error *err)
{
    AUTO(strmap) labels = strmap_make();
    struct shape_reader r = {
        .arena = a, .text = text, .p = text, .err = err, .labels = labels};
    struct list list = {0};
    int rc = check_text(&r);
    shape_skip_blanks(&r);
    if (rc == 0)
        rc = parse_list(&r, 1, &list);
    shape_skip_blanks(&r);
    if (rc == 0 && *r.p != '\0')
        rc = shape_bad(&r, r.p, "nothing may follow");
    if (rc == 0 && r.nameless != NULL && r.slots > 1)
        rc = shape_bad(
            &r, r.nameless, "one of several slots has no label, as slot{NAME},");
    if (rc == 0 && r.nameless != NULL)
        rc = add_label(&r, r.nameless, DEFAULT_LABEL);
    if (rc != 0)
        return rc;
    *ret = list.items;
    *ret_n = list.n;
    return 0;
}

static unsigned count_slots(const struct resource *list, unsigned n)
{
    unsigned slots = 0;
    for (unsigned i = 0; i < n; i++)
        slots += is_slot(&list[i]) + count_slots(list[i].with, list[i].n_with);
    return slots;
}

static void format_key(struct str *out, const char *key, const char *text)
{
    if (text == NULL)
        return;
    str_printf(out, out->len > 0 ? ",%s:" : "%s:", key);
    shape_put_word(out, text);
}

static void format_braces(const struct resource *v, bool only_slot, struct str *out)
{
    AUTO_STR in = {0};
    format_key(&in, "unit", v->unit);
    format_key(&in, "id", v->id);
    if (v->exclusive != RESOURCE_UNSAID)
        str_printf(&in,
                   "%s%s",
                   in.len > 0 ? "," : "",
                   v->exclusive == RESOURCE_TRUE ? "x" : "-x");
    bool named =
        is_slot(v) && (!only_slot || in.len > 0 || strcmp(v->label, DEFAULT_LABEL) != 0);
    if (!is_slot(v))
        format_key(&in, "label", v->label);
    if (in.len == 0 && !named)
        return;
    str_add(out, "{");
    if (named) {
        shape_put_word(out, v->label);
        str_add(out, in.len > 0 ? "," : "");
    }
    str_add(out, str_text(&in));
    str_add(out, "}");
}

static void
format_list(const struct resource *list, unsigned n, bool only_slot, struct str *out)
{
    str_add(out, n > 1 ? "[" : "");
    for (unsigned i = 0; i < n; i++) {
        const struct resource *v = &list[i];
        str_add(out, i > 0 ? ";" : "");
        shape_put_word(out, v->type);
        AUTO_STR count = {0};
        count_format(&v->count, &count);
        if (strcmp(str_text(&count), "1") != 0)
            str_printf(out, "=%s", str_text(&count));
        format_braces(v, only_slot, out);
        if (v->n_with > 0) {
            str_add(out, "/");
            format_list(v->with, v->n_with, only_slot, out);
        }
    }
    str_add(out, n > 1 ? "]" : "");
}

void shape_format(const struct resource *list, unsigned n, struct str *out)
{
    format_list(list, n, count_slots(list, n) == 1, out);
}
