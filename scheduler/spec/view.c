/* See load.h: a canonical document as the short form that says the same, so that one set
 * of readers reads both. Invariant: a node of the view is where the document has it, and
 * every key that does not stand in the Gridmill part has its own entry in `origins`. */
#include "load.h"
#include "spec/flux.h"

enum { MOST_ORIGINS = 12 };

/* A key of the view, and where it stands in the document. */
struct origin {
    const char *key, *path; /* "per-rank.cores", "resources[0].with[0].count" */
};

struct view {
    struct load *l;
    struct doc_node *root;
    struct origin origins[MOST_ORIGINS];
    unsigned n_origins;
};

/* paths */

/* What follows the key in the path; NULL: it is another key's path. */
static const char *behind(const char *path, const char *key)
{
    size_t n = strlen(key);
    if (strncmp(path, key, n) != 0)
        return NULL;
    return path[n] == '\0' || path[n] == '.' || path[n] == '[' ? path + n : NULL;
}

void view_path(const struct load *l, const struct doc_node *node, struct str *path)
{
    const struct view *v = l->view;
    if (v == NULL || node->line == 0) /* a --set speaks of the short form */
        return;
    const char *inside = str_text(path);
    AUTO_STR whole = {0};
    for (unsigned i = 0; i < v->n_origins && whole.len == 0; i++) {
        const char *rest = behind(inside, v->origins[i].key);
        if (rest != NULL)
            str_printf(&whole, "%s%s", v->origins[i].path, rest);
    }
    if (whole.len == 0)
        str_printf(&whole,
                   "attributes.user.gridmill%s%s",
                   inside[0] != '\0' && inside[0] != '[' ? "." : "",
                   inside);
    str_clear(path);
    str_add(path, str_text(&whole));
}

/* making */

static void origin(struct view *v, const char *key, const char *path)
{
    v->origins[v->n_origins++] = (struct origin){key, path};
}

/* A copy of the value as the key's; it keeps its place. */
static struct doc_node *
put(struct view *v, struct doc_node *in, const char *key, const struct doc_node *value)
{
    struct doc_node *made = doc_append(v->l->arena, in, key);
    *made = *value;
    made->key = key;
    return made;
}

static void
put_number(struct view *v, struct doc_node *in, const char *key, const struct resource *r)
{
    char *text = arena_printf(v->l->arena, "%lld", (long long)count_min(&r->count));
    struct doc_node node = {.kind = DOC_INT,
                            .line = r->line,
                            .col = r->col,
                            .key_line = r->line,
                            .key_col = r->col,
                            .n = (unsigned)strlen(text),
                            .as.text = text};
    (void)put(v, in, key, &node);
}

/* "as many as there are" */
static bool is_auto(const struct resource *slot)
{
    const struct count *c = &slot->count;
    return c->kind == COUNT_RANGE && c->range.min == 1 && c->range.open &&
           c->range.op == '+' && c->range.operand == 1;
}

static bool is_type(const struct resource *r, const char *type)
{
    return strcmp(r->type, type) == 0;
}

/* slot > core[, gpu], each a whole number. */
static bool is_rank(const struct resource *slot)
{
    unsigned cores = 0, gpus = 0;
    if (!is_type(slot, "slot") || !(count_is_fixed(&slot->count) || is_auto(slot)))
        return false;
    for (unsigned i = 0; i < slot->n_with; i++) {
        const struct resource *r = &slot->with[i];
        cores += is_type(r, "core");
        gpus += is_type(r, "gpu");
        if (!count_is_fixed(&r->count) || r->n_with > 0)
            return false;
    }
    return cores == 1 && cores + gpus == slot->n_with && gpus <= 1;
}

/* by_threads: the core of the slot is Flux's, the rank has PUs. */
static void put_ranks(struct view *v,
                      struct doc_node *per_rank,
                      const struct flux_job *job,
                      bool by_threads)
{
    static const struct fault_path at = {.key = "resources"};
    const struct resource *top = job->resources, *slot = top;
    bool node = job->n_resources == 1 && is_type(top, "node");
    if (node && top->n_with == 1)
        slot = top->with;
    if (job->n_resources != 1 || (node && !count_is_fixed(&top->count)) ||
        !is_rank(slot)) {
        faults_add(v->l->faults,
                   &at,
                   top->line,
                   top->col,
                   "the ranks of a job with attributes.user.gridmill are [node >] slot > "
                   "core[, gpu] in whole numbers, or {min: 1} slots: as many as there "
                   "are");
        return;
    }
    if (node && top->exclusive == RESOURCE_TRUE)
        faults_warn(v->l->faults,
                    &at,
                    top->line,
                    top->col,
                    "exclusive: the ranks of a job with attributes.user.gridmill do not "
                    "keep others off their nodes");
    if (node) {
        put_number(v, v->root, "nodes", top);
        origin(v, "nodes", "resources[0].count");
    }
    if (count_is_fixed(&slot->count))
        put_number(v, v->root, node ? "ranks-per-node" : "ranks", slot);
    if (node)
        origin(v, "ranks-per-node", "resources[0].with[0].count");
    else
        origin(v, "ranks", "resources[0].count");
    for (unsigned i = 0; i < slot->n_with; i++) {
        bool core = is_type(&slot->with[i], "core");
        if (!core || !by_threads)
            put_number(v, per_rank, core ? "cores" : "gpus", &slot->with[i]);
    }
}

static void key_fault(struct view *v, const struct doc_node *item, const char *where)
{
    struct doc_node key = {.line = item->key_line, .col = item->key_col};
    load_fault(v->l,
               NULL,
               &key,
               "'%s' is told by %s in the canonical form: take it out here",
               item->key,
               where);
}

