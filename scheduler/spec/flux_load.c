/* See flux_load.h: the dialects' points of disagreement in one table, and the small
 * readers that every part uses. */
#include "flux_load.h"
#include "load.h"
#include <math.h>

static const struct flux_traits traits[] = {
    [DIALECT_RFC] = {.name = "rfc",
                     .max_version = RANGE_MAX,
                     .string_counts = true,
                     .lone_max = true,
                     .label = FLUX_FAULT,
                     .no_slot = FLUX_FAULT,
                     .repeated_label = FLUX_FAULT,
                     .empty_with = FLUX_FAULT,
                     .empty_slot = FLUX_FAULT,
                     .task_key = FLUX_FAULT,
                     .per_type = FLUX_FAULT,
                     .no_needs = FLUX_FAULT,
                     .job_value = FLUX_FAULT,
                     .v1_per_slot = FLUX_FAULT,
                     .v1_total = FLUX_FAULT,
                     .v1_twice = FLUX_FAULT},
    [DIALECT_FLUX_CORE] = {.name = "flux-core",
                           .max_version = RANGE_MAX,
                           .string_counts = true,
                           .zero_counts = true,
                           .lone_max = true,
                           .label = FLUX_WARN,
                           .no_slot = FLUX_FAULT,
                           .repeated_label = FLUX_WARN,
                           .empty_slot = FLUX_FAULT,
                           .task_key = FLUX_WARN,
                           .per_type = FLUX_WARN,
                           .job_value = FLUX_WARN,
                           .v1_per_slot = FLUX_WARN,
                           .v1_total = FLUX_WARN,
                           .v1_twice = FLUX_WARN},
    [DIALECT_FLUXION] = {.name = "fluxion",
                         .max_version = 9999,
                         .null_attributes = true,
                         .scalars_are_text = true,
                         .zero_counts = true,
                         .texts_alone = true,
                         .label = FLUX_WARN,
                         .no_slot = FLUX_WARN,
                         .repeated_label = FLUX_WARN,
                         .empty_slot = FLUX_WARN,
                         .siblings = FLUX_WARN,
                         .conflict = FLUX_FAULT,
                         .pooled = FLUX_FAULT,
                         .task_key = FLUX_WARN,
                         .per_type = FLUX_WARN,
                         .job_value = FLUX_WARN},
};

const struct flux_traits *flux_traits(enum dialect dialect)
{
    return &traits[dialect];
}

GM_PRINTF(5, 0)
static void say(struct flux_load *l,
                enum flux_verdict verdict,
                const struct fault_path *at,
                const struct doc_node *node,
                const char *fmt,
                va_list args)
{
    unsigned col = node->line > 0 ? node->col : 0;
    if (verdict == FLUX_WARN || verdict == FLUX_FAULT)
        faults_vadd(l->faults, verdict == FLUX_WARN, at, node->line, col, fmt, args);
}

void flux_fault(struct flux_load *l,
                const struct fault_path *at,
                const struct doc_node *node,
                const char *fmt,
                ...)
{
    va_list args;
    va_start(args, fmt);
    say(l, FLUX_FAULT, at, node, fmt, args);
    va_end(args);
}

void flux_say(struct flux_load *l,
              enum flux_verdict verdict,
              const struct fault_path *at,
              const struct doc_node *node,
              const char *fmt,
              ...)
{
    va_list args;
    va_start(args, fmt);
    say(l, verdict, at, node, fmt, args);
    va_end(args);
}

void flux_v1_say(struct flux_load *l,
                 enum flux_verdict verdict,
                 const struct fault_path *at,
                 const struct doc_node *node,
                 const char *fmt,
                 ...)
{
    va_list args;
    va_start(args, fmt);
    say(l, verdict, at, node, fmt, args);
    va_end(args);
    if (verdict == FLUX_FAULT && !l->rules->only_v1)
        l->v1_told = true;
}

struct doc_node flux_key_place(const struct doc_node *item)
{
    return (struct doc_node){.line = item->key_line, .col = item->key_col};
}

#define KEYS_MAX 16u

/* "a, b and c" */
static void list_keys(const struct flux_key *keys, size_t n, struct str *out)
{
    for (size_t i = 0; i < n; i++)
        str_printf(out, "%s%s", i == 0 ? "" : i + 1 < n ? ", " : " and ", keys[i].name);
}

static void tell_unknown(struct flux_load *l,
                         enum flux_verdict verdict,
                         const struct fault_path *at,
                         const struct doc_node *item,
                         const struct flux_key *keys,
                         size_t n,
                         const char *near)
{
    AUTO_STR known = {0};
    struct doc_node place = flux_key_place(item);
    if (l->faults->n > FAULTS_MAX)
        return; /* nobody will read it */
    if (near != NULL)
        str_printf(&known, "did you mean '%s'?", near);
    else {
        str_add(&known, "known here: ");
        list_keys(keys, n, &known);
    }
    flux_say(
        l, verdict, at, &place, "unknown key '%.80s'; %s", item->key, str_text(&known));
}

/* n: none of them. */
static size_t find_key(const struct flux_key *keys, size_t n, const char *word)
{
    size_t k = 0;
    while (k < n && strcmp(keys[k].name, word) != 0)
        k++;
    return k;
}

