/* See load.h: a kernel's arguments against its table. An argument is fixed (one value for
 * all tasks) or a text with references; what the references can become is checked here
 * for every value of an axis, so that a task fails on what it computes and not on what
 * was asked. */
#include "load.h"
#include "spec/tasks.h"
#include "value.h"

enum { MOST_PATHS = 10000 }; /* files that one argument may name over its axes */

struct arg_at {
    struct load *l;
    struct load_stage *h;
    const struct fault_path *at;
    const struct doc_node *node;
    const struct gm_param_spec *p;
};

/* Keeps a fixed value; a path is made absolute and looked at. */
static bool keep(const struct arg_at *c, struct gm_value v, struct jobspec_arg *arg)
{
    arg->fixed = true;
    if (value_is_path(v.type)) {
        const struct jobspec_source *s = sources_add(c->l, c->at, c->node, v.as.s, 0);
        if (s == NULL)
            return false;
        arg->text = v.as.s;
        v.as.s = s->path;
        v.n = (uint32_t)strlen(s->path);
    }
    arg->value = v;
    return true;
}

/* "${lr}: value 3 of the axis must be 1 .. 10, not 11" */
static bool
check_axis_value(const struct arg_at *c, const struct jobspec_axis *axis, uint64_t i)
{
    struct gm_value in = tasks_axis_value(axis, i), out;
    struct gm_error err = {0};
    if (value_convert(c->p, &in, &out, &err) == 0)
        return true;
    load_fault(c->l,
               c->at,
               c->node,
               "value %llu of the axis '%s' %s",
               (unsigned long long)i,
               axis->name,
               err.text);
    return false;
}

static bool check_axis(const struct arg_at *c, const struct jobspec_axis *axis)
{
    bool fine = true;
    if (axis->is_range)
        return check_axis_value(c, axis, 0) &&
               (axis->n == 1 || check_axis_value(c, axis, axis->n - 1));
    for (uint64_t i = 0; i < axis->n; i++)
        fine = check_axis_value(c, axis, i) && fine;
    return fine;
}

static bool check_output(const struct arg_at *c, const struct jobspec_ref *ref)
{
    const struct jobspec_stage *s = &c->l->stages[ref->stage];
    const struct gm_output_spec *o = &s->kernel->outputs[ref->output];
    bool scalar = o->ndim == 0 && (o->flags & (GM_SERIES | GM_MODEL | GM_RAGGED)) == 0;
    bool model = (o->flags & GM_MODEL) != 0;
    bool whole = o->dtype == GM_U8 || o->dtype == GM_I32 || o->dtype == GM_I64;
    const char *want = NULL;
    switch (c->p->type) {
    case GM_PARAM_INT:
        want = scalar && whole ? NULL : "an integer for each task";
        break;
    case GM_PARAM_FLOAT:
        want = scalar ? NULL : "one number for each task";
        break;
    case GM_PARAM_TENSOR:
        want = !model ? NULL : "a tensor";
        break;
    case GM_PARAM_MODEL:
        want = model ? NULL : "a model";
        break;
    default:
        load_fault(c->l, c->at, c->node, "takes no reference to an output");
        return false;
    }
    if (want != NULL)
        load_fault(c->l,
                   c->at,
                   c->node,
                   "must be %s; the output '%s' of '%s' is %s%s%s",
                   want,
                   o->name,
                   s->name,
                   model ? "a model" : gm_dtype_name(o->dtype),
                   model || o->shape == NULL ? "" : o->shape,
                   (o->flags & GM_SERIES) != 0 ? " (a series)" : "");
    return want == NULL;
}

static bool check_whole(const struct arg_at *c, const struct jobspec_ref *ref)
{
    uint32_t type = c->p->type;
    switch (ref->kind) {
    case JOBSPEC_REF_AXIS:
        return check_axis(c, &c->h->s->axes[ref->axis]);
    case JOBSPEC_REF_OUTPUT:
    case JOBSPEC_REF_BEST:
        return check_output(c, ref);
    case JOBSPEC_REF_SHARD_PATH:
        if (type == GM_PARAM_PATH || type == GM_PARAM_DATA || type == GM_PARAM_STRING)
            return true;
        load_fault(c->l, c->at, c->node, "takes no path");
        return false;
    case JOBSPEC_REF_RESULTS:
        load_fault(c->l, c->at, c->node, "only a command can use ${results}");
        return false;
    default:
        if (type == GM_PARAM_INT || type == GM_PARAM_FLOAT)
            return true;
        load_fault(c->l, c->at, c->node, "takes no number, which ${%s} is", ref->text);
        return false;
    }
}

