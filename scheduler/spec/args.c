/* See load.h: a kernel's arguments against its table. An argument is fixed (one value for
 * all tasks) or a text with references; what the references can become is checked here
 * for every value of an axis, so that a task fails on what it computes and not on what
 * was asked. */
#include "load.h"
#include "spec/tasks.h"
#include "value.h"

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

/* Every file that the text names over its axes. */
static void keep_paths(const struct arg_at *c,
                       const struct jobspec_template *t,
                       struct jobspec_arg *arg)
{
    unsigned n = 0;
    const struct jobspec_source *const *found =
        paths_look(c->l, c->h->s, c->at, c->node, t, 0, &n);
    const char **paths = arena_alloc(c->l->arena, n, sizeof(*paths));
    for (unsigned i = 0; i < n; i++)
        paths[i] = found[i]->path;
    arg->paths = paths;
    arg->n_paths = n;
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
        keep_paths(c, &t, arg);
}

static bool has_reference(const struct doc_node *node)
{
    return node->kind == DOC_STRING && strstr(node->as.text, "${") != NULL;
}

/* One item of a list: a number, or a reference to one. */
static void read_item(const struct arg_at *c, struct jobspec_item *item)
{
    struct gm_value v;
    struct gm_error err = {0};
    if (!has_reference(c->node)) {
        if (value_scalar(c->node, c->l->arena, &v, &err) != 0 ||
            value_convert(c->p, &v, &item->value, &err) != 0)
            load_fault(c->l, c->at, c->node, "%s", err.text);
        return;
    }
    if (!refs_cut(c->l, c->h, c->at, c->node, &item->from))
        return;
    const struct jobspec_ref *whole = refs_whole(&item->from);
    if (whole != NULL)
        (void)check_whole(c, whole);
    else
        (void)check_text(c, &item->from);
}

/* A list of numbers with references among them. */
static void read_items(const struct arg_at *c, struct jobspec_arg *arg)
{
    struct jobspec_item *items = arena_alloc(c->l->arena, c->node->n, sizeof(*items));
    struct gm_param_spec one = *c->p;
    one.type = c->p->type == GM_PARAM_INT_LIST ? GM_PARAM_INT : GM_PARAM_FLOAT;
    for (unsigned i = 0; i < c->node->n; i++) {
        struct fault_path here = {.up = c->at, .index = i};
        struct arg_at item = {
            .l = c->l, .h = c->h, .at = &here, .node = &c->node->as.items[i], .p = &one};
        read_item(&item, &items[i]);
    }
    arg->items = items;
    arg->n_items = c->node->n;
}

static bool is_varying_list(const struct arg_at *c)
{
    bool any = false;
    if (c->node->kind != DOC_LIST ||
        (c->p->type != GM_PARAM_INT_LIST && c->p->type != GM_PARAM_FLOAT_LIST))
        return false;
    for (unsigned i = 0; i < c->node->n; i++)
        any = any || has_reference(&c->node->as.items[i]);
    return any;
}

static void read_arg(const struct arg_at *c, struct jobspec_arg *arg)
{
    struct gm_value v;
    struct gm_error err = {0};
    arg->given = true;
    if (has_reference(c->node)) {
        read_varying(c, arg);
        return;
    }
    if (is_varying_list(c)) {
        read_items(c, arg);
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
