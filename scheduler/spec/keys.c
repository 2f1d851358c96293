/* See load.h: the job's own keys, one reader a key. `tasks` and a lone stage's keys are
 * stage.c's. */
#include "base/file.h"
#include "load.h"
#include "units.h"

typedef void
job_reader(struct load *l, const struct fault_path *at, const struct doc_node *node);

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

static void
read_per_rank(struct load *l, const struct fault_path *at, const struct doc_node *node)
{
    static const struct load_key keys[] = {
        {"cores", false}, {"gpus", false}, {"memory", false}};
    if (!load_check_keys(l, at, node, keys, 3))
        return;
    for (unsigned i = 0; i < node->n; i++) {
        const struct doc_node *item = &node->as.items[i];
        struct fault_path here = {.up = at, .key = item->key};
        if (strcmp(item->key, "cores") == 0)
            read_count(l, &here, item, 1, &l->spec->cores);
        else if (strcmp(item->key, "gpus") == 0)
            read_count(l, &here, item, 0, &l->spec->gpus);
        else if (strcmp(item->key, "memory") == 0)
            read_memory(l, &here, item);
    }
}

static void
read_mapping(struct load *l, const struct fault_path *at, const struct doc_node *node)
{
    static const char *const words[] = {"auto", "pack", "spread"};
    static const char *const later[] = {"gpu-near",
                                        "numa",
                                        "inherited",
                                        "slot",
                                        "hwthread",
                                        "core",
                                        "l1cache",
                                        "l2cache",
                                        "l3cache",
                                        "socket",
                                        "package",
                                        "board",
                                        "node",
                                        "seq",
                                        "dist"};
    const char *text;
    if (!load_text(l, at, node, &text))
        return;
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (strcmp(words[i], text) == 0) {
            l->spec->mapping = words[i];
            return;
        }
    }
    bool known = strpbrk(text, ":,") != NULL;
    for (size_t i = 0; i < sizeof(later) / sizeof(later[0]); i++)
        known = known || strcmp(later[i], text) == 0;
    char hint[128];
    if (known)
        load_fault(l,
                   at,
                   node,
                   "the mapping '%.80s' is not supported by this version yet",
                   text);
    else
        load_fault(l,
                   at,
                   node,
                   "must be one of auto, pack, spread, not '%.80s'%s",
                   text,
                   load_hint(text, words, 3, hint));
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
read_results(struct load *l, const struct fault_path *at, const struct doc_node *node)
{
    static const struct load_key keys[] = {
        {"file", false}, {"compress", true}, {"pack", true}, {"writers", true}};
    struct fault_path here = {.up = at, .key = "file"};
    const char *text;
    if (node->kind == DOC_MAP) {
        (void)load_check_keys(l, at, node, keys, 4);
        node = doc_get(node, "file");
        at = &here;
        if (node == NULL)
            return;
    }
    if (!load_text(l, at, node, &text))
        return;
    AUTO_FREE(char) path = file_absolute(l->spec->dir, text);
    if (text[strlen(text) - 1] == '/')
        load_fault(l, at, node, "'%.200s' is a folder: name the file", text);
    else
        l->spec->results = arena_strdup(l->arena, path);
}

/* Words of later versions: told, unless they ask for nothing. */
static void
read_later(struct load *l, const struct fault_path *at, const struct doc_node *node)
{
    bool nothing = node->kind == DOC_NULL || (node->kind >= DOC_LIST && node->n == 0) ||
                   (strcmp(node->key, "telemetry") == 0 && node->kind < DOC_LIST &&
                    strcmp(node->as.text, "off") == 0);
    if (!nothing)
        load_fault(
            l, at, node, "the key '%s' is not supported by this version yet", node->key);
}

static const struct job_key {
    const char *name;
    job_reader *read; /* NULL: `tasks`, read after the others */
} keys[] = {{"name", read_name},
            {"ranks", read_ranks},
            {"nodes", read_nodes},
            {"ranks-per-node", read_ranks_per_node},
            {"per-rank", read_per_rank},
            {"mapping", read_mapping},
            {"time", read_time},
            {"oversubscribe", read_oversubscribe},
            {"tasks", NULL},
            {"results", read_results},
            {"telemetry", read_later},
            {"needs", read_later},
            {"constraints", read_later},
            {"notify", read_later},
            {"hosts", read_later}};

enum { N_KEYS = sizeof(keys) / sizeof(keys[0]) };

static const struct job_key *find_key(const char *name)
{
    for (size_t i = 0; i < N_KEYS; i++) {
        if (strcmp(keys[i].name, name) == 0)
            return &keys[i];
    }
    return NULL;
}

static void unknown_key(struct load *l, const struct doc_node *item)
{
    static const char *const of_stage[] = {"kernel",
                                           "command",
                                           "args",
                                           "matrix",
                                           "shards",
                                           "group",
                                           "timeout",
                                           "retry",
                                           "env"};
    struct load_key known[N_KEYS + 9];
    size_t n = 0;
    for (size_t i = 0; i < N_KEYS; i++) {
        if (keys[i].read != read_later)
            known[n++] = (struct load_key){.name = keys[i].name};
    }
    for (size_t i = 0; i < sizeof(of_stage) / sizeof(of_stage[0]); i++)
        known[n++] = (struct load_key){.name = of_stage[i]};
    load_unknown_key(l, NULL, item, known, n);
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
        else if (k == NULL && !stage_is_key(item->key))
            unknown_key(l, item);
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
    else if (product > 0 && s->ranks == 0)
        l->spec->ranks = (unsigned)product;
    else if (product > 0 && s->ranks != product && ranks != NULL)
        load_fault(l,
                   &ranks_at,
                   ranks,
                   "%u, but nodes times ranks-per-node is %llu",
                   s->ranks,
                   (unsigned long long)product);
}
