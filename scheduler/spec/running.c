/* See load.h: how a stage's tasks run: what one may use, how many at once, and how often
 * it may take its rank down. Invariant: every stage, of either form, begins with the
 * defaults of running_defaults. */
#include "load.h"
#include "units.h"

enum { MOST_CRASHES = 1000, MOST_PRIORITY = 1000000, MOST_WANTED = 1 << 20 };

void running_defaults(struct jobspec_stage *s)
{
    const uint64_t none = UINT64_MAX;
    s->group = 1;
    s->crash_limit = JOBSPEC_CRASH_LIMIT;
    s->most_output = JOBSPEC_MOST_OUTPUT;
    s->limits = (struct jobspec_limits){.memory = none,
                                        .file_size = none,
                                        .files = none,
                                        .processes = none,
                                        .core = 0,
                                        .cpu = -1};
}

void running_crash_limit(struct load *l,
                         struct load_stage *h,
                         const struct fault_path *at,
                         const struct doc_node *node)
{
    int64_t v;
    if (load_int(l, at, node, 1, MOST_CRASHES, &v))
        h->s->crash_limit = (unsigned)v;
}

/* The kernels whose tasks can be checkpointed: "mlp.train, sleep". */
static void add_savers(const struct load *l, struct str *out)
{
    for (unsigned i = 0; i < l->opt->n_kernels; i++) {
        if (gm_kernel_saves(l->opt->kernels[i]))
            str_printf(out, "%s%s", out->len > 0 ? ", " : "", l->opt->kernels[i]->name);
    }
}

void running_checkpoint(struct load *l,
                        struct load_stage *h,
                        const struct fault_path *at,
                        const struct doc_node *node)
{
    AUTO_STR savers = {0};
    double v;
    if (!load_duration(l, at, node, &v))
        return;
    add_savers(l, &savers);
    if (!gm_kernel_saves(h->s->kernel))
        load_fault(l,
                   at,
                   node,
                   "the kernel '%s' cannot be checkpointed; these can: %s",
                   h->s->kernel->name,
                   savers.len > 0 ? savers.text : "none");
    else
        h->s->checkpoint = v;
}

void running_priority(struct load *l,
                      struct load_stage *h,
                      const struct fault_path *at,
                      const struct doc_node *node)
{
    int64_t v;
    if (load_int(l, at, node, -MOST_PRIORITY, MOST_PRIORITY, &v))
        h->s->priority = (int32_t)v;
}

void running_max_in_flight(struct load *l,
                           struct load_stage *h,
                           const struct fault_path *at,
                           const struct doc_node *node)
{
    int64_t v;
    if (load_int(l, at, node, 1, INT64_MAX, &v))
        h->s->max_in_flight = (uint64_t)v;
}

void running_cores(struct load *l,
                   struct load_stage *h,
                   const struct fault_path *at,
                   const struct doc_node *node)
{
    int64_t v;
    if (load_int(l, at, node, 1, MOST_WANTED, &v))
        h->s->task_cores = (unsigned)v;
}

void running_gpus(struct load *l,
                  struct load_stage *h,
                  const struct fault_path *at,
                  const struct doc_node *node)
{
    int64_t v;
    if (load_int(l, at, node, 0, MOST_WANTED, &v))
        h->s->task_gpus = (unsigned)v;
}

/* commands alone */

/* The files that it names are looked at now: they are the job's input. False: told. */
static bool keep_input(struct load *l,
                       struct load_stage *h,
                       const struct fault_path *at,
                       const struct doc_node *node,
                       const struct jobspec_template *t)
{
    unsigned n = 0;
    const struct jobspec_source *const *found = paths_look(l, h->s, at, node, t, 0, &n);
    const char **paths = arena_alloc(l->arena, n, sizeof(*paths));
    for (unsigned i = 0; i < n; i++)
        paths[i] = found[i]->path;
    h->s->input_paths = paths;
    h->s->n_input_paths = n;
    return n > 0;
}

/* What a whole reference names is a file; NULL, or what is wrong with it. */
static const char *whole_input(const struct load *l, const struct jobspec_ref *ref)
{
    if (ref->kind == JOBSPEC_REF_SHARD_PATH || ref->kind == JOBSPEC_REF_RESULTS)
        return NULL;
    if (ref->kind != JOBSPEC_REF_OUTPUT && ref->kind != JOBSPEC_REF_BEST)
        return "is a number: name a file";
    const struct gm_output_spec *o = &l->stages[ref->stage].kernel->outputs[ref->output];
    bool number = o->ndim == 0 && (o->flags & (GM_SERIES | GM_MODEL | GM_RAGGED)) == 0;
    return number ? "is a number: name a file, or an output that is an array" : NULL;
}

