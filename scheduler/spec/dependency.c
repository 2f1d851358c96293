/* See dependency.h. A document's mapping and the one-line form become one struct, and are
 * checked by the same rules. */
#include "dependency.h"
#include "doc.h"
#include "faults.h"
#include "load.h"
#include <math.h>
#include <stdlib.h>

static const struct {
    const char *scheme;
    enum dependency_kind kind;
} schemes[] = {
    {"afterok", DEPENDENCY_AFTER_OK},
    {"afternotok", DEPENDENCY_AFTER_NOT_OK},
    {"afterany", DEPENDENCY_AFTER_ANY},
    {"after", DEPENDENCY_AFTER_START},
    {"afterstart", DEPENDENCY_AFTER_START},
    {"begin-time", DEPENDENCY_BEGIN_TIME},
    {"string", DEPENDENCY_SYMBOLIC},
    {"fluid", DEPENDENCY_SYMBOLIC},
};
#define N_SCHEMES (sizeof(schemes) / sizeof(schemes[0]))

static enum dependency_kind kind_of(const char *scheme)
{
    for (size_t i = 0; i < N_SCHEMES; i++) {
        if (strcmp(schemes[i].scheme, scheme) == 0)
            return schemes[i].kind;
    }
    return DEPENDENCY_OTHER;
}

static const char *option(const struct dependency *d, const char *key)
{
    for (unsigned i = 0; i < d->n_options; i++) {
        if (strcmp(d->options[i].key, key) == 0)
            return d->options[i].value;
    }
    return NULL;
}

static int check_word(const struct dependency *d,
                      const char *key,
                      const char *words,
                      struct gm_error *err)
{
    const char *value = option(d, key);
    size_t len = value != NULL ? strlen(value) : 0;
    for (const char *w = words; len > 0 && *w != '\0'; w += strcspn(w, " ") + 1) {
        if (strcspn(w, " ") == len && strncmp(w, value, len) == 0)
            return 0;
        if (w[strcspn(w, " ")] == '\0')
            break;
    }
    return gm_fail(err,
                   -EINVAL,
                   "the scheme '%s' needs '%s', one of: %s%s%.80s",
                   d->scheme,
                   key,
                   words,
                   value != NULL ? "; not " : "",
                   value != NULL ? value : "");
}

static int check_time(struct dependency *d, struct gm_error *err)
{
    char *end = NULL;
    bool digit = d->value[0] >= '0' && d->value[0] <= '9';
    d->when = digit ? strtod(d->value, &end) : -1;
    if (!digit || *end != '\0' || strpbrk(d->value, "xX") != NULL || !isfinite(d->when))
        return gm_fail(err,
                       -EINVAL,
                       "begin-time: '%.80s' must be a number of seconds since 1970",
                       d->value);
    return 0;
}

/* What the scheme asks of value and options. */
static int check(struct dependency *d, struct gm_error *err)
{
    d->kind = kind_of(d->scheme);
    if (d->value[0] == '\0')
        return gm_fail(err, -EINVAL, "%.80s: the value must not be empty", d->scheme);
    if (d->kind == DEPENDENCY_BEGIN_TIME)
        return check_time(d, err);
    int rc = 0;
    if (d->kind == DEPENDENCY_SYMBOLIC)
        rc = check_word(d, "type", "in out inout", err);
    if (rc == 0 && d->kind == DEPENDENCY_SYMBOLIC)
        rc = check_word(d, "scope", "user global", err);
    return rc;
}

/* key=value&key=value, or with ; between */
static int parse_options(struct arena *a,
                         const char *text,
                         struct dependency *d,
                         struct gm_error *err)
{
    unsigned n = 1;
    for (const char *p = text; (p = strpbrk(p, "&;")) != NULL; p++)
        n++;
    struct dependency_option *all = arena_alloc(a, n, sizeof(*all));
    d->options = all;
    for (const char *p = text; d->n_options < n;) {
        size_t len = strcspn(p, "&;"), key = strcspn(p, "=&;");
        if (key == 0 || key == len)
            return gm_fail(
                err, -EINVAL, "'%.*s' must be KEY=VALUE", (int)(len > 80 ? 80 : len), p);
        all[d->n_options++] = (struct dependency_option){
            .key = arena_copy(a, p, key),
            .value = arena_copy(a, p + key + 1, len - key - 1)};
        p += len + (p[len] != '\0');
    }
    return 0;
}

int dependency_parse(struct arena *a,
                     const char *text,
                     struct dependency *ret,
                     struct gm_error *err)
{
    const char *colon = strchr(text, ':');
    struct dependency d = {0};
    if (colon == NULL || colon == text)
        return gm_fail(
            err, -EINVAL, "'%.80s' must be SCHEME:VALUE, such as afterok:NAME", text);
    size_t len = strcspn(colon + 1, "?");
    d.scheme = arena_copy(a, text, (size_t)(colon - text));
    d.value = arena_copy(a, colon + 1, len);
    int rc = 0;
    if (colon[1 + len] == '?')
        rc = parse_options(a, colon + 2 + len, &d, err);
    if (rc == 0)
        rc = check(&d, err);
    if (rc == 0)
        *ret = d;
    return rc;
}