/* What Flux has a word for cannot stand in the Gridmill part as well. */
static const char *told_by(const struct view *v, const char *key)
{
    static const struct origin words[] = {
        {"name", "attributes.system.job.name"},
        {"ranks", "resources"},
        {"per-rank", "resources (and by 'threads' and 'memory' here)"},
        {"time", "attributes.system.duration"},
        {"needs", "attributes.system.dependencies"},
        {"constraints", "attributes.system.constraints"}};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (strcmp(words[i].key, key) == 0)
            return words[i].path;
    }
    return doc_get(v->root, key) != NULL ? "resources" : NULL;
}

static void
put_part(struct view *v, struct doc_node *per_rank, const struct doc_node *part)
{
    for (unsigned i = 0; part->kind == DOC_MAP && i < part->n; i++) {
        const struct doc_node *item = &part->as.items[i];
        const char *elsewhere = told_by(v, item->key);
        if (elsewhere != NULL) {
            key_fault(v, item, elsewhere);
        } else if (strcmp(item->key, "memory") == 0) {
            (void)put(v, per_rank, item->key, item);
            origin(v, "per-rank.memory", "attributes.user.gridmill.memory");
        } else if (strcmp(item->key, "threads") == 0) {
            (void)put(v, per_rank, item->key, item);
            origin(v, "per-rank.threads", "attributes.user.gridmill.threads");
        } else {
            (void)put(v, v->root, item->key, item);
        }
    }
}

/* The words of attributes.system that the short form has, too; `duration` needs no
 * reading. */
static void put_system(struct view *v, const struct flux_job *job)
{
    static const struct {
        const char *key, *flux, *path;
    } words[] = {{"needs", "dependencies", "attributes.system.dependencies"},
                 {"constraints", "constraints", "attributes.system.constraints"}};
    const struct doc_node *system =
        job->attributes != NULL ? doc_get(job->attributes, "system") : NULL;
    if (system == NULL)
        return;
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        const struct doc_node *node = doc_get(system, words[i].flux);
        if (node == NULL)
            continue;
        (void)put(v, v->root, words[i].key, node);
        origin(v, words[i].key, words[i].path);
    }
}

static void put_name(struct view *v, const struct flux_job *job)
{
    const struct doc_node *node = doc_get(job->attributes, "system");
    node = node != NULL ? doc_get(node, "job") : NULL;
    node = node != NULL ? doc_get(node, "name") : NULL;
    if (node == NULL)
        return;
    (void)put(v, v->root, "name", node);
    origin(v, "name", "attributes.system.job.name");
}

static void warn_environment(const struct view *v, const struct flux_job *job)
{
    static const struct fault_path attributes = {.key = "attributes"},
                                   system = {.up = &attributes, .key = "system"},
                                   at = {.up = &system, .key = "environment"};
    const struct doc_node *node = doc_get(job->attributes, "system");
    node = node != NULL ? doc_get(node, "environment") : NULL;
    if (node != NULL && job->n_env > 0)
        faults_warn(v->l->faults,
                    &at,
                    node->line,
                    node->col,
                    "is not handed on in a job with attributes.user.gridmill: give its "
                    "commands an env");
}

struct doc_node *
view_make(struct load *l, const struct flux_job *job, const struct doc_node *part)
{
    struct view *v = arena_alloc(l->arena, 1, sizeof(*v));
    struct doc_node *root = arena_alloc(l->arena, 1, sizeof(*root));
    const struct doc_node *place = part != NULL ? part : job->document;
    *root = (struct doc_node){.kind = DOC_MAP, .line = place->line, .col = place->col};
    *v = (struct view){.l = l, .root = root};
    l->view = v;
    if (part != NULL && part->kind != DOC_MAP)
        root->kind = part->kind; /* told by who reads it */
    if (part == NULL || part->kind != DOC_MAP) {
        if (part == NULL)
            put_system(v, job);
        return root;
    }
    struct doc_node per_rank = {.kind = DOC_MAP, .line = place->line, .col = place->col};
    origin(v, "per-rank.cores", "resources");
    origin(v, "per-rank.gpus", "resources");
    if (job != NULL)
        put_ranks(v, &per_rank, job, doc_get(part, "threads") != NULL);
    put_part(v, &per_rank, part);
    if (job != NULL) {
        put_system(v, job);
        put_name(v, job);
        warn_environment(v, job);
    }
    if (per_rank.n > 0)
        (void)put(v, root, "per-rank", &per_rank);
    return root;
}

/* Some node of it is a --set's. */
static bool is_set(const struct doc_node *node)
{
    bool set = node->line == 0;
    for (unsigned i = 0; !set && node->kind >= DOC_LIST && i < node->n; i++)
        set = is_set(&node->as.items[i]);
    return set;
}

/* Takes a key out unless a --set touched it: true. */
static bool settle(struct doc_node *view, const char *key)
{
    struct doc_node *node = doc_get(view, key);
    if (node == NULL)
        return true;
    if (is_set(node))
        return false;
    struct doc_node *end = view->as.items + view->n--;
    memmove(node, node + 1, (size_t)(end - node - 1) * sizeof(*node));
    return true;
}

void view_settle(struct load *l, const struct flux_job *job, struct doc_node *view)
{
    struct jobspec *s = l->spec;
    if (view->kind != DOC_MAP)
        return;
    if (settle(view, "constraints"))
        s->constraints = job->constraints;
    if (settle(view, "needs")) {
        s->after = job->needs;
        s->n_after = job->n_needs;
    }
    if (doc_get(view, "time") == NULL)
        s->time = job->duration;
}