void running_stdin(struct load *l,
                   struct load_stage *h,
                   const struct fault_path *at,
                   const struct doc_node *node)
{
    struct jobspec_template t;
    const char *text;
    if (!load_text(l, at, node, &text) || !refs_cut(l, h, at, node, &t))
        return;
    const struct jobspec_ref *whole = refs_whole(&t);
    if (whole != NULL && whole->kind != JOBSPEC_REF_AXIS) {
        const char *wrong = whole_input(l, whole);
        if (wrong != NULL)
            load_fault(l, at, node, "${%s} %s", whole->text, wrong);
        cut_check_paths(l, h, at, node, &t, false);
        h->s->input = t;
        return;
    }
    for (unsigned i = 0; i < t.n; i++) {
        const struct jobspec_ref *ref = t.pieces[i].ref;
        if (ref == NULL || ref->kind == JOBSPEC_REF_AXIS)
            continue;
        load_fault(
            l, at, node, "${%s}: a path can be made of axis values only", ref->text);
        return;
    }
    if (keep_input(l, h, at, node, &t))
        h->s->input = t;
}

static bool is_inherited(const char *name)
{
    const char *star = strchr(name, '*');
    return name[0] != '\0' && strchr(name, '=') == NULL &&
           (star == NULL || star[1] == '\0');
}

void running_inherit(struct load *l,
                     struct load_stage *h,
                     const struct fault_path *at,
                     const struct doc_node *node)
{
    if (node->kind != DOC_LIST) {
        load_fault(l,
                   at,
                   node,
                   "must be a list of names such as [PATH, \"LD_*\"], not %s",
                   doc_kind_name(node->kind));
        return;
    }
    const char **names = arena_alloc(l->arena, node->n + 1u, sizeof(*names));
    for (unsigned i = 0; i < node->n; i++) {
        const struct doc_node *item = &node->as.items[i];
        struct fault_path here = {.up = at, .index = i};
        if (!load_text(l, &here, item, &names[i]))
            continue;
        if (!is_inherited(names[i]))
            load_fault(l,
                       &here,
                       item,
                       "'%.80s' is no name of a variable, nor the beginning of names as "
                       "in LD_*",
                       names[i]);
        names[i] = arena_strdup(l->arena, names[i]);
    }
    h->s->inherit = names; /* not NULL, also where nothing is inherited */
    h->s->n_inherit = node->n;
}

static bool is_inf(const struct doc_node *node)
{
    return node->kind < DOC_LIST && node->kind != DOC_NULL &&
           (strcmp(node->as.text, "inf") == 0 || strcmp(node->as.text, "infinity") == 0);
}

/* A size; "inf" is UINT64_MAX. */
static bool read_bytes(struct load *l,
                       const struct fault_path *at,
                       const struct doc_node *node,
                       uint64_t *ret)
{
    struct gm_error err = {0};
    if (is_inf(node)) {
        *ret = UINT64_MAX;
        return true;
    }
    if (node->kind != DOC_STRING && node->kind != DOC_INT && node->kind != DOC_FLOAT)
        load_fault(l,
                   at,
                   node,
                   "must be a size such as 2GiB, not %s",
                   doc_kind_name(node->kind));
    else if (units_bytes(node->as.text, ret, &err) != 0)
        load_fault(l, at, node, "%s", err.text);
    else
        return true;
    return false;
}

static void read_number(struct load *l,
                        const struct fault_path *at,
                        const struct doc_node *node,
                        uint64_t *ret)
{
    int64_t v;
    if (is_inf(node))
        *ret = UINT64_MAX;
    else if (load_int(l, at, node, 1, INT64_MAX, &v))
        *ret = (uint64_t)v;
}

static void read_cpu(struct load *l,
                     const struct fault_path *at,
                     const struct doc_node *node,
                     double *ret)
{
    double v;
    if (!load_duration(l, at, node, &v))
        return;
    if (v <= 0 && !is_inf(node))
        load_fault(l, at, node, "must be more than 0 s");
    else
        *ret = v > 0 ? v : -1;
}

void running_limits(struct load *l,
                    struct load_stage *h,
                    const struct fault_path *at,
                    const struct doc_node *node)
{
    struct jobspec_limits *to = &h->s->limits;
    if (!load_check_keys(l, at, node, words_find(&words_stage, "limits")->keys))
        return;
    for (unsigned i = 0; i < node->n; i++) {
        const struct doc_node *item = &node->as.items[i];
        struct fault_path here = {.up = at, .key = item->key};
        if (strcmp(item->key, "memory") == 0) {
            if (read_bytes(l, &here, item, &to->memory) && to->memory == 0)
                load_fault(l, &here, item, "must be 1 or more");
        } else if (strcmp(item->key, "file-size") == 0) {
            (void)read_bytes(l, &here, item, &to->file_size);
        } else if (strcmp(item->key, "core") == 0) {
            (void)read_bytes(l, &here, item, &to->core);
        } else if (strcmp(item->key, "files") == 0) {
            read_number(l, &here, item, &to->files);
        } else if (strcmp(item->key, "processes") == 0) {
            read_number(l, &here, item, &to->processes);
        } else if (strcmp(item->key, "cpu") == 0) {
            read_cpu(l, &here, item, &to->cpu);
        }
    }
}

void running_output_limit(struct load *l,
                          struct load_stage *h,
                          const struct fault_path *at,
                          const struct doc_node *node)
{
    const uint64_t most = UINT64_C(1) << 40;
    uint64_t v;
    if (!read_bytes(l, at, node, &v))
        return;
    if (v > most)
        load_fault(l, at, node, "must be 1TiB or less");
    else
        h->s->most_output = v;
}
