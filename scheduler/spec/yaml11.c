/* See doc.h: a tree as Flux's loader (PyYAML, YAML 1.1) would have it.
 *
 * Only plain scalars and `<<` differ between the versions. A scalar's text is rewritten
 * so that doc_int and doc_float give its value in 1.1 ("010" becomes "8"). What that
 * loader cannot hand on as JSON (a date, a lone `=`) is an error here: Flux refuses it
 * too. Invariant: a scalar is told about once, at its own place; its aliases are silent.
 */
#include "base/memory.h"
#include "base/strmap.h"
#include "doc.h"
#include "faults.h"
#include "scalar11.h"
#include <string.h>

struct retype {
    struct arena *arena;
    struct jobspec_faults *faults;
    unsigned line, col; /* the last scalar that was looked at: aliases stand before it */
};

static void refuse(const struct retype *r,
                   const struct fault_path *at,
                   const struct doc_node *n,
                   enum scalar11_refusal why)
{
    if (why == SCALAR11_DATE)
        faults_add(r->faults,
                   at,
                   n->line,
                   n->col,
                   "Flux's loader (YAML 1.1) reads '%.80s' as a date, which no jobspec "
                   "holds: put it in quotes",
                   n->as.text);
    else
        faults_add(r->faults,
                   at,
                   n->line,
                   n->col,
                   "Flux's loader (YAML 1.1) cannot read a plain '%.80s': put it in "
                   "quotes",
                   n->as.text);
}

static void warn(const struct retype *r,
                 const struct fault_path *at,
                 const struct doc_node *n,
                 enum doc_kind kind,
                 const char *text)
{
    AUTO(arena) a = arena_make();
    const char *now = scalar11_both(a, kind, text),
               *then = scalar11_both(a, n->kind, n->as.text);
    AUTO_STR cure = {0};
    if (kind != DOC_STRING && n->kind != DOC_STRING)
        str_printf(&cure, ", not %s: write %s or %s", then, now, then);
    else
        str_printf(
            &cure, ": write %s, or put it in quotes", kind == DOC_STRING ? then : now);
    faults_warn(r->faults,
                at,
                n->line,
                n->col,
                "Flux's loader (YAML 1.1) reads '%.80s' as %s%s",
                n->as.text,
                now,
                str_text(&cure));
}

/* True for what stands after all that was looked at: no copy by an alias. */
static bool is_new(struct retype *r, unsigned line, unsigned col)
{
    if (line < r->line || (line == r->line && col <= r->col))
        return false;
    r->line = line;
    r->col = col;
    return true;
}

static bool same_int(const struct doc_node *a, const struct doc_node *b)
{
    int64_t i, j;
    uint64_t u, v;
    if (a->kind != DOC_INT || b->kind != DOC_INT)
        return false;
    if (doc_int(a, &i) == 0 && doc_int(b, &j) == 0)
        return i == j;
    return doc_uint(a, &u) == 0 && doc_uint(b, &v) == 0 && u == v;
}

static void
retype_scalar(struct retype *r, const struct fault_path *at, struct doc_node *n)
{
    bool fresh = is_new(r, n->line, n->col);
    if (n->tagged ? n->kind != DOC_INT : n->quoted)
        return;
    enum scalar11_refusal refusal;
    enum doc_kind kind = scalar11_resolve(n->as.text, n->n, &refusal);
    const char *text = n->as.text;
    if (refusal != SCALAR11_FINE) {
        if (fresh)
            refuse(r, at, n, refusal);
        n->kind = DOC_STRING;
        return;
    }
    if (n->tagged && kind != DOC_INT)
        return;
    if (kind == n->kind && (kind != DOC_INT || !scalar11_is_octal(text)))
        return;
    text = scalar11_text(r->arena, kind, text, n->n);
    if (text == NULL) {
        faults_add(r->faults,
                   at,
                   n->line,
                   n->col,
                   "the integer '%.80s' is beyond 64 bits",
                   n->as.text);
        return;
    }
    struct doc_node now = {.kind = kind, .as.text = text};
    if (fresh && !same_int(n, &now))
        warn(r, at, n, kind, text);
    n->kind = kind;
    n->as.text = text;
    n->n = (unsigned)strlen(text);
}

/* `=` and `<<` are special as values only. */
static bool is_mark(const char *text)
{
    return strcmp(text, "=") == 0 || strcmp(text, "<<") == 0;
}

