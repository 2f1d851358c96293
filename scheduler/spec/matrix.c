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

/* v * step or v ^ step; false: beyond `last`. */
static bool next_value(int64_t *v, int64_t last, int64_t step, char op)
{
    int64_t next = *v;
    if (op == '*' && __builtin_mul_overflow(next, step, &next))
        return false;
    for (int64_t i = 1; op == '^' && i < step; i++) {
        if (__builtin_mul_overflow(next, *v, &next))
            return false; /* after 62 rounds at the latest: v is 2 or more */
    }
    *v = next;
    return next <= last;
}

/* A range that multiplies or raises has few values: a list. */
static const char *grow_range(int64_t first,
                              int64_t last,
                              int64_t step,
                              char op,
                              struct arena *a,
                              struct jobspec_axis *ret)
{
    if (step < 2)
        return "a range with * or ^ needs a step of 2 or more";
    if (first < (op == '*' ? 1 : 2))
        return op == '*' ? "a range with * must start at 1 or more"
                         : "a range with ^ must start at 2 or more";
    struct gm_value *items = arena_alloc(a, 64, sizeof(*items));
    int64_t v = first;
    ret->n = 0;
    do
        items[ret->n++] = (struct gm_value){.type = GM_PARAM_INT, .as.i = v};
    while (next_value(&v, last, step, op));
    ret->items = items;
    return NULL;
}

/* RFC 45's "min-max[:operand[:op]]", with or without brackets. NULL, or what is wrong. */
static const char *
parse_range(const char *text, struct arena *a, struct jobspec_axis *ret)
{
    int64_t first, last, step = 1;
    char op = '+';
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
    if (text[0] == ':' && text[1] != '\0' && strchr("+*^", text[1]) != NULL) {
        op = text[1];
        text += 2;
    }
    if (bracket && *text == ']')
        text++;
    else if (bracket)
        return range_help;
    if (*text != '\0')
        return range_help;
    if (last < first)
        return "the range ends before it starts";
    if (op != '+')
        return grow_range(first, last, step, op, a, ret);
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
                "a matrix holds plain values: tasks are counted before anything that a "
                "reference could mean is there");
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
        node->kind < DOC_LIST ? parse_range(node->as.text, l->arena, ret) : range_help;
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