bool flux_keys(struct flux_load *l,
               const struct fault_path *at,
               const struct doc_node *map,
               const struct flux_key *keys,
               size_t n,
               enum flux_verdict unknown)
{
    const char *names[KEYS_MAX];
    bool there[KEYS_MAX + 1] = {false}; /* the last: of no key */
    if (map->kind != DOC_MAP) {
        AUTO_STR known = {0};
        list_keys(keys, n, &known);
        flux_fault(l,
                   at,
                   map,
                   "must be a mapping of %s, not %s",
                   str_text(&known),
                   doc_kind_name(map->kind));
        return false;
    }
    for (size_t k = 0; k < n; k++)
        names[k] = keys[k].name;
    for (unsigned i = 0; i < map->n; i++) {
        const struct doc_node *item = &map->as.items[i];
        size_t k = find_key(keys, n, item->key);
        const char *near = k < n ? NULL : str_nearest(item->key, names, n);
        if (k == n && unknown != FLUX_FINE)
            tell_unknown(l, unknown, at, item, keys, n, near);
        if (near != NULL && unknown == FLUX_FAULT) /* told as misspelt: not missing too */
            k = find_key(keys, n, near);
        there[k] = true;
    }
    for (size_t k = 0; k < n; k++) {
        if (keys[k].missing != NULL && !there[k])
            flux_fault(
                l, at, map, "the key '%s' is missing: %s", names[k], keys[k].missing);
    }
    return true;
}

bool flux_list(struct flux_load *l,
               const struct fault_path *at,
               const struct doc_node *node,
               const char *of)
{
    if (node->kind == DOC_LIST)
        return true;
    flux_fault(
        l, at, node, "must be a list of %s, not %s", of, doc_kind_name(node->kind));
    return false;
}

static bool is_text(const struct flux_load *l, const struct doc_node *node)
{
    bool scalar =
        node->kind == DOC_BOOL || node->kind == DOC_INT || node->kind == DOC_FLOAT;
    return node->kind == DOC_STRING || (scalar && l->is->scalars_are_text);
}

/* "; in quotes it would be one" of a scalar */
static const char *quotes_hint(const struct doc_node *node)
{
    return node->kind == DOC_BOOL || node->kind == DOC_INT || node->kind == DOC_FLOAT
               ? "; in quotes it is one"
               : "";
}

bool flux_text(struct flux_load *l,
               const struct fault_path *at,
               const struct doc_node *node,
               const char **ret)
{
    if (!is_text(l, node)) {
        flux_fault(l,
                   at,
                   node,
                   "must be a string, not %s%s",
                   doc_kind_name(node->kind),
                   quotes_hint(node));
        return false;
    }
    if (node->n == 0) {
        flux_fault(l, at, node, "must not be empty");
        return false;
    }
    *ret = node->as.text;
    return true;
}

bool flux_int(struct flux_load *l,
              const struct fault_path *at,
              const struct doc_node *node,
              int64_t least,
              int64_t *ret)
{
    int64_t v = 0;
    if (node->kind != DOC_INT) {
        flux_fault(l, at, node, "must be an integer, not %s", doc_kind_name(node->kind));
        return false;
    }
    bool fits = doc_int(node, &v) == 0;
    if (fits ? v < least : node->as.text[0] == '-') {
        flux_fault(l, at, node, "must be %lld or more", (long long)least);
        return false;
    }
    if (!fits || v > RANGE_MAX) {
        flux_fault(l, at, node, "must be %lld or less", (long long)RANGE_MAX);
        return false;
    }
    *ret = v;
    return true;
}

bool flux_seconds(struct flux_load *l,
                  const struct fault_path *at,
                  const struct doc_node *node,
                  double *ret)
{
    if (node->kind != DOC_INT && node->kind != DOC_FLOAT) {
        flux_fault(l,
                   at,
                   node,
                   "must be a number of seconds, not %s%s",
                   doc_kind_name(node->kind),
                   node->kind == DOC_STRING ? "; words such as 10m are for the short form"
                                            : "");
        return false;
    }
    double v = doc_float(node);
    if (!isfinite(v) || v < 0) {
        flux_fault(l, at, node, "must be 0 or more seconds, and finite");
        return false;
    }
    *ret = v;
    return true;
}

static bool env_name(const char *name)
{
    return name[0] != '\0' && strchr(name, '=') == NULL;
}

void flux_environment(struct flux_load *l,
                      const struct fault_path *at,
                      const struct doc_node *node,
                      const struct flux_env **ret,
                      unsigned *ret_n)
{
    if (node->kind != DOC_MAP) {
        flux_fault(l,
                   at,
                   node,
                   "must be a mapping of names to strings, not %s",
                   doc_kind_name(node->kind));
        return;
    }
    struct flux_env *env = arena_alloc(l->arena, node->n, sizeof(*env));
    for (unsigned i = 0; i < node->n; i++) {
        const struct doc_node *item = &node->as.items[i];
        struct fault_path here = {.up = at, .key = item->key};
        env[i].name = item->key;
        if (!env_name(item->key)) {
            struct doc_node place = flux_key_place(item);
            flux_fault(l, at, &place, "'%.80s' is no name of a variable", item->key);
        } else if (is_text(l, item))
            env[i].value = item->as.text;
        else if (item->kind != DOC_NULL)
            flux_fault(l,
                       &here,
                       item,
                       "must be a string, or null to unset it, not %s%s",
                       doc_kind_name(item->kind),
                       quotes_hint(item));
    }
    *ret = env;
    *ret_n = node->n;
}
