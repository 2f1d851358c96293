/* See doc.h: libyaml's events -> trees, without recursion.
 *
 * Open containers are frames on a stack; finished nodes wait in `done` until their
 * container ends and takes those from its `first` on. Invariant: done[first..] of the top
 * frame are exactly its children so far. */
#include "doc.h"
#include "base/memory.h"
#include "base/str.h"
#include "base/strmap.h"
#include "events.h"
#include "faults.h"
#include <assert.h>

struct frame {
    struct doc_node node;
    size_t first;        /* its first child in done */
    size_t anchor;       /* 1 + index in anchors; 0: none */
    bool as_key;         /* stands where a key should: parsed, told, dropped */
    bool have_key, drop; /* a map: the key was read; its value is to be dropped */
    bool key_plain;
    const char *key;
    unsigned key_line, key_col;
};

struct anchor {
    struct doc_node node;
    bool whole;
};

struct doc_stream {
    struct events events;
    struct jobspec_faults *faults;
    struct arena *arena; /* the document's */
    struct frame frames[DOC_MAX_DEPTH];
    unsigned depth;
    struct doc_node *done;
    size_t n_done, room_done;
    struct anchor *anchors;
    size_t n_anchors, room_anchors;
    struct strmap *anchor_index;
    unsigned aliased; /* nodes copied for aliases, in all documents */
    struct doc_node root;
};

static unsigned line_of(const yaml_event_t *e)
{
    return (unsigned)e->start_mark.line + 1;
}

static unsigned col_of(const yaml_event_t *e)
{
    return (unsigned)e->start_mark.column + 1;
}

/* "tasks[0].args.lr": the value that is being read, or a key of the innermost container.
 */
static void
path_of(const struct doc_stream *p, unsigned depth, const char *key, struct str *out)
{
    for (unsigned i = 0; i + 1 < depth; i++) {
        const struct frame *f = &p->frames[i];
        if (f->node.kind == DOC_LIST)
            str_printf(out, "[%zu]", p->frames[i + 1].first - f->first);
        else
            str_printf(
                out, "%s%.80s", out->len > 0 ? "." : "", f->have_key ? f->key : "?");
    }
    const struct frame *f = depth > 0 ? &p->frames[depth - 1] : NULL;
    if (key == NULL && f != NULL && f->node.kind == DOC_MAP && f->have_key)
        key = f->key;
    if (key != NULL)
        str_printf(out, "%s%.80s", out->len > 0 ? "." : "", key);
    else if (f != NULL && f->node.kind == DOC_LIST)
        str_printf(out, "[%zu]", p->n_done - f->first);
}

GM_PRINTF(5, 6)
static void fault(const struct doc_stream *p,
                  const char *key,
                  unsigned line,
                  unsigned col,
                  const char *fmt,
                  ...)
{
    AUTO_STR path = {0};
    path_of(p, p->depth, key, &path);
    va_list args;
    va_start(args, fmt);
    faults_vadd_at(p->faults, false, str_text(&path), line, col, fmt, args);
    va_end(args);
}

/* Removes the repeats of keys from a finished map's children, and tells them. */
static void drop_repeats(struct doc_stream *p, struct frame *f)
{
    size_t n = p->n_done - f->first, kept = 0;
    if (n == 0)
        return; /* done may be NULL */
    struct doc_node *items = p->done + f->first;
    AUTO(strmap) seen = n > 16 ? strmap_make_for(n) : NULL;
    for (size_t i = 0; i < n; i++) {
        size_t at = kept;
        if (seen != NULL)
            (void)strmap_add(seen, items[i].key, &at);
        for (size_t k = 0; seen == NULL && k < kept && at == kept; k++)
            at = strcmp(items[k].key, items[i].key) == 0 ? k : kept;
        if (at < kept) {
            fault(p,
                  items[i].key,
                  items[i].key_line,
                  items[i].key_col,
                  "the key stands twice; first in line %u",
                  items[at].key_line);
            continue;
        }
        items[kept++] = items[i];
    }
    p->n_done = f->first + kept;
}

static int stop(struct doc_stream *p, const yaml_event_t *e, const char *text)
{
    fault(p, NULL, line_of(e), col_of(e), "%s", text);
    return -EINVAL;
}

