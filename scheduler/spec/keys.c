/* See load.h: the job's own keys, one reader a key. `tasks` and a lone stage's keys are
 * stage.c's. */
#include "load.h"
#include "units.h"

static void
read_name(struct load *l, const struct fault_path *at, const struct doc_node *node)
{
    const char *text;
    if (!load_text(l, at, node, &text))
        return;
    if (load_is_name(text, true))
        l->spec->name = arena_strdup(l->arena, text);
    else
        load_fault(l,
                   at,
                   node,
                   "a job is named by letters, digits, '-', '_' and '.', at most 100");
}

static void read_count(struct load *l,
                       const struct fault_path *at,
                       const struct doc_node *node,
                       int64_t min,
                       unsigned *ret)
{
    int64_t v;
    if (load_int(l, at, node, min, 1 << 20, &v))
        *ret = (unsigned)v;
}

static void
read_ranks(struct load *l, const struct fault_path *at, const struct doc_node *node)
{
    if (node->kind == DOC_STRING && strcmp(node->as.text, "auto") == 0)
        return;
    if (node->kind == DOC_STRING)
        load_fault(l, at, node, "must be a number or auto, not '%.80s'", node->as.text);
    else
        read_count(l, at, node, 1, &l->spec->ranks);
}

static void
read_nodes(struct load *l, const struct fault_path *at, const struct doc_node *node)
{
    read_count(l, at, node, 1, &l->spec->nodes);
}

static void read_ranks_per_node(struct load *l,
                                const struct fault_path *at,
                                const struct doc_node *node)
{
    read_count(l, at, node, 1, &l->spec->ranks_per_node);
}

static void
read_memory(struct load *l, const struct fault_path *at, const struct doc_node *node)
{
    struct gm_error err = {0};
    if (node->kind != DOC_STRING && node->kind != DOC_INT && node->kind != DOC_FLOAT)
        load_fault(l,
                   at,
                   node,
                   "must be a size such as 2GiB, not %s",
                   doc_kind_name(node->kind));
    else if (units_bytes(node->as.text, &l->spec->memory, &err) != 0)
        load_fault(l, at, node, "%s", err.text);
}

static void read_threads(struct load *l,
                         const struct fault_path *at,
                         const struct doc_node *node,
                         const struct doc_node *cores)
{
    if (cores != NULL)
        load_fault(l,
                   at,
                   node,
                   "a rank has PUs or whole cores: take out this, or cores at %u:%u",
                   cores->line,
                   cores->col);
    else
        read_count(l, at, node, 1, &l->spec->threads);
}

static void
read_per_rank(struct load *l, const struct fault_path *at, const struct doc_node *node)
{
    if (!load_check_keys(l, at, node, words_find(&words_job, "per-rank")->keys))
        return;
    for (unsigned i = 0; i < node->n; i++) {
        const struct doc_node *item = &node->as.items[i];
        struct fault_path here = {.up = at, .key = item->key};
        if (strcmp(item->key, "cores") == 0)
            read_count(l, &here, item, 1, &l->spec->cores);
        else if (strcmp(item->key, "threads") == 0)
            read_threads(l, &here, item, doc_get(node, "cores"));
        else if (strcmp(item->key, "gpus") == 0)
            read_count(l, &here, item, 0, &l->spec->gpus);
        else if (strcmp(item->key, "memory") == 0)
            read_memory(l, &here, item);
    }
}

static void
read_time(struct load *l, const struct fault_path *at, const struct doc_node *node)
{
    (void)load_duration(l, at, node, &l->spec->time);
}

static void read_oversubscribe(struct load *l,
                               const struct fault_path *at,
                               const struct doc_node *node)
{
    (void)load_bool(l, at, node, &l->spec->oversubscribe);
}

static void
read_verify(struct load *l, const struct fault_path *at, const struct doc_node *node)
{
    const struct word *word = words_find(&words_job, "verify-binding");
    int k = load_choice(l, at, node, word);
    if (k >= 0)
        l->spec->verify = word->choices[k];
}

static void
read_needs(struct load *l, const struct fault_path *at, const struct doc_node *node)
{
    if (node->kind != DOC_NULL)
        dependency_read_list(
            l->arena, node, at, l->faults, &l->spec->after, &l->spec->n_after);
}

static const struct job_key {
    const char *name;
    job_reader *read; /* NULL: `tasks`, read after the others */
} keys[] = {{"name", read_name},
            {"ranks", read_ranks},
            {"nodes", read_nodes},
            {"ranks-per-node", read_ranks_per_node},
            {"per-rank", read_per_rank},
            {"mapping", placing_mapping},
            {"time", read_time},
            {"grace", ending_grace},
            {"on-loss", ending_on_loss},
            {"oversubscribe", read_oversubscribe},
            {"verify-binding", read_verify},
            {"tasks", NULL},
            {"results", telling_results},
            {"telemetry", telling_telemetry},
            {"needs", read_needs},
            {"constraints", placing_constraints},
            {"notify", telling_notify},
            {"pattern", pattern_key},
            {"hosts", placing_hosts}};

enum { N_KEYS = sizeof(keys) / sizeof(keys[0]) };

static const struct job_key *find_key(const char *name)
{
    for (size_t i = 0; i < N_KEYS; i++) {
        if (strcmp(keys[i].name, name) == 0)
            return &keys[i];
    }
    return NULL;
}

void keys_read(struct load *l, const struct doc_node *root)
{
    bool listed = doc_get(root, "tasks") != NULL;
    for (unsigned i = 0; i < root->n; i++) {
        const struct doc_node *item = &root->as.items[i];
        const struct job_key *k = find_key(item->key);
        struct fault_path here = {.key = item->key};
        if (k != NULL && k->read != NULL)
            k->read(l, &here, item);
        else if (k == NULL && words_find(&words_job, item->key) == NULL)
            load_unknown_key(l, NULL, item, &words_job);
        else if (k == NULL && listed)
            load_fault(l, &here, item, "stands beside tasks: move it into a stage");
    }
    const struct jobspec *s = l->spec;
    uint64_t product = (uint64_t)s->nodes * s->ranks_per_node;
    const struct doc_node *ranks = doc_get(root, "ranks");
    static const struct fault_path ranks_at = {.key = "ranks"};
    if (product > 1 << 20)
        load_fault(l,
                   &(struct fault_path){.key = "nodes"},
                   doc_get(root, "nodes"),
                   "nodes times ranks-per-node must be %d or less",
                   1 << 20);
    else if (product > 0 && s->ranks == 0) {
        l->spec->ranks = (unsigned)product;
        l->spec->ranks_of_nodes = true;
    } else if (product > 0 && s->ranks != product && ranks != NULL)
        load_fault(l,
                   &ranks_at,
                   ranks,
                   "%u, but nodes times ranks-per-node is %llu",
                   s->ranks,
                   (unsigned long long)product);
    placing_settle(l, root);
    pattern_settle(l, root);
}
