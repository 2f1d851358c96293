/* See varying.h. Invariant: each value is printed here by the functions that tasks.c
 * prints it by; a rule only says which value it is. */
#include "spec/varying.h"
#include "spec/tasks.h"
#include "task.h"
#include "value.h"
#include <stdlib.h>

struct making {
    const struct jobspec_stage *s;
    struct arena *a;
    struct varying_piece *pieces;
    unsigned n, room;
    const struct gm_param_spec *p; /* the parameter that is being made */
};

static void add(struct making *m, const struct varying_piece *piece)
{
    if (m->n == m->room) {
        unsigned room = m->room == 0 ? 16 : 2 * m->room;
        struct varying_piece *pieces = arena_alloc(m->a, room, sizeof(*pieces));
        if (m->n > 0)
            memcpy(pieces, m->pieces, m->n * sizeof(*pieces));
        m->pieces = pieces;
        m->room = room;
    }
    m->pieces[m->n++] = *piece;
}

static void add_text(struct making *m, const char *text)
{
    const char **texts = arena_alloc(m->a, 1, sizeof(*texts));
    texts[0] = arena_strdup(m->a, text);
    struct varying_piece piece = {
        .kind = VARYING_TEXT, .divisor = 1, .modulus = 1, .texts = texts};
    add(m, &piece);
}

/* A text within a JSON string: escaped, without its quotes. */
static const char *escaped(struct arena *a, const char *text)
{
    AUTO_JSON j = {0};
    json_string(&j, text);
    return arena_copy(a, j.out.text + 1, j.out.len - 2);
}

/* How tasks_place finds the axis's index, or the shard's. */
static struct varying_piece place_axis(const struct jobspec_stage *s, unsigned axis)
{
    struct varying_piece at = {.divisor = 1, .modulus = s->axes[axis].n};
    for (unsigned i = axis + 1; i < s->n_axes; i++)
        at.divisor *= s->axes[i].n;
    if (s->shards_of != NULL)
        at.divisor *= s->n_shards;
    return at;
}

static struct varying_piece place_shard(const struct jobspec_stage *s)
{
    return (struct varying_piece){.divisor = 1, .modulus = s->n_shards};
}

/* An axis's value: whole, as the parameter's type, or inside a text. */
static int add_axis(struct making *m, unsigned axis, bool inside, struct gm_error *err)
{
    const struct jobspec_axis *x = &m->s->axes[axis];
    struct varying_piece piece = place_axis(m->s, axis);
    if (x->is_range) {
        piece.kind =
            !inside && m->p->type == GM_PARAM_FLOAT ? VARYING_REAL : VARYING_INTEGER;
        piece.first = x->first;
        piece.step = x->step;
        add(m, &piece);
        return 0;
    }
    const char **texts = arena_alloc(m->a, x->n, sizeof(*texts));
    for (uint64_t i = 0; i < x->n; i++) {
        struct gm_value v = tasks_axis_value(x, i);
        if (inside) {
            AUTO_STR text = {0};
            value_text(&v, &text);
            texts[i] = escaped(m->a, str_text(&text));
            continue;
        }
        AUTO_JSON j = {0};
        int rc = value_convert(m->p, &v, &v, err);
        if (rc != 0)
            return rc;
        value_json(&j, &v);
        texts[i] = arena_strdup(m->a, str_text(&j.out));
    }
    piece.kind = VARYING_CHOICE;
    piece.texts = texts;
    add(m, &piece);
    return 0;
}

/* The index of the task, or a number of its shard. */
static void add_number(struct making *m, enum jobspec_ref_kind kind, bool inside)
{
    struct varying_piece piece = place_shard(m->s);
    bool real = !inside && m->p->type == GM_PARAM_FLOAT;
    piece.kind = real ? VARYING_REAL : VARYING_INTEGER;
    piece.step = 1;
    if (kind == JOBSPEC_REF_TASK_INDEX)
        piece.modulus = m->s->n_tasks;
    else if (kind == JOBSPEC_REF_SHARD_FIRST)
        piece.step = (int64_t)m->s->shard_rows;
    add(m, &piece);
}

static void add_shard_count(struct making *m)
{
    struct varying_piece piece = place_shard(m->s);
    piece.kind = VARYING_REST;
    piece.first = (int64_t)m->s->shards_of->rows;
    piece.step = (int64_t)m->s->shard_rows;
    add(m, &piece);
}

