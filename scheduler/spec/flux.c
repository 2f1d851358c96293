/* See flux.h: the document and its tasks. Invariant: a task's slot is looked up only
 * where all labels could be read, so that one wrong label is one fault. */
#include "flux.h"
#include "base/strmap.h"
#include "flux_load.h"

/* Each task is sought among all slots: more entries than anybody writes are refused. */
enum { MOST_TASKS = 1000, MOST_HINTS = 20 };

/* Slots side by side; one within another is not meant by a label that is nobody's. */
static unsigned count_slots(const struct resource *list, unsigned n)
{
    unsigned slots = 0;
    for (unsigned i = 0; i < n; i++)
        slots += strcmp(list[i].type, "slot") == 0
                     ? 1
                     : count_slots(list[i].with, list[i].n_with);
    return slots;
}

const struct resource *flux_task_slot(const struct flux_job *job,
                                      const struct flux_task *task)
{
    const struct resource *slot =
        resource_slot(job->resources, job->n_resources, task->slot);
    if (slot == NULL && count_slots(job->resources, job->n_resources) == 1)
        slot = resource_slot(job->resources, job->n_resources, NULL);
    return slot;
}

static void read_command(struct flux_load *l,
                         const struct fault_path *up,
                         const struct doc_node *node,
                         struct flux_task *task)
{
    struct fault_path at = {.up = up, .key = "command"};
    if (node->kind != DOC_LIST || node->n == 0) {
        flux_fault(l,
                   &at,
                   node,
                   "must be a list of a program and its arguments, not %s",
                   node->kind == DOC_LIST ? "an empty one" : doc_kind_name(node->kind));
        return;
    }
    const char **argv = arena_alloc(l->arena, node->n, sizeof(*argv));
    for (unsigned i = 0; i < node->n; i++) {
        const struct doc_node *word = &node->as.items[i];
        struct fault_path here = {.up = &at, .index = i};
        argv[i] = "";
        if (word->kind != DOC_STRING || (i == 0 && word->n == 0))
            (void)flux_text(l, &here, word, &argv[i]);
        else
            argv[i] = word->as.text;
    }
    task->command = argv;
    task->n_command = node->n;
}

/* A label near to what was written, for a hint; nobody reads many of them. */
static const char *near_label(const struct resource *list, unsigned n, const char *label)
{
    const char *near = NULL;
    for (unsigned i = 0; i < n && near == NULL; i++) {
        const struct resource *r = &list[i];
        if (r->label != NULL && strcmp(r->type, "slot") == 0)
            near = str_nearest(label, &r->label, 1);
        if (near == NULL)
            near = near_label(r->with, r->n_with, label);
    }
    return near;
}

static const char *first_label(const struct resource *list, unsigned n)
{
    const struct resource *slot = resource_slot(list, n, NULL);
    return slot != NULL && slot->label != NULL ? slot->label : "";
}

static void read_slot(struct flux_load *l,
                      const struct fault_path *up,
                      const struct doc_node *node,
                      struct flux_task *task)
{
    const struct flux_job *job = l->job;
    struct fault_path at = {.up = up, .key = "slot"};
    if (!flux_text(l, &at, node, &task->slot) || l->unsure ||
        resource_slot(job->resources, job->n_resources, task->slot) != NULL)
        return;
    const struct resource *only = flux_task_slot(job, task);
    const char *near = l->faults->n < MOST_HINTS
                           ? near_label(job->resources, job->n_resources, task->slot)
                           : NULL;
    if (only != NULL && only->label != NULL && l->is->label == FLUX_WARN)
        flux_say(
            l,
            FLUX_WARN,
            &at,
            node,
            "no slot has the label '%.80s'; like Flux we take the only slot, '%.80s'",
            task->slot,
            only->label);
    else
        flux_say(l,
                 l->is->label,
                 &at,
                 node,
                 "no slot has the label '%.80s'; %s '%.80s'%s",
                 task->slot,
                 near != NULL ? "did you mean" : "there is",
                 near != NULL ? near : first_label(job->resources, job->n_resources),
                 near != NULL ? "?" : "");
}

/* The type of per_resource must be one that the task's slot holds. */
static void check_per_type(struct flux_load *l,
                           const struct fault_path *at,
                           const struct doc_node *node,
                           struct flux_task *task)
{
    const struct flux_job *job = l->job;
    const struct resource *slot = task->slot != NULL ? flux_task_slot(job, task) : NULL;
    enum flux_verdict verdict = l->is->per_type;
    if (l->unsure || slot == NULL ||
        flux_count_type(slot->with, slot->n_with, task->per_type) != 0)
        return;
    if (flux_count_type(job->resources, job->n_resources, task->per_type) == 0)
        verdict = FLUX_FAULT;
    flux_say(l,
             verdict,
             at,
             node,
             "the slot '%.80s' holds no '%.80s'",
             slot->label != NULL ? slot->label : "",
             task->per_type);
}

