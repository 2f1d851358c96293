/* See load.h: a canonical job without a Gridmill part. Each entry of its tasks is a stage
 * whose tasks run all at once, a rank each, on the slots of its label. Invariant: nothing
 * in a command is a reference. */
#include "base/file.h"
#include "base/memory.h"
#include "load.h"
#include "spec/flux.h"
#include "spec/request.h"

enum { MOST_VARIABLES = 1000000 };

static struct jobspec_template literal(const struct load *l, const char *text)
{
    struct jobspec_piece *piece = arena_alloc(l->arena, 1, sizeof(*piece));
    piece->text = text;
    return (struct jobspec_template){.pieces = piece, .n = 1};
}

static void
set_command(const struct load *l, const struct flux_task *task, struct jobspec_stage *s)
{
    struct jobspec_template *words =
        arena_alloc(l->arena, task->n_command, sizeof(*words));
    for (unsigned i = 0; i < task->n_command; i++)
        words[i] = literal(l, task->command[i]);
    s->command = words;
    s->n_command = task->n_command;
}

static struct jobspec_env variable(const struct load *l, const struct flux_env *e)
{
    return (struct jobspec_env){.name = e->name,
                                .unset = e->value == NULL,
                                .value = literal(l, e->value != NULL ? e->value : "")};
}

/* The job's environment, which tasks without an own one share. */
struct common_env {
    struct jobspec_env *items;
    unsigned n;
    size_t copied; /* variables of all tasks that have one of their own */
};

static struct common_env read_env(const struct load *l, const struct flux_job *job)
{
    struct common_env c = {.items = arena_alloc(l->arena, job->n_env, sizeof(*c.items)),
                           .n = job->n_env};
    for (unsigned i = 0; i < job->n_env; i++)
        c.items[i] = variable(l, &job->env[i]);
    return c;
}

/* The job's environment, and the task's on top of it. False: too much of it (told). */
static bool set_env(const struct load *l,
                    struct common_env *c,
                    const struct flux_task *task,
                    struct jobspec_stage *s)
{
    s->env = c->items;
    s->n_env = c->n;
    if (task->n_env == 0)
        return true;
    size_t most = xadd(c->n, task->n_env);
    c->copied += most;
    if (c->copied > MOST_VARIABLES) {
        faults_add(l->faults,
                   NULL,
                   task->line,
                   task->col,
                   "the environments of the tasks up to this one hold more than %d "
                   "variables, the job's counted for each",
                   MOST_VARIABLES);
        return false;
    }
    struct jobspec_env *env = arena_alloc(l->arena, most, sizeof(*env));
    AUTO(strmap) index = strmap_make_for(most);
    unsigned n = 0;
    for (size_t i = 0; i < most; i++) {
        struct jobspec_env e = i < c->n ? c->items[i] : variable(l, &task->env[i - c->n]);
        size_t at = n;
        n += strmap_add(index, e.name, &at);
        env[at] = e;
    }
    s->env = env;
    s->n_env = n;
    return true;
}

/* The program's name, and a number from the second on. */
static const char *stage_name(struct load *l, const struct flux_task *task, unsigned i)
{
    size_t last = 1;
    const char *word =
        load_make_name(l->arena, request_program(task->command[0]), 80, false);
    const char *name = word[0] != '\0' ? word : arena_printf(l->arena, "task%u", i);
    const char *key = arena_printf(l->arena, "%s/", name); /* where its numbers are */
    (void)strmap_get(l->stage_index, key, &last);
    size_t other;
    const char *own = name;
    while (strmap_get(l->stage_index, own, &other))
        own = arena_printf(l->arena, "%s-%zu", name, ++last);
    strmap_put(l->stage_index, key, last);
    strmap_put(l->stage_index, own, i);
    return own;
}

static void set_count(const struct flux_job *job,
                      const struct flux_task *task,
                      struct jobspec_stage *s)
{
    static const enum jobspec_per per[] = {[FLUX_PER_SLOT] = JOBSPEC_PER_SLOT,
                                           [FLUX_PER_RESOURCE] = JOBSPEC_PER_RESOURCE,
                                           [FLUX_TOTAL] = JOBSPEC_TOTAL};
    s->per = per[task->per];
    s->per_count = (uint64_t)task->count;
    s->per_type = task->per_type;
    if (job->per_resource_type != NULL) { /* before any other, as in Flux */
        s->per = JOBSPEC_PER_RESOURCE;
        s->per_count = (uint64_t)job->per_resource_count;
        s->per_type = job->per_resource_type;
    }
}

static void read_tasks(struct load *l, const struct flux_job *job)
{
    l->n_stages = job->n_tasks;
    l->stages = arena_alloc(l->arena, l->n_stages, sizeof(*l->stages));
    struct common_env common = read_env(l, job);
    bool fits = true;
    for (unsigned i = 0; i < job->n_tasks; i++) {
        const struct flux_task *task = &job->tasks[i];
        struct jobspec_stage *s = &l->stages[i];
        *s = (struct jobspec_stage){.line = task->line, .col = task->col};
        running_defaults(s);
        s->name = stage_name(l, task, i);
        set_command(l, task, s);
        fits = fits && set_env(l, &common, task, s);
        s->slot = flux_task_slot(job, task); /* NULL: jobspec_check_runnable tells */
        set_count(job, task, s);
    }
}

