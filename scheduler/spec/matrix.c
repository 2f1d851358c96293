/* See load.h: the shape of a stage. Ranges are kept as first, step and count, so ten
 * million tasks cost what one does. Invariant: n_tasks is the product of the axes and the
 * shards, at most 2^63 - 1; after a fault it is 1 and the stage's bad_shape is set. */
#include "load.h"
#include "value.h"
#include <stdlib.h>

/* Decimal digits at *text without leading zeros, below 2^63; moves *text past them. */
static bool read_number(const char **text, int64_t *ret)
{
    size_t n = strspn(*text, "0123456789");
    if (n == 0 || n > 19 || (n > 1 && (*text)[0] == '0'))
        return false;
    errno = 0;
    long long v = strtoll(*text, NULL, 10);
    if (errno == ERANGE)
        return false;
    *ret = v;
    *text += n;
    return true;
}

static const char range_help[] =
    "must be a list, or a range of integers such as 1-8 or 0-10:2";

/* RFC 45's "min-max[:step[:+]]", with or without brackets. NULL, or what is wrong. */
static const char *parse_range(const char *text, struct jobspec_axis *ret)
{
    int64_t first, last, step = 1;
    bool bracket = *text == '[';
    text += bracket;
    if (!read_number(&text, &first))
        return range_help;
    if (*text == '+')
        return "a range needs an end: write 1-8, not 1+";
    if (*text++ != '-' || !read_number(&text, &last))
        return range_help;
    if (*text == ':') {
        text++;
        if (!read_number(&text, &step) || step == 0)
            return "the step of a range must be 1 or more";
    }
    if (text[0] == ':' && (text[1] == '*' || text[1] == '^'))
        return "a range with * or ^ is not supported by this version yet";
    if (text[0] == ':' && text[1] == '+')
        text += 2;
    if (bracket && *text == ']')
        text++;
    else if (bracket)
        return range_help;
    if (*text != '\0')
        return range_help;
    if (last < first)
        return "the range ends before it starts";
    ret->is_range = true;
    ret->first = first;
    ret->step = step;
    ret->n = (uint64_t)(last - first) / (uint64_t)step + 1;
    return NULL;
}

static bool read_list(struct load *l,
                      const struct fault_path *at,
                      const struct doc_node *node,
                      struct jobspec_axis *ret)
{
    struct gm_value *items = arena_alloc(l->arena, node->n, sizeof(*items));
    bool fine = node->n > 0;
    if (!fine)
        load_fault(l, at, node, "has no values");
    for (unsigned i = 0; i < node->n; i++) {
        struct fault_path here = {.up = at, .index = i};
        struct gm_error err = {0};
        if (value_scalar(&node->as.items[i], l->arena, &items[i], &err) != 0) {
            load_fault(l, &here, &node->as.items[i], "%s", err.text);
            fine = false;
        } else if (items[i].type == GM_PARAM_STRING &&
                   strstr(items[i].as.s, "${") != NULL) {
            load_fault(
                l,
                &here,
                &node->as.items[i],
                "a reference inside a matrix is not supported by this version yet");
            fine = false;
        }
    }
    ret->items = items;
    ret->n = node->n;
    return fine;
}

static bool read_axis(struct load *l,
                      const struct fault_path *at,
                      const struct doc_node *node,
                      struct jobspec_axis *ret)
{
    static const char *const taken[] = {"task", "shard", "results"};
    for (size_t i = 0; i < sizeof(taken) / sizeof(taken[0]); i++) {
        if (strcmp(node->key, taken[i]) == 0) {
            load_fault(l,
                       at,
                       node,
                       "'%s' is a word of references: name the axis otherwise",
                       node->key);
            return false;
        }
    }
    ret->name = arena_strdup(l->arena, node->key);
    if (!load_is_name(node->key, false)) {
        load_fault(l, at, node, "an axis is named by letters, digits, '-' and '_'");
        return false;
    }
    if (node->kind == DOC_LIST)
        return read_list(l, at, node, ret);
    const char *wrong =
        node->kind < DOC_LIST ? parse_range(node->as.text, ret) : range_help;
    if (wrong != NULL)
        load_fault(l, at, node, "%s", wrong);
    return wrong == NULL;
}

