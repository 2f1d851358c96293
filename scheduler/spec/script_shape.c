/* See script_shape.h. Invariant: what a directive said stands where it stood; what the
 * shape made stands at the shape. */
#include "script_shape.h"
#include "base/file.h"
#include "faults.h"
#include "spec/dependency.h"
#include "spec/request.h"
#include "units.h"
#include <math.h>

struct shaped {
    struct arena *arena;
    struct jobspec_faults *faults;
    const struct doc_node *root; /* the other directives */
};

static void stand_at(struct doc_node *n, unsigned line, unsigned col)
{
    n->line = n->key_line = line;
    n->col = n->key_col = col;
    for (unsigned i = 0; n->kind >= DOC_LIST && i < n->n; i++)
        stand_at(&n->as.items[i], line, col);
}

/* What such a job can say besides; the others are the short form's. */
static void check_shaped(struct shaped *s)
{
    static const char *const known[] = {
        "name", "time", "command", "env", "needs", "constraints"};
    enum { N_KNOWN = sizeof(known) / sizeof(known[0]) };
    for (unsigned i = 0; i < s->root->n; i++) {
        const struct doc_node *item = &s->root->as.items[i];
        size_t k = 0;
        while (k < N_KNOWN && strcmp(known[k], item->key) != 0)
            k++;
        if (k == N_KNOWN)
            faults_add(s->faults,
                       NULL,
                       item->key_line,
                       item->key_col,
                       "--%s stands beside --shape, which says what the job gets%s",
                       item->key,
                       strcmp(item->key, "results") == 0
                           ? "; name the results on the command line"
                           : "");
    }
}

GM_PRINTF(4, 5)
static void wrong(
    struct shaped *s, const struct doc_node *node, const char *key, const char *fmt, ...)
{
    const struct fault_path at = {.key = key};
    va_list args;
    va_start(args, fmt);
    faults_vadd(s->faults, false, &at, node->line, node->col, fmt, args);
    va_end(args);
}

static const char *const *shaped_command(struct shaped *s)
{
    const struct doc_node *list = doc_get(s->root, "command");
    if (list == NULL || list->kind != DOC_LIST || list->n == 0) {
        if (list != NULL)
            wrong(s, list, "command", "must be a list: the program and its arguments");
        return NULL;
    }
    const char **words = arena_alloc(s->arena, list->n + 1, sizeof(*words));
    for (unsigned i = 0; i < list->n; i++) {
        const struct doc_node *item = &list->as.items[i];
        if (item->kind >= DOC_LIST)
            wrong(s, item, "command", "a word must not be %s", doc_kind_name(item->kind));
        else
            words[i] = item->as.text;
    }
    return words;
}

static void shaped_time(struct shaped *s, double *ret)
{
    const struct doc_node *node = doc_get(s->root, "time");
    struct gm_error err = {0};
    if (node == NULL)
        return;
    if (node->kind == DOC_BOOL || node->kind == DOC_NULL || node->kind >= DOC_LIST)
        wrong(s, node, "time", "must be a duration such as 10m");
    else if (units_duration(node->as.text, ret, &err) != 0)
        wrong(s, node, "time", "%s", err.text);
    else if (isinf(*ret))
        *ret = 0;
}

/* "afterok:NAME" -> {scheme, value}, at the same place. */
static void expand_needs(struct shaped *s, struct doc_node *list)
{
    for (unsigned i = 0; list->kind == DOC_LIST && i < list->n; i++) {
        struct doc_node *item = &list->as.items[i], *map = NULL;
        struct dependency d = {0};
        struct gm_error err = {0};
        AUTO_JSON j = {.pretty = false};
        if (item->kind != DOC_STRING)
            continue;
        if (dependency_parse(s->arena, item->as.text, &d, &err) != 0) {
            wrong(s, item, "needs", "%s", err.text);
            continue;
        }
        dependency_json(&j, &d);
        if (doc_parse(s->arena, j.out.text, j.out.len, s->faults, &map) == 0) {
            stand_at(map, item->line, item->col);
            *item = *map;
        }
    }
}

/* Numbers are texts in an environment. */
static void expand_env(struct doc_node *map)
{
    for (unsigned i = 0; map->kind == DOC_MAP && i < map->n; i++) {
        struct doc_node *item = &map->as.items[i];
        if (item->kind == DOC_BOOL || item->kind == DOC_INT || item->kind == DOC_FLOAT) {
            item->kind = DOC_STRING;
            item->quoted = true;
        }
    }
}

/* root.FROM becomes system.TO. */
static void
graft(struct shaped *s, struct doc_node *system, const char *from, const char *to)
{
    const struct doc_node *node = doc_get(s->root, from);
    if (node == NULL)
        return;
    struct doc_node *added = doc_append(s->arena, system, to);
    const char *key = added->key;
    *added = *node;
    added->key = key;
}

/* What the directives beside the shape ask of the job; false: told. */
static bool read_request(struct shaped *s, struct request *r)
{
    const struct doc_node *name = doc_get(s->root, "name");
    r->command = shaped_command(s);
    check_shaped(s);
    shaped_time(s, &r->time);
    if (name != NULL && name->kind != DOC_STRING)
        wrong(s, name, "name", "must be a string, not %s", doc_kind_name(name->kind));
    else if (name != NULL)
        r->name = name->as.text;
    return r->command != NULL && s->faults->n_errors == 0;
}

bool script_shape(struct arena *a,
                  struct jobspec_faults *faults,
                  const char *path,
                  const struct directive *shape,
                  const char *text,
                  struct doc_node *root)
{
    struct shaped shaped = {.arena = a, .faults = faults, .root = root};
    struct request r = {.shape = text};
    struct gm_error err = {0};
    const char *json = NULL;
    struct doc_node *made = NULL;
    AUTO_FREE(char) cwd = file_dirname(path != NULL ? path : "./-");
    AUTO_FREE(char) dir = file_absolute(NULL, cwd);
    r.cwd = dir;
    if (!read_request(&shaped, &r))
        return false;
    if (request_format(&r, a, &json, &err) != 0) {
        faults_add(faults, NULL, shape->line, shape->col, "--shape: %s", err.text);
        return false;
    }
    if (doc_parse(a, json, strlen(json), faults, &made) != 0)
        return false;
    stand_at(made, shape->line, shape->col);
    struct doc_node *system = doc_get(doc_get(made, "attributes"), "system");
    graft(&shaped, system, "env", "environment");
    graft(&shaped, system, "needs", "dependencies");
    graft(&shaped, system, "constraints", "constraints");
    if (doc_get(system, "environment") != NULL)
        expand_env(doc_get(system, "environment"));
    if (doc_get(system, "dependencies") != NULL)
        expand_needs(&shaped, doc_get(system, "dependencies"));
    *root = *made;
    return true;
}
