/* See load.h: a stage's keys, read in three passes from one table. Invariant: after the
 * heads pass every stage has a name that is its own, and a kernel or a command unless
 * bad_kernel. */
#include "load.h"
#include "tasks.h"

enum pass { HEAD = 1, SHAPE, CUT, LINK };
enum who { ANY, KERNEL, COMMAND };

static stage_reader read_name, read_kernel, read_command, read_group, read_timeout,
    read_retry, read_env;

static const struct stage_key {
    const char *name;
    enum pass pass;
    enum who who;
    bool listed; /* in `tasks` only: at the top level the word is the job's */
    stage_reader *read;
} keys[] = {{"name", HEAD, ANY, true, read_name},
            {"kernel", HEAD, ANY, false, read_kernel},
            {"matrix", SHAPE, ANY, false, matrix_read},
            {"shards", CUT, ANY, false, cut_read},
            {"group", SHAPE, ANY, false, read_group},
            {"timeout", SHAPE, ANY, false, read_timeout},
            {"retry", SHAPE, ANY, false, read_retry},
            {"crash-limit", SHAPE, ANY, false, running_crash_limit},
            {"checkpoint", SHAPE, KERNEL, false, running_checkpoint},
            {"priority", SHAPE, ANY, false, running_priority},
            {"max-in-flight", SHAPE, ANY, false, running_max_in_flight},
            {"cores", SHAPE, ANY, false, running_cores},
            {"gpus", SHAPE, ANY, false, running_gpus},
            {"args", LINK, KERNEL, false, args_read},
            {"command", LINK, COMMAND, false, read_command},
            {"env", LINK, COMMAND, false, read_env},
            {"stdin", LINK, COMMAND, false, running_stdin},
            {"inherit", LINK, COMMAND, false, running_inherit},
            {"limits", LINK, COMMAND, false, running_limits},
            {"output-limit", LINK, COMMAND, false, running_output_limit},
            {"needs", LINK, ANY, true, needs_read}};

enum { N_KEYS = sizeof(keys) / sizeof(keys[0]) };

static const struct stage_key *find_key(const char *name)
{
    for (size_t i = 0; i < N_KEYS; i++) {
        if (strcmp(keys[i].name, name) == 0)
            return &keys[i];
    }
    return NULL;
}

bool stage_is_key(const char *name)
{
    const struct stage_key *k = find_key(name);
    return k != NULL && !k->listed;
}

static bool is_root(const struct load_stage *h)
{
    return h->at == NULL;
}

/* Reads the stage's keys of one pass, in file order. */
static void run_pass(struct load *l, struct load_stage *h, enum pass pass)
{
    for (unsigned i = 0; h->map->kind == DOC_MAP && i < h->map->n; i++) {
        const struct doc_node *item = &h->map->as.items[i];
        const struct stage_key *k = find_key(item->key);
        if (k == NULL || k->pass != pass || (k->listed && is_root(h)))
            continue;
        struct fault_path here = {.up = h->at, .key = item->key};
        bool kernel = h->s->kernel != NULL;
        if (k->who == ANY || (!h->bad_kernel && kernel == (k->who == KERNEL)))
            k->read(l, h, &here, item);
        else if (!h->bad_kernel)
            load_fault(l,
                       &here,
                       item,
                       "is for %s; this stage runs a %s",
                       kernel ? "commands" : "kernels",
                       kernel ? "kernel" : "command");
    }
}

static void read_name(struct load *l,
                      struct load_stage *h,
                      const struct fault_path *at,
                      const struct doc_node *node)
{
    static const char *const taken[] = {"task", "shard", "results"};
    const char *text;
    if (!load_text(l, at, node, &text))
        return;
    if (!load_is_name(text, false)) {
        load_fault(
            l, at, node, "a stage is named by letters, digits, '-' and '_', at most 100");
        return;
    }
    for (size_t i = 0; i < sizeof(taken) / sizeof(taken[0]); i++) {
        if (strcmp(taken[i], text) == 0) {
            load_fault(l,
                       at,
                       node,
                       "'%s' is a word of references: name the stage otherwise",
                       text);
            return;
        }
    }
    size_t other;
    if (strmap_get(l->stage_index, text, &other)) {
        load_fault(l, at, node, "the name '%s' is taken by tasks[%zu]", text, other);
        return;
    }
    h->s->name = arena_strdup(l->arena, text);
    strmap_put(l->stage_index, h->s->name, (size_t)(h - l->heads));
}