static int add_ref(struct making *m,
                   const struct jobspec_ref *ref,
                   bool inside,
                   struct gm_error *err)
{
    const struct jobspec_source *of = m->s->shards_of;
    bool written = !inside && value_is_path(m->p->type);
    AUTO_JSON j = {0};
    switch (ref->kind) {
    case JOBSPEC_REF_AXIS:
        return add_axis(m, ref->axis, inside, err);
    case JOBSPEC_REF_SHARD_COUNT:
        if (!inside && m->p->type == GM_PARAM_FLOAT)
            return -ENOTSUP;
        add_shard_count(m);
        return 0;
    case JOBSPEC_REF_TASK_INDEX:
    case JOBSPEC_REF_SHARD_FIRST:
    case JOBSPEC_REF_SHARD_INDEX:
        add_number(m, ref->kind, inside);
        return 0;
    case JOBSPEC_REF_SHARD_PATH:
        if (of->files != NULL || m->s->n_shards_over > 0)
            return -ENOTSUP;
        json_string(&j, written ? of->written : of->path);
        add_text(m,
                 inside ? arena_copy(m->a, j.out.text + 1, j.out.len - 2)
                        : str_text(&j.out));
        return 0;
    default:
        return -ENOTSUP; /* another task's */
    }
}

/* Numbers with references among them. */
static int add_list(struct making *m, const struct jobspec_arg *arg, struct gm_error *err)
{
    struct gm_param_spec one = *m->p;
    const struct gm_param_spec *list = m->p;
    one.type = list->type == GM_PARAM_INT_LIST ? GM_PARAM_INT : GM_PARAM_FLOAT;
    m->p = &one;
    int rc = 0;
    for (unsigned i = 0; rc == 0 && i < arg->n_items; i++) {
        const struct jobspec_item *item = &arg->items[i];
        const struct jobspec_ref *ref = refs_whole(&item->from);
        AUTO_JSON j = {0};
        add_text(m, i == 0 ? "[" : ",");
        if (item->value.type != 0) {
            value_json(&j, &item->value);
            add_text(m, str_text(&j.out));
        } else {
            rc = ref != NULL ? add_ref(m, ref, false, err) : -ENOTSUP;
        }
    }
    add_text(m, "]");
    m->p = list;
    return rc;
}

/* Texts and references side by side, as one text. */
static int
add_template(struct making *m, const struct jobspec_template *from, struct gm_error *err)
{
    int rc = 0;
    add_text(m, "\"");
    for (unsigned i = 0; rc == 0 && i < from->n; i++) {
        if (from->pieces[i].ref == NULL)
            add_text(m, escaped(m->a, from->pieces[i].text));
        else
            rc = add_ref(m, from->pieces[i].ref, true, err);
    }
    add_text(m, "\"");
    return rc;
}

static int add_arg(struct making *m, unsigned param, struct gm_error *err)
{
    const struct jobspec_arg *arg = &m->s->args[param];
    const struct jobspec_ref *ref = refs_whole(&arg->from);
    m->p = &m->s->kernel->params[param];
    if (arg->n_items > 0)
        return add_list(m, arg, err);
    return ref != NULL ? add_ref(m, ref, false, err) : add_template(m, &arg->from, err);
}

/* An axis that no argument is made of, as it is. */
static void add_bare_axis(struct making *m, unsigned axis)
{
    const struct jobspec_axis *x = &m->s->axes[axis];
    struct varying_piece piece = place_axis(m->s, axis);
    if (x->is_range) {
        piece.kind = VARYING_INTEGER;
        piece.first = x->first;
        piece.step = x->step;
        add(m, &piece);
        return;
    }
    const char **texts = arena_alloc(m->a, x->n, sizeof(*texts));
    for (uint64_t i = 0; i < x->n; i++) {
        AUTO_JSON j = {0};
        struct gm_value v = tasks_axis_value(x, i);
        value_json(&j, &v);
        texts[i] = arena_strdup(m->a, str_text(&j.out));
    }
    piece.kind = VARYING_CHOICE;
    piece.texts = texts;
    add(m, &piece);
}