static const struct flux_key per_resource_keys[] = {
    {"type", "a type that the slot holds"},
    {"count", "how many tasks each of them runs"}};

static void read_per_resource(struct flux_load *l,
                              const struct fault_path *at,
                              const struct doc_node *node,
                              struct flux_task *task)
{
    const struct doc_node *type = doc_get(node, "type"), *count = doc_get(node, "count");
    struct fault_path type_at = {.up = at, .key = "type"},
                      count_at = {.up = at, .key = "count"};
    if (l->is->texts_alone) {
        flux_fault(l, at, node, "Fluxion takes no mapping: per_slot or total");
        return;
    }
    if (!flux_keys(l, at, node, per_resource_keys, 2, FLUX_FAULT))
        return;
    if (count != NULL)
        (void)flux_int(l, &count_at, count, 1, &task->count);
    if (type != NULL && flux_text(l, &type_at, type, &task->per_type))
        check_per_type(l, &type_at, type, task);
}

static const struct flux_key count_keys[] = {
    {"per_slot", NULL}, {"per_resource", NULL}, {"total", NULL}};

static void read_count(struct flux_load *l,
                       const struct fault_path *up,
                       const struct doc_node *node,
                       struct flux_task *task)
{
    struct fault_path at = {.up = up, .key = "count"};
    if (!flux_keys(l, &at, node, count_keys, 3, FLUX_FAULT))
        return;
    if (node->n != 1) {
        flux_fault(
            l,
            &at,
            node,
            "must have exactly one of per_slot, per_resource and total, not %u keys",
            node->n);
        return;
    }
    const struct doc_node *item = &node->as.items[0];
    struct fault_path here = {.up = &at, .key = item->key};
    if (strcmp(item->key, "per_resource") == 0) {
        struct doc_node place = flux_key_place(item);
        task->per = FLUX_PER_RESOURCE;
        if (l->v1)
            flux_v1_say(
                l, FLUX_FAULT, &at, &place, "in version 1 a count is per_slot or total");
        else
            read_per_resource(l, &here, item, task);
        return;
    }
    if (strcmp(item->key, "per_slot") != 0 && strcmp(item->key, "total") != 0)
        return;
    task->per = item->key[0] == 't' ? FLUX_TOTAL : FLUX_PER_SLOT;
    if (flux_int(l, &here, item, 1, &task->count) && l->v1)
        flux_v1_count(l, &here, item, task);
}

static void read_task_attributes(struct flux_load *l,
                                 const struct fault_path *up,
                                 const struct doc_node *node,
                                 struct flux_task *task)
{
    struct fault_path at = {.up = up, .key = "attributes"},
                      env_at = {.up = &at, .key = "environment"};
    const struct doc_node *env = doc_get(node, "environment");
    if (node->kind != DOC_MAP) {
        flux_fault(l, &at, node, "must be a mapping, not %s", doc_kind_name(node->kind));
        return;
    }
    for (unsigned i = 0; i < node->n && l->is->texts_alone; i++) {
        const struct doc_node *item = &node->as.items[i];
        struct fault_path here = {.up = &at, .key = item->key};
        if (item->kind == DOC_LIST || item->kind == DOC_MAP)
            flux_fault(l,
                       &here,
                       item,
                       "Fluxion takes texts alone in a task's attributes, not %s",
                       doc_kind_name(item->kind));
    }
    if (env != NULL && !l->is->texts_alone)
        flux_environment(l, &env_at, env, &task->env, &task->n_env);
}

static const struct flux_key task_keys[] = {
    {"command", "a list of a program and its arguments"},
    {"slot", "the label of the slot it runs on"},
    {"count", "how many tasks: per_slot, per_resource or total"},
    {"distribution", NULL},
    {"attributes", NULL}};

static void read_task(struct flux_load *l,
                      const struct fault_path *at,
                      const struct doc_node *node,
                      struct flux_task *task)
{
    struct fault_path distribution_at = {.up = at, .key = "distribution"};
    const struct doc_node *v;
    const char *ignored;
    *task = (struct flux_task){
        .per = FLUX_PER_SLOT, .count = 1, .line = node->line, .col = node->col};
    if (!flux_keys(l, at, node, task_keys, l->v1 ? 3 : 5, l->is->task_key))
        return;
    if ((v = doc_get(node, "command")) != NULL)
        read_command(l, at, v, task);
    if ((v = doc_get(node, "slot")) != NULL)
        read_slot(l, at, v, task);
    if ((v = doc_get(node, "count")) != NULL)
        read_count(l, at, v, task);
    if ((v = doc_get(node, "distribution")) != NULL)
        (void)flux_text(l, &distribution_at, v, &ignored);
    if ((v = doc_get(node, "attributes")) != NULL)
        read_task_attributes(l, at, v, task);
}