/* A key stays the text that it is; one that is none to the loader is told. */
static void
check_key(struct retype *r, const struct fault_path *at, const struct doc_node *item)
{
    if (!item->key_plain || !is_new(r, item->key_line, item->key_col))
        return;
    enum scalar11_refusal refusal;
    size_t len = strlen(item->key);
    enum doc_kind kind = scalar11_resolve(item->key, len, &refusal);
    struct doc_node key = {.kind = doc_resolve(item->key, len),
                           .line = item->key_line,
                           .col = item->key_col,
                           .as.text = item->key};
    if (refusal != SCALAR11_FINE && !is_mark(item->key))
        refuse(r, at, &key, refusal);
    else if (kind != DOC_STRING &&
             (kind != key.kind || (kind == DOC_INT && scalar11_is_octal(item->key))))
        faults_warn(
            r->faults,
            at,
            key.line,
            key.col,
            "Flux's loader (YAML 1.1) reads the key '%.80s' as %s: put it in quotes",
            item->key,
            doc_kind_name(kind));
}

/* A mapping under construction: a key that is there already gets the new value, at its
 * old place. */
struct merged {
    struct doc_node *items;
    unsigned n;
    struct strmap *index;
};

static void put_all(struct merged *m, const struct doc_node *map)
{
    for (unsigned i = 0; i < map->n; i++) {
        const struct doc_node *item = &map->as.items[i];
        size_t at = m->n;
        if (item->key_plain && strcmp(item->key, "<<") == 0)
            continue;
        m->n += strmap_add(m->index, item->key, &at);
        m->items[at] = *item;
    }
}

/* Puts what `<<` names (a mapping, or a list of them; the first of a list wins) before a
 * mapping's own keys, which win over it. */
static void
merge(struct retype *r, const struct fault_path *up, struct doc_node *map, unsigned at)
{
    const struct doc_node *value = &map->as.items[at];
    struct fault_path here = {.up = up, .key = "<<"};
    const struct doc_node *from = value->kind == DOC_LIST ? value->as.items : value;
    unsigned n = value->kind == DOC_LIST ? value->n : 1;
    size_t room = map->n;
    for (unsigned i = 0; i < n; i++) {
        if (from[i].kind != DOC_MAP) {
            faults_add(r->faults,
                       &here,
                       from[i].line,
                       from[i].col,
                       "`<<` merges a mapping or a list of mappings, not %s",
                       doc_kind_name(from[i].kind));
            return;
        }
        room += from[i].n;
    }
    struct merged m = {.items = arena_alloc(r->arena, room, sizeof(*m.items)),
                       .index = strmap_make()};
    for (unsigned i = n; i-- > 0;)
        put_all(&m, &from[i]);
    put_all(&m, map);
    strmap_free(m.index);
    map->as.items = m.items;
    map->n = m.n;
}

static void
retype_node(struct retype *r, const struct fault_path *at, struct doc_node *n);

static void
retype_map(struct retype *r, const struct fault_path *at, struct doc_node *map)
{
    unsigned merges = map->n;
    for (unsigned i = 0; i < map->n; i++) {
        struct doc_node *item = &map->as.items[i];
        struct fault_path here = {.up = at, .key = item->key};
        check_key(r, at, item);
        if (item->key_plain && strcmp(item->key, "<<") == 0) {
            merges = i;
            faults_warn(
                r->faults,
                &here,
                item->key_line,
                item->key_col,
                "Flux's loader (YAML 1.1) merges `<<` into this mapping, YAML 1.2 "
                "does not: write its keys out");
        }
        retype_node(r, &here, item);
    }
    if (merges < map->n)
        merge(r, at, map, merges);
}

/* Recursion is bounded by DOC_MAX_DEPTH. */
static void retype_node(struct retype *r, const struct fault_path *at, struct doc_node *n)
{
    if (n->kind == DOC_MAP) {
        retype_map(r, at, n);
        return;
    }
    if (n->kind != DOC_LIST) {
        retype_scalar(r, at, n);
        return;
    }
    for (unsigned i = 0; i < n->n; i++) {
        struct fault_path here = {.up = at, .index = i};
        retype_node(r, &here, &n->as.items[i]);
    }
}

void doc_retype_11(struct arena *a, struct doc_node *root, struct jobspec_faults *faults)
{
    struct retype r = {.arena = a, .faults = faults};
    if (!doc_is_json(root))
        retype_node(&r, NULL, root);
}

static bool is_json_value(const struct doc_node *n)
{
    if (n->tagged)
        return false;
    if (n->kind < DOC_LIST)
        return n->quoted || strcmp(n->as.text, "null") == 0 ||
               strcmp(n->as.text, "true") == 0 || strcmp(n->as.text, "false") == 0 ||
               scalar11_is_json_number(n->as.text);
    bool fine = n->flow;
    for (unsigned i = 0; i < n->n && fine; i++)
        fine = !n->as.items[i].key_plain && is_json_value(&n->as.items[i]);
    return fine;
}

bool doc_is_json(const struct doc_node *root)
{
    return root->kind >= DOC_LIST && is_json_value(root);
}