/* A text around references: what each of them can be. */
static bool check_text(const struct arg_at *c, const struct jobspec_template *t)
{
    bool path = value_is_path(c->p->type), fine = true;
    if (!path && c->p->type != GM_PARAM_STRING && c->p->type != GM_PARAM_CHOICE) {
        load_fault(c->l,
                   c->at,
                   c->node,
                   "takes no text: let the reference stand alone, as \"${name}\"");
        return false;
    }
    for (unsigned i = 0; i < t->n; i++) {
        const struct jobspec_ref *ref = t->pieces[i].ref;
        if (ref == NULL || ref->kind == JOBSPEC_REF_AXIS)
            continue;
        bool output = ref->kind == JOBSPEC_REF_OUTPUT || ref->kind == JOBSPEC_REF_BEST;
        const struct gm_output_spec *o =
            output ? &c->l->stages[ref->stage].kernel->outputs[ref->output] : NULL;
        const char *wrong = NULL;
        if (path)
            wrong = "a path can be made of axis values only";
        else if (ref->kind == JOBSPEC_REF_RESULTS)
            wrong = "only a command can use this";
        else if (output &&
                 (o->ndim > 0 || (o->flags & (GM_SERIES | GM_MODEL | GM_RAGGED)) != 0))
            wrong = "only a scalar can stand inside a text";
        if (wrong != NULL)
            load_fault(c->l, c->at, c->node, "${%s}: %s", ref->text, wrong);
        fine = fine && wrong == NULL;
    }
    return fine;
}

/* Counts up the used axes like an odometer; false after the last. */
static bool advance(const struct jobspec_stage *s, const bool *used, uint64_t *at)
{
    for (unsigned i = s->n_axes; i-- > 0;) {
        if (!used[i])
            continue;
        if (++at[i] < s->axes[i].n)
            return true;
        at[i] = 0;
    }
    return false;
}

/* The axes that a text uses, and how many texts they make; 0: too many (told). */
static uint64_t
count_texts(const struct arg_at *c, const struct jobspec_template *t, bool *used)
{
    uint64_t n = 1;
    for (unsigned i = 0; i < t->n; i++) {
        const struct jobspec_ref *ref = t->pieces[i].ref;
        if (ref == NULL || ref->kind != JOBSPEC_REF_AXIS || used[ref->axis])
            continue;
        used[ref->axis] = true;
        if (__builtin_mul_overflow(n, c->h->s->axes[ref->axis].n, &n) || n > MOST_PATHS) {
            load_fault(c->l,
                       c->at,
                       c->node,
                       "names more than %d files over its axes",
                       (int)MOST_PATHS);
            return 0;
        }
    }
    return n;
}

/* Looks at every file that the text names over its axes. */
static void look_at_all(const struct arg_at *c,
                        const struct jobspec_template *t,
                        struct jobspec_arg *arg)
{
    const struct jobspec_stage *s = c->h->s;
    bool used[LOAD_MAX_AXES] = {false};
    uint64_t at[LOAD_MAX_AXES] = {0}, n = count_texts(c, t, used);
    const char **paths = arena_alloc(c->l->arena, n, sizeof(*paths));
    if (n == 0)
        return;
    do {
        AUTO_STR path = {0};
        for (unsigned i = 0; i < t->n; i++) {
            const struct jobspec_ref *ref = t->pieces[i].ref;
            struct gm_value v = ref != NULL
                                    ? tasks_axis_value(&s->axes[ref->axis], at[ref->axis])
                                    : (struct gm_value){0};
            if (ref != NULL)
                value_text(&v, &path);
            else
                str_add(&path, t->pieces[i].text);
        }
        const struct jobspec_source *found =
            sources_add(c->l, c->at, c->node, str_text(&path), 0);
        if (found != NULL)
            paths[arg->n_paths++] = found->path;
    } while (advance(s, used, at));
    arg->paths = paths;
}