/* YAML takes no key of more than 1024 characters before its colon; counted is what it is
 * once quoted, so that the canonical form can be read again. */
static bool key_is_long(const char *text)
{
    size_t n = 0;
    for (const unsigned char *p = (const unsigned char *)text; *p != '\0'; p++)
        n += *p < ' ' ? 6 : *p == '"' || *p == '\\' ? 2 : 1;
    return n > DOC_MAX_KEY;
}

/* Hands a finished node to who waits for it: the map above (as key or value), the list,
 * or the document. */
static void deliver(struct doc_stream *p, struct doc_node node, bool as_key)
{
    if (p->depth == 0) {
        p->root = node;
        return;
    }
    struct frame *f = &p->frames[p->depth - 1];
    if (f->node.kind == DOC_MAP && (as_key || !f->have_key)) {
        bool scalar = node.kind < DOC_LIST;
        if (!scalar)
            fault(p,
                  NULL,
                  node.line,
                  node.col,
                  "a key must be a scalar, not %s",
                  doc_kind_name(node.kind));
        else if (key_is_long(node.as.text))
            fault(p,
                  "?",
                  node.line,
                  node.col,
                  "a key of more than %u characters",
                  DOC_MAX_KEY);
        f->have_key = true;
        f->drop = !scalar;
        f->key = scalar ? node.as.text : "?";
        f->key_plain = scalar && !node.quoted && !node.tagged;
        f->key_line = node.line;
        f->key_col = node.col;
        return;
    }
    if (f->node.kind == DOC_MAP) {
        f->have_key = false;
        if (f->drop)
            return;
        node.key = f->key;
        node.key_plain = f->key_plain;
        node.key_line = f->key_line;
        node.key_col = f->key_col;
    } else {
        node.key = NULL;
        node.key_plain = false;
    }
    if (p->n_done == p->room_done) {
        p->room_done = p->room_done == 0 ? 256 : xmul(p->room_done, 2);
        p->done = xrealloc(p->done, p->room_done, sizeof(*p->done));
    }
    p->done[p->n_done++] = node;
}

static size_t anchor_open(struct doc_stream *p, const yaml_char_t *name)
{
    if (name == NULL)
        return 0;
    if (p->n_anchors == p->room_anchors) {
        p->room_anchors = p->room_anchors == 0 ? 16 : xmul(p->room_anchors, 2);
        p->anchors = xrealloc(p->anchors, p->room_anchors, sizeof(*p->anchors));
    }
    p->anchors[p->n_anchors] = (struct anchor){.whole = false};
    const char *key = arena_strdup(p->arena, (const char *)name);
    strmap_put(p->anchor_index, key, p->n_anchors);
    return ++p->n_anchors;
}

static void anchor_close(struct doc_stream *p, size_t anchor, const struct doc_node *node)
{
    if (anchor > 0)
        p->anchors[anchor - 1] = (struct anchor){.node = *node, .whole = true};
}

/* Copies an anchored node (its texts are shared). Recursion is bounded by DOC_MAX_DEPTH.
 */
static const char *copy(struct doc_stream *p,
                        const struct doc_node *from,
                        unsigned depth,
                        struct doc_node *ret)
{
    if (depth > DOC_MAX_DEPTH)
        return "nested deeper than 64 levels";
    if (++p->aliased > DOC_MAX_ALIASED)
        return "the aliases of this file expand to more than 10000 nodes";
    *ret = *from;
    if (from->kind < DOC_LIST || from->n == 0)
        return NULL;
    if (from->n > DOC_MAX_ALIASED - p->aliased)
        return "the aliases of this file expand to more than 10000 nodes";
    ret->as.items = arena_alloc(p->arena, from->n, sizeof(*ret));
    for (unsigned i = 0; i < from->n; i++) {
        const char *wrong = copy(p, &from->as.items[i], depth + 1, &ret->as.items[i]);
        if (wrong != NULL)
            return wrong;
    }
    return NULL;
}