static bool read_text(struct jobspec_faults *faults,
                      const struct fault_path *up,
                      const struct doc_node *map,
                      const char *key,
                      const char **ret)
{
    const struct doc_node *node = doc_get(map, key);
    struct fault_path at = {.up = up, .key = key};
    if (node == NULL)
        faults_add(faults, up, map->line, map->col, "the key '%s' is missing", key);
    else if (node->kind != DOC_STRING)
        faults_add(faults,
                   &at,
                   node->line,
                   node->col,
                   "must be a string, not %s%s",
                   doc_kind_name(node->kind),
                   node->kind == DOC_INT ? "; in quotes it is one" : "");
    else
        *ret = node->as.text;
    return *ret != NULL;
}

/* The options that are scalars; what a plugin's scheme nests stays in the document. */
static void
read_options(struct arena *a, const struct doc_node *map, struct dependency *d)
{
    struct dependency_option *all = arena_alloc(a, map->n, sizeof(*all));
    for (unsigned i = 0; i < map->n; i++) {
        const struct doc_node *item = &map->as.items[i];
        if (strcmp(item->key, "scheme") == 0 || strcmp(item->key, "value") == 0 ||
            item->kind == DOC_LIST || item->kind == DOC_MAP || item->kind == DOC_NULL)
            continue;
        all[d->n_options++] =
            (struct dependency_option){.key = item->key, .value = item->as.text};
    }
    d->options = all;
}

/* A scheme that nobody knows may be a plugin's; one that is nearly known is told. */
static void hint_scheme(struct jobspec_faults *faults,
                        const struct fault_path *at,
                        const struct dependency *d)
{
    const char *names[N_SCHEMES];
    char hint[128];
    for (size_t i = 0; i < N_SCHEMES; i++)
        names[i] = schemes[i].scheme;
    if (d->kind == DEPENDENCY_OTHER &&
        load_hint(d->scheme, names, N_SCHEMES, hint)[0] != '\0')
        faults_warn(faults,
                    at,
                    d->line,
                    d->col,
                    "'%.80s' is no built-in scheme%s",
                    d->scheme,
                    hint);
}

static void read_one(struct arena *a,
                     const struct doc_node *node,
                     const struct fault_path *at,
                     struct jobspec_faults *faults,
                     struct dependency *d)
{
    struct gm_error err = {0};
    int rc = 0;
    if (node->kind == DOC_STRING)
        rc = dependency_parse(a, node->as.text, d, &err);
    else if (node->kind != DOC_MAP) {
        faults_add(faults,
                   at,
                   node->line,
                   node->col,
                   "must be a mapping of scheme and value, or SCHEME:VALUE, not %s",
                   doc_kind_name(node->kind));
        return;
    } else {
        bool scheme = read_text(faults, at, node, "scheme", &d->scheme);
        if (!read_text(faults, at, node, "value", &d->value) || !scheme)
            return;
        read_options(a, node, d);
        rc = check(d, &err);
    }
    d->line = node->line;
    d->col = node->col;
    if (rc != 0)
        faults_add(faults, at, node->line, node->col, "%s", err.text);
    else
        hint_scheme(faults, at, d);
}

void dependency_read_list(struct arena *a,
                          const struct doc_node *node,
                          const struct fault_path *at,
                          struct jobspec_faults *faults,
                          const struct dependency **ret,
                          unsigned *ret_n)
{
    if (node->kind != DOC_LIST) {
        faults_add(faults,
                   at,
                   node->line,
                   node->col,
                   "must be a list of dependencies, not %s",
                   doc_kind_name(node->kind));
        return;
    }
    struct dependency *all = arena_alloc(a, node->n, sizeof(*all));
    for (unsigned i = 0; i < node->n; i++) {
        struct fault_path here = {.up = at, .index = i};
        read_one(a, &node->as.items[i], &here, faults, &all[i]);
    }
    *ret = all;
    *ret_n = node->n;
}

void dependency_json(struct json *j, const struct dependency *d)
{
    json_begin(j, '{');
    json_put_string(j, "scheme", d->scheme);
    json_put_string(j, "value", d->value);
    for (unsigned i = 0; i < d->n_options; i++)
        json_put_string(j, d->options[i].key, d->options[i].value);
    json_end(j, '}');
}

void dependency_text(const struct dependency *d, struct str *out)
{
    str_printf(out, "%s:%s", d->scheme, d->value);
    for (unsigned i = 0; i < d->n_options; i++)
        str_printf(
            out, "%c%s=%s", i == 0 ? '?' : '&', d->options[i].key, d->options[i].value);
}