void matrix_read(struct load *l,
                 struct load_stage *h,
                 const struct fault_path *at,
                 const struct doc_node *node)
{
    if (node->kind != DOC_MAP) {
        load_fault(
            l, at, node, "must be a mapping of axes, not %s", doc_kind_name(node->kind));
        h->bad_shape = true;
        return;
    }
    unsigned n = node->n;
    if (n > LOAD_MAX_AXES) {
        load_fault(l, at, node, "has %u axes; at most %u", n, LOAD_MAX_AXES);
        h->bad_shape = true;
        n = LOAD_MAX_AXES;
    }
    struct jobspec_axis *axes = arena_alloc(l->arena, n, sizeof(*axes));
    for (unsigned i = 0; i < n; i++) {
        const struct doc_node *item = &node->as.items[i];
        struct fault_path here = {.up = at, .key = item->key};
        if (!read_axis(l, &here, item, &axes[i])) {
            axes[i].n = 0;
            h->bad_shape = true;
        }
    }
    h->s->axes = axes;
    h->s->n_axes = n;
}

/* `rows` or `lines`: one of them, 1 or more. The unit; 0: told. */
static uint32_t read_unit(struct load *l,
                          const struct fault_path *at,
                          const struct doc_node *node,
                          uint64_t *ret)
{
    const struct doc_node *rows = doc_get(node, "rows"), *lines = doc_get(node, "lines");
    if (doc_get(node, "files") != NULL || doc_get(node, "bytes") != NULL)
        return 0; /* told as keys of a later version */
    if ((rows == NULL) == (lines == NULL)) {
        load_fault(l,
                   at,
                   node,
                   "needs %s",
                   rows == NULL ? "rows or lines: how many a task takes"
                                : "either rows or lines, not both");
        return 0;
    }
    const struct doc_node *size = rows != NULL ? rows : lines;
    struct fault_path here = {.up = at, .key = size->key};
    int64_t v;
    if (!load_int(l, &here, size, 1, INT64_MAX, &v))
        return 0;
    *ret = (uint64_t)v;
    return rows != NULL ? GM_ROWS : GM_LINES;
}

void matrix_shards(struct load *l,
                   struct load_stage *h,
                   const struct fault_path *at,
                   const struct doc_node *node)
{
    static const struct load_key keys[] = {{"of", false},
                                           {"rows", false},
                                           {"lines", false},
                                           {"files", true},
                                           {"bytes", true}};
    const char *written = NULL;
    bool before = h->bad_shape;
    h->bad_shape = true; /* until all of it is fine */
    if (!load_check_keys(l, at, node, keys, sizeof(keys) / sizeof(keys[0])))
        return;
    const struct doc_node *of = doc_get(node, "of");
    struct fault_path here = {.up = at, .key = "of"};
    uint64_t size = 0;
    uint32_t unit = read_unit(l, at, node, &size);
    if (of == NULL) {
        load_fault(l, at, node, "needs of: the data set to cut");
        return;
    }
    if (!load_text(l, &here, of, &written))
        return;
    if (strstr(written, "${") != NULL) {
        load_fault(l, &here, of, "a reference here is not supported by this version yet");
        return;
    }
    if (unit == 0)
        return;
    const struct jobspec_source *source = sources_add(l, &here, of, written, unit);
    if (source == NULL)
        return;
    bool looked = l->opt->look != NULL || source->rows > 0;
    if (looked && source->rows == 0) {
        load_fault(
            l, &here, of, "%s has no %s", written, unit == GM_ROWS ? "rows" : "lines");
        return;
    }
    struct jobspec_source *kept = arena_alloc(l->arena, 1, sizeof(*kept));
    *kept = *source;
    h->s->shards_of = kept;
    h->s->shard_rows = size;
    h->s->n_shards = source->rows / size + (source->rows % size != 0);
    h->bad_shape = before;
}

void matrix_count(struct load *l, struct load_stage *h)
{
    struct jobspec_stage *s = h->s;
    uint64_t n = 1;
    bool over = false;
    for (unsigned i = 0; i < s->n_axes && !h->bad_shape; i++)
        over = over || __builtin_mul_overflow(n, s->axes[i].n, &n) || n > INT64_MAX;
    if (s->shards_of != NULL && !h->bad_shape)
        over = over || __builtin_mul_overflow(n, s->n_shards, &n) || n > INT64_MAX;
    if (over) {
        load_fault(l, h->at, h->map, "the stage has more than 2^63 - 1 tasks");
        h->bad_shape = true;
    }
    s->n_tasks = h->bad_shape ? 1 : n;
}

bool matrix_same_shape(const struct jobspec_stage *a, const struct jobspec_stage *b)
{
    if (a->n_axes != b->n_axes || a->n_shards != b->n_shards ||
        (a->shards_of == NULL) != (b->shards_of == NULL))
        return false;
    for (unsigned i = 0; i < a->n_axes; i++) {
        if (a->axes[i].n != b->axes[i].n)
            return false;
    }
    return true;
}