/* A name that is not linked in: `hint` is what it may have been meant to be. */
static void read_named(struct load *l,
                       struct load_stage *h,
                       const struct fault_path *at,
                       const struct doc_node *node,
                       const char *hint)
{
    struct gm_error err = {0};
    int rc = plugin_named(l, at, node, node->as.text, &h->s->kernel, &err);
    if (rc == -ENOENT)
        load_fault(l,
                   at,
                   node,
                   "unknown kernel '%.80s'%s%s%s",
                   node->as.text,
                   hint,
                   err.text[0] != '\0' ? "; not looked at: " : "",
                   err.text);
    else if (rc < 0)
        load_fault(l, at, node, "%s", err.text);
}

static void read_kernel(struct load *l,
                        struct load_stage *h,
                        const struct fault_path *at,
                        const struct doc_node *node)
{
    const char *text, *names[128];
    size_t n = 0;
    char hint[128];
    if (!load_text(l, at, node, &text))
        return;
    if (strpbrk(text, "/#") != NULL) {
        h->s->kernel = plugin_kernel(l, at, node, text);
        h->s->kernel_file = arena_strdup(l->arena, text);
        return;
    }
    for (unsigned i = 0; i < l->opt->n_kernels; i++) {
        if (strcmp(l->opt->kernels[i]->name, text) == 0)
            h->s->kernel = l->opt->kernels[i];
        if (n < sizeof(names) / sizeof(names[0]))
            names[n++] = l->opt->kernels[i]->name;
    }
    if (h->s->kernel == NULL)
        read_named(l, h, at, node, load_hint(text, names, n, hint));
}

static void read_group(struct load *l,
                       struct load_stage *h,
                       const struct fault_path *at,
                       const struct doc_node *node)
{
    const struct gm_kernel *k = h->s->kernel;
    unsigned ranks = l->spec->ranks;
    int64_t v = 0;
    bool all = node->kind == DOC_STRING && strcmp(node->as.text, "all") == 0;
    if (node->kind == DOC_STRING && !all) {
        load_fault(
            l, at, node, "must be a number of ranks or all, not '%.80s'", node->as.text);
        return;
    }
    if (!all && !load_int(l, at, node, 1, 1 << 20, &v))
        return;
    if (v != 1 && !h->bad_kernel && k == NULL)
        load_fault(l, at, node, "a command runs on one rank: group must be 1");
    else if (v != 1 && k != NULL && (k->traits & GM_TAKES_GROUP) == 0)
        load_fault(l,
                   at,
                   node,
                   "a task of the kernel '%s' runs on one rank: group must be 1",
                   k->name);
    else if (ranks > 0 && v > ranks)
        load_fault(
            l, at, node, "%lld ranks a task, but the job has %u", (long long)v, ranks);
    h->s->group = (unsigned)v;
}

static void read_timeout(struct load *l,
                         struct load_stage *h,
                         const struct fault_path *at,
                         const struct doc_node *node)
{
    (void)load_duration(l, at, node, &h->s->timeout);
}

static void read_retry_on(struct load *l,
                          struct load_stage *h,
                          const struct fault_path *at,
                          const struct doc_node *node)
{
    const struct words *known = words_find(&words_stage, "retry")->keys;
    const struct word *word = words_find(known, "on")->item;
    if (node->kind != DOC_LIST) {
        load_fault(l,
                   at,
                   node,
                   "must be a list of exit, signal, timeout, node, not %s",
                   doc_kind_name(node->kind));
        return;
    }
    h->s->retry_on = 0;
    for (unsigned i = 0; i < node->n; i++) {
        struct fault_path here = {.up = at, .index = i};
        int w = load_choice(l, &here, &node->as.items[i], word);
        if (w >= 0)
            h->s->retry_on |= 1u << w;
    }
}

static void read_retry(struct load *l,
                       struct load_stage *h,
                       const struct fault_path *at,
                       const struct doc_node *node)
{
    int64_t v;
    if (!load_check_keys(l, at, node, words_find(&words_stage, "retry")->keys))
        return;
    const struct doc_node *limit = doc_get(node, "limit"), *on = doc_get(node, "on");
    struct fault_path here = {.up = at, .key = "limit"};
    if (limit == NULL)
        load_fault(l, at, node, "needs limit: the number of attempts after the first");
    else if (load_int(l, &here, limit, 0, 1000, &v))
        h->s->retry_limit = (unsigned)v;
    h->s->retry_on = JOBSPEC_RETRY_EXIT | JOBSPEC_RETRY_SIGNAL | JOBSPEC_RETRY_TIMEOUT |
                     JOBSPEC_RETRY_NODE;
    struct fault_path on_at = {.up = at, .key = "on"};
    if (on != NULL)
        read_retry_on(l, h, &on_at, on);
}

