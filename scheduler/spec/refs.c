/* See load.h: texts are cut at ${...} and every reference is resolved to numbers (axis,
 * stage, output), so nothing is searched by name while tasks run. `$${` is a literal
 * `${`. No expressions, no environment. */
#include "load.h"

struct cut {
    struct load *l;
    struct load_stage *h;
    const struct fault_path *at;
    const struct doc_node *node;
};

const struct jobspec_ref *refs_whole(const struct jobspec_template *t)
{
    return t->n == 1 ? t->pieces[0].ref : NULL;
}

bool refs_any(const struct jobspec_template *t)
{
    for (unsigned i = 0; i < t->n; i++) {
        if (t->pieces[i].ref != NULL)
            return true;
    }
    return false;
}

/* A number that can be compared: one a task, not a series, not a model. */
static bool is_scalar(const struct gm_output_spec *o)
{
    return o->ndim == 0 && (o->flags & (GM_SERIES | GM_MODEL | GM_RAGGED)) == 0;
}

/* The scalar to suggest for @max: one that the kernel itself calls the best by, else any.
 */
static const struct gm_output_spec *scalar_of(const struct gm_kernel *k)
{
    const struct gm_output_spec *any = NULL;
    for (unsigned i = 0; i < k->n_outputs; i++) {
        const struct gm_output_spec *o = &k->outputs[i];
        if (!is_scalar(o))
            continue;
        if (o->summary == GM_SUM_BEST || o->summary == GM_SUM_LEAST)
            return o;
        if (any == NULL)
            any = o;
    }
    return any;
}

static bool
find_output(const struct cut *c, unsigned stage, const char *name, unsigned *ret)
{
    const struct jobspec_stage *s = &c->l->stages[stage];
    if (c->l->heads[stage].bad_kernel)
        return false;
    if (s->kernel == NULL) {
        load_fault(c->l,
                   c->at,
                   c->node,
                   "stage '%s' runs a command: it has no outputs to refer to",
                   s->name);
        return false;
    }
    const char *names[64];
    size_t n = 0;
    for (unsigned i = 0; i < s->kernel->n_outputs; i++) {
        if (strcmp(s->kernel->outputs[i].name, name) == 0) {
            *ret = i;
            return true;
        }
        if (n < sizeof(names) / sizeof(names[0]))
            names[n++] = s->kernel->outputs[i].name;
    }
    char hint[128];
    load_fault(c->l,
               c->at,
               c->node,
               "stage '%s' (%s) has no output '%.80s'%s",
               s->name,
               s->kernel->name,
               name,
               load_hint(name, names, n, hint));
    return false;
}

static bool resolve_axis(const struct cut *c, const char *name, struct jobspec_ref *ret)
{
    const struct jobspec_stage *s = c->h->s;
    const char *names[LOAD_MAX_AXES];
    size_t n = 0;
    for (unsigned i = 0; i < s->n_axes; i++) {
        if (s->axes[i].name == NULL)
            continue;
        if (strcmp(s->axes[i].name, name) == 0) {
            ret->kind = JOBSPEC_REF_AXIS;
            ret->axis = i;
            return s->axes[i].n > 0;
        }
        names[n++] = s->axes[i].name;
    }
    char hint[128];
    (void)load_hint(name, names, n, hint);
    if (hint[0] == '\0' && s->n_axes == 0)
        load_fault(c->l,
                   c->at,
                   c->node,
                   "no axis '%.80s': the stage has no matrix (the environment is not "
                   "expanded; $${ is a literal ${)",
                   name);
    else
        load_fault(c->l, c->at, c->node, "no axis '%.80s' in the matrix%s", name, hint);
    return false;
}