static void
read_tasks(struct flux_load *l, const struct fault_path *at, const struct doc_node *list)
{
    if (!flux_list(l, at, list, "tasks"))
        return;
    if (list->n == 0)
        flux_fault(l, at, list, "must hold at least one task");
    if (l->v1 && list->n > 1)
        flux_v1_say(l,
                    FLUX_FAULT,
                    at,
                    list,
                    "version 1 has one task, not %u: Flux would read the first alone",
                    list->n);
    if (list->n > MOST_TASKS) {
        flux_fault(l, at, list, "%u tasks; a jobspec holds at most 1000", list->n);
        return;
    }
    struct flux_task *tasks = arena_alloc(l->arena, list->n, sizeof(*tasks));
    for (unsigned i = 0; i < list->n; i++) {
        struct fault_path here = {.up = at, .index = i};
        read_task(l, &here, &list->as.items[i], &tasks[i]);
    }
    l->job->tasks = tasks;
    l->job->n_tasks = list->n;
}

static void read_version(struct flux_load *l,
                         const struct fault_path *at,
                         const struct doc_node *node)
{
    int64_t version = 0;
    if (!flux_int(l, at, node, 1, &version))
        return;
    if (version > l->is->max_version)
        flux_fault(l, at, node, "Fluxion knows versions up to 9999");
    else if (l->rules->only_v1 && version != 1)
        flux_fault(l, at, node, "must be 1, not %lld", (long long)version);
    l->job->version = (int)version;
}

static const struct flux_key top_keys[] = {
    {"version", "1, or another number such as 999 for what version 1 cannot say"},
    {"resources", "a list of what is asked for"},
    {"tasks", "a list of what is run"},
    {"attributes", "a mapping with system and user, or {}"}};

bool flux_read(struct arena *a,
               const struct doc_node *root,
               const struct flux_rules *rules,
               struct jobspec_faults *faults,
               struct flux_job *ret)
{
    AUTO(strmap) labels = strmap_make();
    struct flux_load l = {.arena = a,
                          .rules = rules,
                          .is = flux_traits(rules->dialect),
                          .faults = faults,
                          .job = ret,
                          .labels = labels};
    struct fault_path version = {.key = "version"}, resources = {.key = "resources"},
                      attributes = {.key = "attributes"}, tasks = {.key = "tasks"};
    size_t before = faults->n_errors;
    const struct doc_node *v;
    *ret = (struct flux_job){0};
    if (!flux_keys(&l, NULL, root, top_keys, 4, FLUX_FAULT))
        return false;
    if ((v = doc_get(root, "version")) != NULL)
        read_version(&l, &version, v);
    l.v1 = rules->dialect != DIALECT_FLUXION &&
           (rules->only_v1 || (ret->version == 1 && !rules->any));
    if ((v = doc_get(root, "resources")) != NULL)
        flux_resources(&l, &resources, v);
    else
        l.unsure = true;
    if ((v = doc_get(root, "attributes")) != NULL)
        flux_attributes(&l, &attributes, v);
    if ((v = doc_get(root, "tasks")) != NULL)
        read_tasks(&l, &tasks, v);
    faults->version_1 = faults->version_1 || l.v1_told;
    return faults->n_errors == before;
}

/* attributes.system.shell.options.per-resource: a task count of its own. */
static int64_t count_per_option(const struct flux_job *job)
{
    struct resource_sum sum;
    int64_t of, n;
    if (resource_total(job->resources, job->n_resources, &sum) != 0)
        return -1;
    of = strcmp(job->per_resource_type, "node") == 0 ? sum.nodes : sum.cores;
    if (of < 0 || __builtin_mul_overflow(of, job->per_resource_count, &n))
        return -1;
    return n;
}

static int64_t count_task(const struct flux_job *job, const struct flux_task *task)
{
    const struct resource *slot = flux_task_slot(job, task);
    int64_t n = task->count, times = slot != NULL ? flux_times(job, slot) : -1;
    if (job->per_resource_type != NULL)
        return count_per_option(job);
    if (task->per == FLUX_TOTAL)
        return n;
    if (times < 0 || __builtin_mul_overflow(n, times, &n))
        return -1;
    if (task->per == FLUX_PER_SLOT)
        return n;
    int64_t held = flux_count_type(slot->with, slot->n_with, task->per_type);
    return held < 0 || __builtin_mul_overflow(n, held, &n) ? -1 : n;
}

int64_t flux_count_tasks(const struct flux_job *job)
{
    int64_t sum = 0;
    for (unsigned i = 0; i < job->n_tasks; i++) {
        int64_t n = count_task(job, &job->tasks[i]);
        if (n < 0 || __builtin_add_overflow(sum, n, &sum))
            return -1;
    }
    return sum;
}