/* A scalar of a command or an environment: its text as written, cut at its references. */
static bool read_word(struct load *l,
                      struct load_stage *h,
                      const struct fault_path *at,
                      const struct doc_node *node,
                      struct jobspec_template *ret)
{
    if (node->kind == DOC_NULL || node->kind >= DOC_LIST) {
        load_fault(l, at, node, "must be a string, not %s", doc_kind_name(node->kind));
        return false;
    }
    return refs_cut(l, h, at, node, ret);
}

static void read_command(struct load *l,
                         struct load_stage *h,
                         const struct fault_path *at,
                         const struct doc_node *node)
{
    if (node->kind != DOC_LIST) {
        load_fault(
            l,
            at,
            node,
            "must be a list of words such as [python3, plot.py], not %s (there is no "
            "shell)",
            doc_kind_name(node->kind));
        return;
    }
    if (node->n == 0 ||
        (node->as.items[0].kind == DOC_STRING && node->as.items[0].n == 0)) {
        load_fault(l, at, node, "names no program");
        return;
    }
    struct jobspec_template *words = arena_alloc(l->arena, node->n, sizeof(*words));
    for (unsigned i = 0; i < node->n; i++) {
        struct fault_path here = {.up = at, .index = i};
        if (read_word(l, h, &here, &node->as.items[i], &words[i]))
            cut_check_paths(l, h, &here, &node->as.items[i], &words[i], true);
    }
    h->s->command = words;
    h->s->n_command = node->n;
}

static void read_env(struct load *l,
                     struct load_stage *h,
                     const struct fault_path *at,
                     const struct doc_node *node)
{
    if (node->kind != DOC_MAP) {
        load_fault(l,
                   at,
                   node,
                   "must be a mapping of names to texts, not %s",
                   doc_kind_name(node->kind));
        return;
    }
    struct jobspec_env *env = arena_alloc(l->arena, node->n, sizeof(*env));
    for (unsigned i = 0; i < node->n; i++) {
        const struct doc_node *item = &node->as.items[i];
        struct fault_path here = {.up = at, .key = item->key};
        if (item->key[0] == '\0' || strchr(item->key, '=') != NULL)
            load_fault(l, &here, item, "is no name of an environment variable");
        env[i].name = arena_strdup(l->arena, item->key);
        if (read_word(l, h, &here, item, &env[i].value))
            cut_check_paths(l, h, &here, item, &env[i].value, false);
    }
    h->s->env = env;
    h->s->n_env = node->n;
}

/* Words of the job that stand in a stage get their own sentence. */
static void check_keys(struct load *l, struct load_stage *h)
{
    for (unsigned i = 0; i < h->map->n; i++) {
        const struct doc_node *item = &h->map->as.items[i];
        struct doc_node key = {.line = item->key_line, .col = item->key_col};
        if (words_find(&words_stage, item->key) != NULL)
            continue;
        if (words_find(&words_job, item->key) != NULL)
            load_fault(l,
                       h->at,
                       &key,
                       "'%s' belongs to the job: put it at the top level",
                       item->key);
        else
            load_unknown_key(l, h->at, item, &words_stage);
    }
}

static void read_head(struct load *l, struct load_stage *h)
{
    running_defaults(h->s);
    h->s->line = h->map->line;
    h->s->col = h->map->col;
    if (h->map->kind != DOC_MAP) {
        load_fault(l,
                   h->at,
                   h->map,
                   "must be a mapping of a stage's keys, not %s",
                   doc_kind_name(h->map->kind));
        h->bad_kernel = h->bad_shape = true;
        return;
    }
    if (!is_root(h))
        check_keys(l, h);
    run_pass(l, h, HEAD);
    const struct doc_node *kernel = doc_get(h->map, "kernel");
    const struct doc_node *command = doc_get(h->map, "command");
    if (!is_root(h) && doc_get(h->map, "name") == NULL)
        load_fault(l, h->at, h->map, "needs a name");
    if (kernel == NULL && command == NULL)
        load_fault(l, h->at, h->map, "needs a kernel or a command");
    if (kernel != NULL && command != NULL)
        load_fault(l, h->at, h->map, "has a kernel and a command: it can run only one");
    h->bad_kernel =
        (kernel == NULL) == (command == NULL) || (kernel != NULL && h->s->kernel == NULL);
}