static int on_alias(struct doc_stream *p, const yaml_event_t *e)
{
    const char *name = (const char *)e->data.alias.anchor;
    size_t i;
    if (!strmap_get(p->anchor_index, name, &i)) {
        fault(p,
              NULL,
              line_of(e),
              col_of(e),
              "no anchor '&%.80s' stands before this",
              name);
        return -EINVAL;
    }
    assert(p->anchors != NULL && i < p->n_anchors);
    if (!p->anchors[i].whole)
        return stop(p, e, "an alias inside the very node that it names");
    struct doc_node node = {0};
    const char *wrong = copy(p, &p->anchors[i].node, p->depth + 1, &node);
    if (wrong != NULL)
        return stop(p, e, wrong);
    deliver(p, node, false);
    return 0;
}

#define CORE_TAG "tag:yaml.org,2002:"

/* The kind of a scalar with a tag; a tag that is unknown or does not fit is a fault. */
static enum doc_kind tagged(struct doc_stream *p, const yaml_event_t *e, const char *tag)
{
    static const struct {
        const char *tag;
        enum doc_kind kind;
    } tags[] = {{CORE_TAG "null", DOC_NULL},
                {CORE_TAG "bool", DOC_BOOL},
                {CORE_TAG "int", DOC_INT},
                {CORE_TAG "float", DOC_FLOAT}};
    if (strcmp(tag, "!") == 0 || strcmp(tag, CORE_TAG "str") == 0)
        return DOC_STRING;
    const char *text = (const char *)e->data.scalar.value;
    enum doc_kind is = doc_resolve(text, e->data.scalar.length);
    for (size_t i = 0; i < sizeof(tags) / sizeof(tags[0]); i++) {
        if (strcmp(tag, tags[i].tag) != 0)
            continue;
        if (is == tags[i].kind || (is == DOC_INT && tags[i].kind == DOC_FLOAT))
            return tags[i].kind;
        fault(p,
              NULL,
              line_of(e),
              col_of(e),
              "'%.80s' is not %s, as its tag says",
              text,
              doc_kind_name(tags[i].kind));
        return DOC_STRING;
    }
    fault(p,
          NULL,
          line_of(e),
          col_of(e),
          "the tag '%.80s' is not of YAML's core schema",
          tag);
    return DOC_STRING;
}

static void on_scalar(struct doc_stream *p, const yaml_event_t *e)
{
    const char *text = (const char *)e->data.scalar.value;
    size_t len = e->data.scalar.length;
    size_t anchor = anchor_open(p, e->data.scalar.anchor);
    struct doc_node node = {.line = line_of(e), .col = col_of(e), .n = (unsigned)len};
    node.quoted = e->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
    node.tagged = e->data.scalar.tag != NULL;
    if (memchr(text, '\0', len) != NULL)
        fault(p, NULL, node.line, node.col, "a text must not hold a NUL character");
    if (node.tagged)
        node.kind = tagged(p, e, (const char *)e->data.scalar.tag);
    else
        node.kind = node.quoted ? DOC_STRING : doc_resolve(text, len);
    node.as.text = arena_copy(p->arena, text, len);
    anchor_close(p, anchor, &node);
    deliver(p, node, false);
}

static int on_open(struct doc_stream *p, const yaml_event_t *e, enum doc_kind kind)
{
    bool list = kind == DOC_LIST;
    const yaml_char_t *tag =
        list ? e->data.sequence_start.tag : e->data.mapping_start.tag;
    const yaml_char_t *name =
        list ? e->data.sequence_start.anchor : e->data.mapping_start.anchor;
    const char *fits = list ? CORE_TAG "seq" : CORE_TAG "map";
    if (p->depth == DOC_MAX_DEPTH)
        return stop(p, e, "nested deeper than 64 levels");
    if (tag != NULL && strcmp((const char *)tag, fits) != 0 &&
        strcmp((const char *)tag, "!") != 0)
        fault(p,
              NULL,
              line_of(e),
              col_of(e),
              "the tag '%.80s' does not fit %s",
              (const char *)tag,
              doc_kind_name(kind));
    const struct frame *up = p->depth > 0 ? &p->frames[p->depth - 1] : NULL;
    bool as_key = up != NULL && up->node.kind == DOC_MAP && !up->have_key;
    size_t anchor = anchor_open(p, name);
    p->frames[p->depth++] = (struct frame){
        .node = {.kind = kind,
                 .line = line_of(e),
                 .col = col_of(e),
                 .tagged = tag != NULL,
                 .flow = list ? e->data.sequence_start.style == YAML_FLOW_SEQUENCE_STYLE
                              : e->data.mapping_start.style == YAML_FLOW_MAPPING_STYLE},
        .first = p->n_done,
        .anchor = anchor,
        .as_key = as_key,
    };
    return 0;
}