/* ${task.x} and ${shard.x} */
static bool resolve_own(const struct cut *c,
                        const char *object,
                        const char *field,
                        struct jobspec_ref *ret)
{
    static const struct {
        const char *object, *field;
        enum jobspec_ref_kind kind;
    } all[] = {{"task", "index", JOBSPEC_REF_TASK_INDEX},
               {"shard", "path", JOBSPEC_REF_SHARD_PATH},
               {"shard", "first", JOBSPEC_REF_SHARD_FIRST},
               {"shard", "count", JOBSPEC_REF_SHARD_COUNT},
               {"shard", "index", JOBSPEC_REF_SHARD_INDEX}};
    const char *names[8];
    size_t n = 0;
    bool shard = strcmp(object, "shard") == 0;
    if (shard && c->h->s->shards_of == NULL) {
        if (!c->h->bad_shape)
            load_fault(c->l, c->at, c->node, "the stage has no shards");
        return false;
    }
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        if (strcmp(all[i].object, object) != 0)
            continue;
        if (strcmp(all[i].field, field) == 0) {
            ret->kind = all[i].kind;
            return true;
        }
        names[n++] = all[i].field;
    }
    char hint[128];
    load_fault(c->l,
               c->at,
               c->node,
               "'%s' has no '%.80s'%s",
               object,
               field,
               load_hint(field, names, n, hint));
    return false;
}

/* "max:accuracy" behind the @ */
static bool resolve_best(const struct cut *c, const char *how, struct jobspec_ref *ret)
{
    ret->kind = JOBSPEC_REF_BEST;
    ret->least = strncmp(how, "min:", 4) == 0;
    if (!ret->least && strncmp(how, "max:", 4) != 0) {
        load_fault(c->l,
                   c->at,
                   c->node,
                   "after @ comes max:SCALAR or min:SCALAR, not '%.80s'",
                   how);
        return false;
    }
    if (!find_output(c, ret->stage, how + 4, &ret->scalar))
        return false;
    const struct gm_kernel *k = c->l->stages[ret->stage].kernel;
    if (!is_scalar(&k->outputs[ret->scalar])) {
        const struct gm_output_spec *other = scalar_of(k);
        load_fault(c->l,
                   c->at,
                   c->node,
                   "the output '%s' is no scalar: tasks cannot be compared by it%s%s%s",
                   how + 4,
                   other != NULL ? " (but by '" : "",
                   other != NULL ? other->name : "",
                   other != NULL ? "')" : "");
        return false;
    }
    return true;
}

/* ${stage.output}: of the task with the same index, or of the stage's one task. */
static bool resolve_same(const struct cut *c, struct jobspec_ref *ret, bool *ret_same)
{
    const struct load_stage *other = &c->l->heads[ret->stage];
    ret->kind = JOBSPEC_REF_OUTPUT;
    *ret_same = false;
    if (other->bad_shape || c->h->bad_shape)
        return false; /* told there */
    if (other->s->n_tasks == 1)
        return true;
    bool unknown = other->s->n_tasks == 0; /* shards that nobody looked at */
    if (unknown || matrix_same_shape(other->s, c->h->s)) {
        *ret_same = !unknown;
        return true;
    }
    const struct gm_kernel *k = other->s->kernel;
    const struct gm_output_spec *by = scalar_of(k);
    const char *output = k->outputs[ret->output].name;
    if (by != NULL)
        load_fault(
            c->l,
            c->at,
            c->node,
            "stage '%s' has %llu tasks, and their shape is not this stage's: say which "
            "one, as ${%s.%s@%s:%s}",
            other->s->name,
            (unsigned long long)other->s->n_tasks,
            other->s->name,
            output,
            by->summary == GM_SUM_LEAST ? "min" : "max",
            by->name);
    else
        load_fault(
            c->l,
            c->at,
            c->node,
            "stage '%s' has %llu tasks, their shape is not this stage's, and it has no "
            "scalar output to choose one by",
            other->s->name,
            (unsigned long long)other->s->n_tasks);
    return false;
}

