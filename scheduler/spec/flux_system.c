/* See flux_load.h: `attributes`. One table of the words of attributes.system, each with
 * its reader; what is not in it is told as a warning at most, and kept. */
#include "flux_load.h"

typedef void system_reader(struct flux_load *l,
                           const struct fault_path *at,
                           const struct doc_node *node);

static bool is_map(struct flux_load *l,
                   const struct fault_path *at,
                   const struct doc_node *node,
                   const char *of)
{
    if (node->kind == DOC_MAP)
        return true;
    flux_fault(
        l, at, node, "must be a mapping of %s, not %s", of, doc_kind_name(node->kind));
    return false;
}

static void read_duration(struct flux_load *l,
                          const struct fault_path *at,
                          const struct doc_node *node)
{
    (void)flux_seconds(l, at, node, &l->job->duration);
}

static void read_preemptible(struct flux_load *l,
                             const struct fault_path *at,
                             const struct doc_node *node)
{
    double after;
    (void)flux_seconds(l, at, node, &after);
}

static void read_environment(struct flux_load *l,
                             const struct fault_path *at,
                             const struct doc_node *node)
{
    flux_environment(l, at, node, &l->job->env, &l->job->n_env);
}

static void
read_cwd(struct flux_load *l, const struct fault_path *at, const struct doc_node *node)
{
    if (flux_text(l, at, node, &l->job->cwd) && l->job->cwd[0] != '/')
        flux_fault(l, at, node, "'%.200s' must be an absolute path", l->job->cwd);
}

/* A resource manager's own: nothing here is done with it. */
static void
check_text(struct flux_load *l, const struct fault_path *at, const struct doc_node *node)
{
    const char *ignored;
    (void)flux_text(l, at, node, &ignored);
}

static void read_dependencies(struct flux_load *l,
                              const struct fault_path *at,
                              const struct doc_node *node)
{
    if (!flux_list(l, at, node, "dependencies"))
        return;
    if (node->n == 0)
        flux_say(l,
                 l->is->no_needs,
                 at,
                 node,
                 "an empty list: a job without dependencies has no such key");
    for (unsigned i = 0; i < node->n; i++) {
        const struct doc_node *item = &node->as.items[i];
        struct fault_path here = {.up = at, .index = i};
        if (item->kind == DOC_STRING)
            flux_fault(l,
                       &here,
                       item,
                       "must be a mapping of scheme and value; one line is for the short "
                       "form");
    }
    dependency_read_list(l->arena, node, at, l->faults, &l->job->needs, &l->job->n_needs);
}

static void read_constraints(struct flux_load *l,
                             const struct fault_path *at,
                             const struct doc_node *node)
{
    l->job->constraints =
        constraint_read(l->arena, node, at, l->rules->dialect, l->faults);
}

static void
read_job(struct flux_load *l, const struct fault_path *at, const struct doc_node *node)
{
    if (!is_map(l, at, node, "strings"))
        return;
    for (unsigned i = 0; i < node->n; i++) {
        const struct doc_node *item = &node->as.items[i];
        struct fault_path here = {.up = at, .key = item->key};
        if (strcmp(item->key, "name") == 0)
            (void)flux_text(l, &here, item, &l->job->name);
        else if (item->kind != DOC_STRING)
            flux_say(l,
                     l->is->job_value,
                     &here,
                     item,
                     "must be a string, not %s",
                     doc_kind_name(item->kind));
    }
}

static const struct flux_key per_resource_keys[] = {{"type", "node or core"},
                                                    {"count", NULL}};

/* shell.options.per-resource: so many tasks a node or core in place of the slot's. */
static void read_per_resource(struct flux_load *l,
                              const struct fault_path *at,
                              const struct doc_node *node)
{
    const struct doc_node *type = doc_get(node, "type"), *count = doc_get(node, "count");
    struct fault_path type_at = {.up = at, .key = "type"},
                      count_at = {.up = at, .key = "count"};
    const char *text = NULL;
    if (!flux_keys(l, at, node, per_resource_keys, 2, FLUX_WARN))
        return;
    if (type != NULL && flux_text(l, &type_at, type, &text) &&
        strcmp(text, "node") != 0 && strcmp(text, "core") != 0)
        flux_fault(l, &type_at, type, "must be node or core, not '%.80s'", text);
    l->job->per_resource_count = 1;
    if (count != NULL)
        (void)flux_int(l, &count_at, count, 1, &l->job->per_resource_count);
    l->job->per_resource_type = text;
}