static void on_close(struct doc_stream *p)
{
    assert(p->depth > 0);
    struct frame *f = &p->frames[p->depth - 1];
    if (f->node.kind == DOC_MAP)
        drop_repeats(p, f);
    size_t n = p->n_done - f->first;
    struct doc_node node = f->node;
    node.n = (unsigned)n;
    node.as.items = arena_alloc(p->arena, n, sizeof(node));
    if (n > 0)
        memcpy(node.as.items, p->done + f->first, n * sizeof(node));
    p->n_done = f->first;
    p->depth--;
    anchor_close(p, f->anchor, &node);
    deliver(p, node, f->as_key);
}

static int on_event(struct doc_stream *p, const yaml_event_t *e)
{
    switch (e->type) {
    case YAML_ALIAS_EVENT:
        return on_alias(p, e);
    case YAML_SCALAR_EVENT:
        on_scalar(p, e);
        return 0;
    case YAML_SEQUENCE_START_EVENT:
        return on_open(p, e, DOC_LIST);
    case YAML_MAPPING_START_EVENT:
        return on_open(p, e, DOC_MAP);
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        on_close(p);
        return 0;
    default:
        return 0;
    }
}

struct doc_stream *doc_open(const char *text, size_t len, struct jobspec_faults *faults)
{
    struct doc_stream *s = xcalloc(1, sizeof(*s));
    s->faults = faults;
    events_open(&s->events, text, len, true, faults);
    return s;
}

void doc_close(struct doc_stream *s)
{
    if (s == NULL)
        return;
    events_close(&s->events);
    strmap_free(s->anchor_index);
    free(s->anchors);
    free(s->done);
    free(s);
}

/* Reads up to the end of the next document, which is built where `build` says so. */
static int read_document(struct doc_stream *s, bool build)
{
    yaml_event_t e;
    while (events_next(&s->events, &e) == 0) {
        yaml_event_type_t type = e.type;
        if (build)
            s->events.rc = on_event(s, &e);
        yaml_event_delete(&e);
        if (type == YAML_DOCUMENT_END_EVENT)
            return 1;
        if (type == YAML_STREAM_END_EVENT || type == YAML_NO_EVENT)
            return 0;
    }
    return s->events.rc;
}

int doc_next(struct doc_stream *s, struct arena *a, struct doc_node **ret)
{
    s->arena = a;
    s->n_anchors = 0; /* an anchor is its document's own */
    strmap_free(s->anchor_index);
    s->anchor_index = strmap_make();
    int rc = read_document(s, true);
    if (rc == 1) {
        *ret = arena_alloc(a, 1, sizeof(**ret));
        **ret = s->root;
    }
    return rc;
}

int doc_skip(struct doc_stream *s)
{
    return read_document(s, false);
}

/* The one document of a stream that is its last. */
static int only_document(struct doc_stream *s, struct arena *a, struct doc_node **ret)
{
    struct doc_node *root = NULL, *second = NULL;
    int rc = doc_next(s, a, &root);
    if (rc == 0)
        faults_add(s->faults, NULL, 0, 0, "the file is empty: it holds no document");
    if (rc <= 0)
        return rc == 0 ? -EINVAL : rc;
    rc = doc_next(s, a, &second);
    if (rc == 1)
        faults_add(s->faults,
                   NULL,
                   second->line,
                   second->col,
                   "a second document: choose one with --document N");
    if (rc != 0)
        return rc == 1 ? -EINVAL : rc;
    *ret = root;
    return 0;
}

int doc_parse(struct arena *a,
              const char *text,
              size_t len,
              struct jobspec_faults *faults,
              struct doc_node **ret)
{
    struct doc_stream *s = doc_open(text, len, faults);
    int rc = only_document(s, a, ret);
    doc_close(s);
    return rc;
}