/* How many tasks a stage has, once a plan fixed it. */
static void read_seats(struct load *l)
{
    uint64_t ranks = 0;
    if (l->opt->seated == NULL)
        return;
    if (l->opt->n_seated != l->n_stages) {
        faults_add(l->faults,
                   NULL,
                   0,
                   0,
                   "the plan seats %u stages, but the job has %u",
                   l->opt->n_seated,
                   l->n_stages);
        return;
    }
    for (unsigned i = 0; i < l->n_stages; i++) {
        l->stages[i].n_tasks = l->opt->seated[i];
        l->stages[i].first_rank = (unsigned)ranks;
        if (__builtin_add_overflow(ranks, l->opt->seated[i], &ranks) ||
            ranks > INT32_MAX) {
            faults_add(
                l->faults, NULL, 0, 0, "the plan seats more than 2147483647 ranks");
            return;
        }
    }
}

/* A --set can change what is told about the job, not what it runs on what. */
static bool is_fixed(const char *key)
{
    static const char *const fixed[] = {
        "ranks", "nodes", "ranks-per-node", "per-rank", "tasks"};
    for (size_t i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++) {
        if (strcmp(fixed[i], key) == 0)
            return true;
    }
    return stage_is_key(key);
}

static void check_sets(struct load *l, const struct doc_node *view)
{
    for (unsigned i = 0; i < view->n; i++) {
        const struct doc_node *item = &view->as.items[i];
        const struct fault_path at = {.key = item->key};
        if (!is_fixed(item->key))
            continue;
        load_fault(l,
                   &at,
                   item,
                   "a canonical job without attributes.user.gridmill says this by its "
                   "resources and tasks: change it there");
    }
}

const char *seated_name(struct arena *a, const struct flux_job *job)
{
    bool given = job->name != NULL && job->name[0] != '\0';
    const char *command = job->tasks[0].command[0];
    return given ? load_make_name(a, job->name, 100, true) : request_name(a, command);
}

/* Flux takes any text as a job's name, and the program's where there is none; the results
 * are then named after the file. */
static void set_names(struct load *l, const struct flux_job *job)
{
    bool given = job->name != NULL && job->name[0] != '\0';
    const char *stem =
        given ? load_make_name(l->arena, job->name, 100, true) : l->spec->name;
    if (l->spec->results == NULL) {
        const char *file = arena_printf(l->arena, "%s.h5", stem);
        AUTO_FREE(char) path = file_absolute(l->spec->dir, file);
        l->spec->results = arena_strdup(l->arena, path);
    }
    l->spec->name = seated_name(l->arena, job);
}

static void
warn_ignored(struct load *l, const struct fault_path *at, const struct doc_node *item)
{
    faults_warn(l->faults,
                at,
                item->key_line,
                item->key_col,
                "'%.80s' is for Flux, Gridmill does not obey it",
                item->key);
}

static bool is_one_of(const char *key, const char *const *words)
{
    while (*words != NULL && strcmp(*words, key) != 0)
        words++;
    return *words != NULL;
}

/* What Flux's scheduler and shell do, and our ranks do not. */
static void warn_of_flux(struct load *l, const struct flux_job *job)
{
    static const char *const ours[] = {"per-resource", "verbose", NULL};
    static const char *const theirs[] = {
        "queue", "bank", "project", "preemptible-after", "files", NULL};
    static const struct fault_path attributes = {.key = "attributes"},
                                   system_at = {.up = &attributes, .key = "system"},
                                   shell = {.up = &system_at, .key = "shell"},
                                   options_at = {.up = &shell, .key = "options"};
    const struct doc_node *system =
        job->attributes != NULL ? doc_get(job->attributes, "system") : NULL;
    for (unsigned i = 0; system != NULL && system->kind == DOC_MAP && i < system->n;
         i++) {
        if (is_one_of(system->as.items[i].key, theirs))
            warn_ignored(l, &system_at, &system->as.items[i]);
    }
    const struct doc_node *options = system != NULL ? doc_get(system, "shell") : NULL;
    options = options != NULL ? doc_get(options, "options") : NULL;
    for (unsigned i = 0; options != NULL && options->kind == DOC_MAP && i < options->n;
         i++) {
        if (!is_one_of(options->as.items[i].key, ours))
            warn_ignored(l, &options_at, &options->as.items[i]);
    }
}

void seated_read(struct load *l, const struct flux_job *job, const struct doc_node *view)
{
    l->spec->resources = job->resources;
    l->spec->n_resources = job->n_resources;
    read_tasks(l, job);
    read_seats(l);
    warn_of_flux(l, job);
    check_sets(l, view);
    keys_read(l, view);
    if (doc_get(view, "name") == NULL) /* else it is a --set's */
        set_names(l, job);
}
