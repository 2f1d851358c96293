/* See load.h: a data set cut into tasks. Invariant: n_shards is what the source held when
 * it was looked at; a source that depends on axes holds as much for each of their values.
 */
#include "load.h"
#include "units.h"

static const struct unit {
    const char *name;
    uint32_t unit;
} units[] = {
    {"rows", GM_ROWS}, {"bytes", GM_BYTES}, {"lines", GM_LINES}, {"files", GM_FILES}};

enum { N_UNITS = sizeof(units) / sizeof(units[0]) };

const char *jobspec_unit_name(uint32_t unit)
{
    for (size_t i = 0; i < N_UNITS; i++) {
        if (units[i].unit == unit)
            return units[i].name;
    }
    return "rows";
}

static bool read_size(struct load *l,
                      const struct fault_path *at,
                      const struct doc_node *node,
                      uint32_t unit,
                      uint64_t *ret)
{
    struct gm_error err = {0};
    int64_t v = 0;
    if (unit != GM_BYTES || node->kind != DOC_STRING) {
        if (!load_int(l, at, node, 1, INT64_MAX, &v))
            return false;
        *ret = (uint64_t)v;
        return true;
    }
    if (units_bytes(node->as.text, ret, &err) != 0)
        load_fault(l, at, node, "%s", err.text);
    else if (*ret == 0)
        load_fault(l, at, node, "must be 1 or more");
    else
        return true;
    return false;
}

/* One of rows, bytes, lines, files: 1 or more. The unit; 0: told. */
static uint32_t read_unit(struct load *l,
                          const struct fault_path *at,
                          const struct doc_node *node,
                          uint64_t *ret)
{
    const struct doc_node *size = NULL;
    uint32_t unit = 0;
    for (size_t i = 0; i < N_UNITS; i++) {
        const struct doc_node *n = doc_get(node, units[i].name);
        if (n != NULL && size != NULL) {
            load_fault(l, at, node, "needs either %s or %s, not both", size->key, n->key);
            return 0;
        }
        size = n != NULL ? n : size;
        unit = n != NULL ? units[i].unit : unit;
    }
    if (size == NULL) {
        load_fault(
            l, at, node, "needs rows, bytes, lines or files: how many a task takes");
        return 0;
    }
    struct fault_path here = {.up = at, .key = size->key};
    return read_size(l, &here, size, unit, ret) ? unit : 0;
}

/* A source's text refers to axes only: what stages compute is not known before tasks are
 * counted. */
static bool
only_axes(struct load *l, const struct fault_path *at, const struct doc_node *of)
{
    for (const char *p = strstr(of->as.text, "${"); p != NULL; p = strstr(p + 2, "${")) {
        size_t len = strcspn(p, "}");
        bool own = strncmp(p, "${results}", 10) == 0 || memchr(p, '.', len) != NULL;
        if (!own || p[len] == '\0' || (p > of->as.text && p[-1] == '$'))
            continue;
        load_fault(l,
                   at,
                   of,
                   "%.*s}: shards are counted before anything runs: their source can be "
                   "made of axis values only",
                   len < 100 ? (int)len : 100,
                   p);
        return false;
    }
    return true;
}

/* The source, or the first of those over the axes; NULL: told. */
static const struct jobspec_source *look(struct load *l,
                                         struct load_stage *h,
                                         const struct fault_path *at,
                                         const struct doc_node *of,
                                         uint32_t unit)
{
    struct jobspec_template t;
    unsigned n = 0;
    if (!only_axes(l, at, of) || !refs_cut(l, h, at, of, &t))
        return NULL;
    if (!refs_any(&t))
        return sources_add(l, at, of, t.pieces[0].text, unit);
    const struct jobspec_source *const *all = paths_look(l, h->s, at, of, &t, unit, &n);
    for (unsigned i = 1; i < n; i++) {
        if (all[i]->rows == all[0]->rows)
            continue;
        load_fault(l,
                   at,
                   of,
                   "%s has %llu %s, but %s has %llu: sources over an axis must be cut "
                   "into equal shards; make a stage for each",
                   all[0]->written,
                   (unsigned long long)all[0]->rows,
                   jobspec_unit_name(unit),
                   all[i]->written,
                   (unsigned long long)all[i]->rows);
        return NULL;
    }
    h->s->shards_from = t;
    h->s->shards_over = all;
    h->s->n_shards_over = n;
    return n > 0 ? all[0] : NULL;
}

/* A kernel reads tables and text. */
static bool check_kernel(struct load *l,
                         const struct load_stage *h,
                         const struct fault_path *at,
                         const struct doc_node *node,
                         uint32_t unit)
{
    if (h->s->kernel == NULL || (unit != GM_BYTES && unit != GM_FILES))
        return true;
    const char *name = jobspec_unit_name(unit);
    struct fault_path here = {.up = at, .key = name};
    load_fault(l,
               &here,
               doc_get(node, name),
               "a kernel takes rows or lines; %s are for commands",
               name);
    return false;
}

void cut_read(struct load *l,
              struct load_stage *h,
              const struct fault_path *at,
              const struct doc_node *node)
{
    const char *written = NULL;
    bool before = h->bad_shape;
    h->bad_shape = true; /* until all of it is fine */
    if (!load_check_keys(l, at, node, words_find(&words_stage, "shards")->keys))
        return;
    const struct doc_node *of = doc_get(node, "of");
    struct fault_path here = {.up = at, .key = "of"};
    uint64_t size = 0;
    uint32_t unit = read_unit(l, at, node, &size);
    if (of == NULL) {
        load_fault(l, at, node, "needs of: the data set to cut");
        return;
    }
    if (!load_text(l, &here, of, &written) || unit == 0 || before ||
        !check_kernel(l, h, at, node, unit))
        return;
    const struct jobspec_source *source = look(l, h, &here, of, unit);
    if (source == NULL)
        return;
    bool looked = l->opt->look != NULL || source->rows > 0;
    if (looked && source->rows == 0) {
        load_fault(
            l, &here, of, "%s has no %s", source->written, jobspec_unit_name(unit));
        return;
    }
    struct jobspec_source *kept = arena_alloc(l->arena, 1, sizeof(*kept));
    *kept = *source;
    h->s->shards_of = kept;
    h->s->shard_rows = size;
    h->s->n_shards = source->rows / size + (source->rows % size != 0);
    h->bad_shape = false;
}

/* A word that names the files of a shard must stand alone, where it can become several.
 */
void cut_check_paths(struct load *l,
                     const struct load_stage *h,
                     const struct fault_path *at,
                     const struct doc_node *node,
                     const struct jobspec_template *t,
                     bool word)
{
    const struct jobspec_stage *s = h->s;
    if (s->shards_of == NULL || s->shards_of->unit != GM_FILES || s->shard_rows == 1 ||
        (word && refs_whole(t) != NULL))
        return;
    for (unsigned i = 0; i < t->n; i++) {
        const struct jobspec_ref *ref = t->pieces[i].ref;
        if (ref != NULL && ref->kind == JOBSPEC_REF_SHARD_PATH)
            load_fault(l,
                       at,
                       node,
                       "${shard.path} is %llu files here: let it stand alone as a word "
                       "of the command, or write files: 1",
                       (unsigned long long)s->shard_rows);
    }
}