static void add_shard(struct making *m)
{
    add_text(m, "{\"first\":");
    struct varying_piece first = place_shard(m->s);
    first.kind = VARYING_INTEGER;
    first.step = (int64_t)m->s->shard_rows;
    add(m, &first);
    add_text(m, ",\"count\":");
    add_shard_count(m);
    add_text(m, "}");
}

struct named {
    const char *name;
    enum { OF_PARAM, OF_AXIS, OF_SHARD } of;
    unsigned index; /* of the parameter, of the axis */
};

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct named *)a)->name, ((const struct named *)b)->name);
}

/* What varies, by name. */
static unsigned
list_names(const struct jobspec_stage *s, struct arena *a, struct named **ret)
{
    unsigned n = 0;
    size_t most = (size_t)s->kernel->n_params + s->n_axes + 1;
    struct named *names = arena_alloc(a, most, sizeof(*names));
    for (unsigned i = 0; i < s->kernel->n_params; i++) {
        if (!s->args[i].fixed)
            names[n++] = (struct named){s->kernel->params[i].name, OF_PARAM, i};
    }
    for (unsigned i = 0; i < s->n_axes; i++) {
        if (!task_axis_told(s, i))
            names[n++] = (struct named){s->axes[i].name, OF_AXIS, i};
    }
    if (s->shards_of != NULL)
        names[n++] = (struct named){"shard", OF_SHARD, 0};
    qsort(names, n, sizeof(*names), by_name);
    *ret = names;
    return n;
}

int varying_make(const struct jobspec *spec,
                 unsigned stage,
                 struct arena *a,
                 struct varying *ret,
                 struct gm_error *err)
{
    struct making m = {.s = &spec->stages[stage], .a = a};
    struct named *names;
    if (m.s->kernel == NULL || m.s->n_shards_over > 0 || m.s->n_tasks == 0)
        return -ENOTSUP;
    unsigned n = list_names(m.s, a, &names);
    for (unsigned i = 0; i < n; i++) {
        if (i > 0 && strcmp(names[i].name, names[i - 1].name) == 0)
            return -ENOTSUP; /* a parameter that is called shard */
        AUTO_JSON key = {0};
        AUTO_STR text = {0};
        json_string(&key, names[i].name);
        str_printf(&text, "%s%s:", i == 0 ? "{" : ",", str_text(&key.out));
        add_text(&m, text.text);
        int rc = 0;
        if (names[i].of == OF_SHARD)
            add_shard(&m);
        else if (names[i].of == OF_AXIS)
            add_bare_axis(&m, names[i].index);
        else
            rc = add_arg(&m, names[i].index, err);
        if (rc != 0)
            return rc;
    }
    if (n > 0)
        add_text(&m, "}");
    if (m.n > VARYING_PIECES_MOST)
        return -ENOTSUP;
    *ret = (struct varying){.pieces = m.pieces, .n = m.n};
    return 0;
}

/* In decimal; a million tasks are printed at a pack. */
static void add_integer(struct str *out, int64_t value)
{
    char buf[24], *p = buf + sizeof(buf);
    uint64_t left = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    do {
        *--p = (char)('0' + left % 10);
        left /= 10;
    } while (left > 0);
    if (value < 0)
        *--p = '-';
    str_add_n(out, p, (size_t)(buf + sizeof(buf) - p));
}

void varying_text(const struct varying *v, uint64_t task, struct str *out)
{
    for (unsigned i = 0; i < v->n; i++) {
        const struct varying_piece *p = &v->pieces[i];
        uint64_t number = task / p->divisor % p->modulus;
        /* unsigned: what wraps around comes back, as in tasks_axis_value's range */
        int64_t moved = (int64_t)(number * (uint64_t)p->step);
        int64_t value = (int64_t)((uint64_t)p->first + (uint64_t)moved);
        int64_t left = (int64_t)((uint64_t)p->first - (uint64_t)moved);
        char buf[32];
        switch (p->kind) {
        case VARYING_TEXT:
        case VARYING_CHOICE:
            str_add(out, p->texts[p->kind == VARYING_CHOICE ? number : 0]);
            break;
        case VARYING_REAL:
            str_add(out, str_double((double)value, buf));
            break;
        default:
            value = p->kind == VARYING_INTEGER ? value : left < p->step ? left : p->step;
            add_integer(out, value);
            break;
        }
    }
}