static bool
resolve_output(const struct cut *c, char *stage, char *field, struct jobspec_ref *ret)
{
    char *how = strchr(field, '@');
    bool same = false;
    if (how != NULL)
        *how++ = '\0';
    if (!needs_find(c->l, c->at, c->node, stage, &ret->stage))
        return false;
    if (&c->l->stages[ret->stage] == c->h->s) {
        load_fault(c->l, c->at, c->node, "stage '%s' refers to itself", stage);
        return false;
    }
    if (!find_output(c, ret->stage, field, &ret->output))
        return false;
    if (how != NULL ? !resolve_best(c, how, ret) : !resolve_same(c, ret, &same))
        return false;
    needs_add(c->l,
              c->h,
              (struct jobspec_need){
                  .stage = ret->stage, .strict = how == NULL, .same_index = same});
    return true;
}

static const struct jobspec_ref *
resolve(const struct cut *c, const char *inside, size_t len)
{
    struct jobspec_ref *ref = arena_alloc(c->l->arena, 1, sizeof(*ref));
    char *word = arena_copy(c->l->arena, inside, len);
    ref->text = arena_copy(c->l->arena, inside, len);
    ref->line = c->node->line;
    ref->col = c->node->col;
    char *dot = strchr(word, '.');
    bool fine;
    if (len == 0) {
        load_fault(c->l, c->at, c->node, "an empty reference ($${ is a literal ${)");
        return NULL;
    }
    if (strcmp(word, "results") == 0) {
        ref->kind = JOBSPEC_REF_RESULTS;
        return ref;
    }
    if (dot == NULL)
        return resolve_axis(c, word, ref) ? ref : NULL;
    *dot = '\0';
    if (strcmp(word, "task") == 0 || strcmp(word, "shard") == 0)
        fine = resolve_own(c, word, dot + 1, ref);
    else
        fine = resolve_output(c, word, dot + 1, ref);
    return fine ? ref : NULL;
}

/* At most 2 r + 1 pieces for r references. */
static size_t most_pieces(const char *text)
{
    size_t n = 1;
    for (const char *p = strstr(text, "${"); p != NULL; p = strstr(p + 2, "${"))
        n += 2;
    return n;
}

static void add_literal(struct load *l,
                        struct str *literal,
                        struct jobspec_piece *pieces,
                        unsigned *n)
{
    if (literal->len == 0)
        return;
    pieces[*n] = (struct jobspec_piece){.text = arena_strdup(l->arena, literal->text)};
    (*n)++;
    str_clear(literal);
}

bool refs_cut(struct load *l,
              struct load_stage *h,
              const struct fault_path *at,
              const struct doc_node *node,
              struct jobspec_template *ret)
{
    struct cut c = {.l = l, .h = h, .at = at, .node = node};
    const char *p = node->as.text;
    struct jobspec_piece *pieces = arena_alloc(l->arena, most_pieces(p), sizeof(*pieces));
    unsigned n = 0;
    bool fine = true;
    AUTO_STR literal = {0};
    while (*p != '\0') {
        size_t plain = strcspn(p, "$");
        str_add_n(&literal, p, plain);
        p += plain;
        if (strncmp(p, "$${", 3) == 0) {
            str_add(&literal, "${");
            p += 3;
        } else if (strncmp(p, "${", 2) == 0) {
            const char *end = strchr(p, '}');
            if (end == NULL) {
                load_fault(l, at, node, "'${' without '}' ($${ is a literal ${)");
                return false;
            }
            add_literal(l, &literal, pieces, &n);
            pieces[n].ref = resolve(&c, p + 2, (size_t)(end - p) - 2);
            fine = fine && pieces[n++].ref != NULL;
            p = end + 1;
        } else if (*p == '$') {
            str_add(&literal, "$");
            p++;
        }
    }
    add_literal(l, &literal, pieces, &n);
    if (n == 0)
        pieces[n++].text = "";
    if (fine)
        *ret = (struct jobspec_template){.pieces = pieces, .n = n};
    return fine;
}