void stage_heads(struct load *l,
                 const struct doc_node *root,
                 const struct doc_node *tasks)
{
    static const struct fault_path tasks_at = {.key = "tasks"};
    l->n_stages = tasks != NULL ? tasks->n : 1;
    l->stages = arena_alloc(l->arena, l->n_stages, sizeof(*l->stages));
    l->heads = arena_alloc(l->arena, l->n_stages, sizeof(*l->heads));
    l->need_slots = arena_alloc(l->arena, l->n_stages, sizeof(*l->need_slots));
    for (unsigned i = 0; i < l->n_stages; i++) {
        struct load_stage *h = &l->heads[i];
        h->s = &l->stages[i];
        h->map = tasks != NULL ? &tasks->as.items[i] : root;
        if (tasks != NULL) {
            struct fault_path *at = arena_alloc(l->arena, 1, sizeof(*at));
            *at = (struct fault_path){.up = &tasks_at, .index = i};
            h->at = at;
        } else {
            h->s->name = "main";
            strmap_put(l->stage_index, h->s->name, 0);
        }
        read_head(l, h);
        if (h->s->name == NULL) /* told; others still want to speak of it */
            h->s->name = arena_printf(l->arena, "tasks[%u]", i);
    }
}

static void check_shards(struct load *l, struct load_stage *h)
{
    const struct gm_kernel *k = h->s->kernel;
    const struct doc_node *shards = doc_get(h->map, "shards");
    struct fault_path here = {.up = h->at, .key = "shards"};
    if (k == NULL)
        return;
    if (shards == NULL && (k->traits & GM_NEEDS_SHARDS) != 0)
        load_fault(
            l, &here, h->map, "the kernel '%s' needs it: the data set to cut", k->name);
    if (shards != NULL && (k->traits & (GM_NEEDS_SHARDS | GM_TAKES_SHARDS)) == 0)
        load_fault(l, &here, shards, "the kernel '%s' takes no shards", k->name);
}

void stage_shapes(struct load *l)
{
    for (unsigned i = 0; i < l->n_stages; i++) {
        struct load_stage *h = &l->heads[i];
        run_pass(l, h, SHAPE);
        run_pass(l, h, CUT); /* axes are known now */
        check_shards(l, h);
        matrix_count(l, h);
    }
}

/* ${results} shows what the stage's needs committed: without needs, nothing. */
static void check_results(struct load *l, struct load_stage *h)
{
    for (unsigned i = 0; i < h->s->n_command && h->n_needs == 0; i++) {
        const struct jobspec_template *t = &h->s->command[i];
        struct fault_path command = {.up = h->at, .key = "command"};
        struct fault_path here = {.up = &command, .index = i};
        for (unsigned p = 0; p < t->n; p++) {
            const struct jobspec_ref *ref = t->pieces[p].ref;
            if (ref != NULL && ref->kind == JOBSPEC_REF_RESULTS)
                load_fault(
                    l,
                    &here,
                    &doc_get(h->map, "command")->as.items[i],
                    "${results} holds the stages that this one needs, and it needs none");
        }
    }
}

/* Ranks that a task's arguments leave without work are told, as far as they are known:
 * the job is right all the same. */
static void check_width(struct load *l, const struct load_stage *h)
{
    const struct gm_kernel *k = h->s->kernel;
    const struct doc_node *node = doc_get(h->map, "group");
    unsigned group = h->s->group > 0 ? h->s->group : l->spec->ranks;
    struct fault_path here = {.up = h->at, .key = "group"};
    if (k == NULL || k->width == NULL || group < 2 || l->faults->n_errors > 0)
        return;
    struct gm_params common = tasks_common(h->s, l->arena);
    uint64_t width = k->width(&common);
    if (width > 0 && width < group)
        load_warn(l,
                  &here,
                  node != NULL ? node : h->map,
                  "the arguments give %llu of a task's %u ranks work: %llu will idle",
                  (unsigned long long)width,
                  group,
                  (unsigned long long)(group - width));
}

void stage_links(struct load *l)
{
    for (unsigned i = 0; i < l->n_stages; i++) {
        struct load_stage *h = &l->heads[i];
        struct fault_path args_at = {.up = h->at, .key = "args"};
        run_pass(l, h, LINK);
        if (h->s->kernel != NULL && !h->bad_kernel && h->s->args == NULL)
            args_read(l, h, &args_at, NULL);
        check_width(l, h);
        check_results(l, h);
        h->s->needs = h->needs;
        h->s->n_needs = h->n_needs;
    }
}