static void read_varying(const struct arg_at *c, struct jobspec_arg *arg)
{
    struct jobspec_template t;
    if (!refs_cut(c->l, c->h, c->at, c->node, &t))
        return;
    if (!refs_any(&t)) { /* $${ alone */
        struct gm_value v = {.type = GM_PARAM_STRING, .as.s = t.pieces[0].text}, out;
        struct gm_error err = {0};
        v.n = (uint32_t)strlen(v.as.s);
        if (value_convert(c->p, &v, &out, &err) != 0)
            load_fault(c->l, c->at, c->node, "%s", err.text);
        else
            (void)keep(c, out, arg);
        return;
    }
    const struct jobspec_ref *whole = refs_whole(&t);
    arg->from = t;
    if (whole != NULL ? !check_whole(c, whole) : !check_text(c, &t))
        return;
    bool of_shard = whole != NULL && whole->kind == JOBSPEC_REF_SHARD_PATH;
    bool of_stage = whole != NULL && (whole->kind == JOBSPEC_REF_OUTPUT ||
                                      whole->kind == JOBSPEC_REF_BEST);
    if (value_is_path(c->p->type) && !of_shard && !of_stage)
        look_at_all(c, &t, arg);
}

static void read_arg(const struct arg_at *c, struct jobspec_arg *arg)
{
    struct gm_value v;
    struct gm_error err = {0};
    arg->given = true;
    if (c->node->kind == DOC_STRING && strstr(c->node->as.text, "${") != NULL) {
        read_varying(c, arg);
        return;
    }
    if (value_read(c->p, c->node, c->l->arena, &v, &err) != 0)
        load_fault(c->l, c->at, c->node, "%s", err.text);
    else
        (void)keep(c, v, arg);
}

static void read_preset(const struct arg_at *c, struct jobspec_arg *arg)
{
    struct gm_value v;
    struct gm_error err = {0};
    if (value_preset(c->p, c->l->arena, &v, &err) == 0)
        (void)keep(c, v, arg);
    else
        load_fault(c->l,
                   c->at,
                   c->node,
                   "the kernel's own default '%.80s' is wrong: %s",
                   c->p->preset,
                   err.text);
}

static bool find_param(const struct gm_kernel *k, const char *name, unsigned *ret)
{
    for (unsigned i = 0; i < k->n_params; i++) {
        if (strcmp(k->params[i].name, name) == 0) {
            *ret = i;
            return true;
        }
    }
    return false;
}

static void unknown(const struct arg_at *c, const struct gm_kernel *k)
{
    const char *names[64];
    size_t n = 0;
    char hint[128];
    for (unsigned i = 0; i < k->n_params && n < sizeof(names) / sizeof(names[0]); i++)
        names[n++] = k->params[i].name;
    struct doc_node key = {.line = c->node->key_line, .col = c->node->key_col};
    load_fault(c->l,
               c->at->up,
               &key,
               "the kernel '%s' has no argument '%.80s'%s",
               k->name,
               c->node->key,
               load_hint(c->node->key, names, n, hint));
}

void args_read(struct load *l,
               struct load_stage *h,
               const struct fault_path *at,
               const struct doc_node *node)
{
    const struct gm_kernel *k = h->s->kernel;
    struct jobspec_arg *args = arena_alloc(l->arena, k->n_params, sizeof(*args));
    h->s->args = args;
    if (node != NULL && node->kind == DOC_NULL)
        node = NULL;
    if (node != NULL && node->kind != DOC_MAP) {
        load_fault(l,
                   at,
                   node,
                   "must be a mapping of arguments, not %s",
                   doc_kind_name(node->kind));
        return;
    }
    for (unsigned i = 0; node != NULL && i < node->n; i++) {
        const struct doc_node *item = &node->as.items[i];
        struct fault_path here = {.up = at, .key = item->key};
        struct arg_at c = {.l = l, .h = h, .at = &here, .node = item};
        unsigned p;
        if (!find_param(k, item->key, &p)) {
            unknown(&c, k);
            continue;
        }
        c.p = &k->params[p];
        read_arg(&c, &args[p]);
    }
    for (unsigned i = 0; i < k->n_params; i++) {
        const struct gm_param_spec *p = &k->params[i];
        struct fault_path here = {.up = at, .key = p->name};
        struct arg_at c = {
            .l = l, .h = h, .at = &here, .node = node != NULL ? node : h->map, .p = p};
        if (args[i].given)
            continue;
        args[i].fixed = true;
        if (p->preset != NULL)
            read_preset(&c, &args[i]);
        else if ((p->flags & GM_REQUIRED) != 0)
            load_fault(
                l, &here, c.node, "the kernel '%s' needs it: %s", k->name, p->help);
    }
}