static void
read_shell(struct flux_load *l, const struct fault_path *at, const struct doc_node *node)
{
    struct fault_path options_at = {.up = at, .key = "options"},
                      per_at = {.up = &options_at, .key = "per-resource"};
    const struct doc_node *options = doc_get(node, "options"), *per;
    if (!is_map(l, at, node, "options") || options == NULL ||
        !is_map(l, &options_at, options, "the shell's options"))
        return;
    if ((per = doc_get(options, "per-resource")) != NULL)
        read_per_resource(l, &per_at, per);
}

static void
read_files(struct flux_load *l, const struct fault_path *at, const struct doc_node *node)
{
    (void)is_map(l, at, node, "file names to files (RFC 37)");
}

static const struct {
    const char *name;
    system_reader *read;
} words[] = {
    {"duration", read_duration},
    {"preemptible-after", read_preemptible},
    {"environment", read_environment},
    {"cwd", read_cwd},
    {"queue", check_text},
    {"bank", check_text},
    {"project", check_text},
    {"dependencies", read_dependencies},
    {"constraints", read_constraints},
    {"job", read_job},
    {"shell", read_shell},
    {"files", read_files},
};
#define N_WORDS (sizeof(words) / sizeof(words[0]))

static void
tell_word(struct flux_load *l, const struct fault_path *at, const struct doc_node *item)
{
    const char *names[N_WORDS];
    struct doc_node place = flux_key_place(item);
    for (size_t k = 0; k < N_WORDS; k++)
        names[k] = words[k].name;
    const char *near = str_nearest(item->key, names, N_WORDS);
    flux_say(l,
             FLUX_WARN,
             at,
             &place,
             "'%.80s' is no word of RFC 14 and has no effect%s%s%s",
             item->key,
             near != NULL ? "; did you mean '" : "",
             near != NULL ? near : "",
             near != NULL ? "'?" : "");
}

static void
read_system(struct flux_load *l, const struct fault_path *at, const struct doc_node *node)
{
    for (unsigned i = 0; i < node->n; i++) {
        const struct doc_node *item = &node->as.items[i];
        struct fault_path here = {.up = at, .key = item->key};
        size_t k = 0;
        while (k < N_WORDS && strcmp(words[k].name, item->key) != 0)
            k++;
        if (k < N_WORDS)
            words[k].read(l, &here, item);
        else
            tell_word(l, at, item);
    }
    if (l->v1 && doc_get(node, "duration") == NULL)
        flux_v1_say(l,
                    FLUX_FAULT,
                    at,
                    node,
                    "the key 'duration' is missing: seconds, 0 for no limit; version 1 "
                    "asks for it");
}

/* A section that is there must hold something; Fluxion alone lets it be empty. */
static bool has_values(struct flux_load *l,
                       const struct fault_path *at,
                       const struct doc_node *node,
                       const char *of)
{
    if (l->is->null_attributes && node->kind == DOC_NULL)
        return false;
    if (!is_map(l, at, node, of))
        return false;
    if (node->n == 0 && !l->is->null_attributes)
        flux_fault(l, at, node, "is empty: a section that is there must have values");
    return node->n > 0;
}

static const struct flux_key sections[] = {{"system", NULL}, {"user", NULL}};

void flux_attributes(struct flux_load *l,
                     const struct fault_path *at,
                     const struct doc_node *node)
{
    struct fault_path system_at = {.up = at, .key = "system"},
                      user_at = {.up = at, .key = "user"};
    const struct doc_node *system = doc_get(node, "system"),
                          *user = doc_get(node, "user");
    if ((l->is->null_attributes && node->kind == DOC_NULL) ||
        !flux_keys(l, at, node, sections, 2, FLUX_FAULT))
        return;
    l->job->attributes = node;
    if (system != NULL && has_values(l, &system_at, system, "Flux's attributes"))
        read_system(l, &system_at, system);
    if (system == NULL && l->v1)
        flux_v1_say(l,
                    FLUX_FAULT,
                    at,
                    node,
                    "the key 'system' is missing: version 1 asks for system: {duration: "
                    "SECONDS}");
    if (user != NULL)
        (void)has_values(l, &user_at, user, "your own attributes");
}
