/* See load.h: the small readers that every part uses. Invariant: false is returned only
 * after a fault was added. */
#include "load.h"
#include "units.h"
#include <ctype.h>
#include <math.h>

/* "ranks", or "--set ranks=x: ranks" for what a set made. */
static void where_text(const struct load *l,
                       const struct fault_path *at,
                       const struct doc_node *node,
                       struct str *out)
{
    AUTO_STR path = {0};
    sets_prefix(l, node, out);
    faults_path_text(at, &path);
    view_path(l, node, &path);
    str_printf(out, "%s%s", out->len > 0 && path.len > 0 ? ": " : "", str_text(&path));
}

GM_PRINTF(5, 0)
static void tell(struct load *l,
                 bool warning,
                 const struct fault_path *at,
                 const struct doc_node *node,
                 const char *fmt,
                 va_list args)
{
    AUTO_STR where = {0};
    unsigned col = node->line > 0 ? node->col : 0;
    where_text(l, at, node, &where);
    faults_vadd_at(l->faults, warning, str_text(&where), node->line, col, fmt, args);
}

void load_fault(struct load *l,
                const struct fault_path *at,
                const struct doc_node *node,
                const char *fmt,
                ...)
{
    va_list args;
    va_start(args, fmt);
    tell(l, false, at, node, fmt, args);
    va_end(args);
}

void load_warn(struct load *l,
               const struct fault_path *at,
               const struct doc_node *node,
               const char *fmt,
               ...)
{
    va_list args;
    va_start(args, fmt);
    tell(l, true, at, node, fmt, args);
    va_end(args);
}

void load_cannot(struct load *l,
                 const struct fault_path *at,
                 const struct doc_node *node,
                 const char *fmt,
                 ...)
{
    AUTO_STR where = {0};
    char tail[1024];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(tail, sizeof(tail), fmt, args);
    va_end(args);
    where_text(l, at, node, &where);
    if ((l->n_cannot & (l->n_cannot - 1)) == 0) {
        size_t room = l->n_cannot == 0 ? 1 : 2 * (size_t)l->n_cannot;
        struct jobspec_fault *all = arena_alloc(l->arena, room, sizeof(*all));
        if (l->n_cannot > 0)
            memcpy(all, l->cannot, l->n_cannot * sizeof(*all));
        l->cannot = all;
    }
    l->cannot[l->n_cannot++] =
        (struct jobspec_fault){.line = node->line,
                               .col = node->line > 0 ? node->col : 0,
                               .path = arena_strdup(l->arena, str_text(&where)),
                               .text = arena_strdup(l->arena, tail)};
    l->spec->cannot = l->cannot;
    l->spec->n_cannot = l->n_cannot;
}

const char *
load_hint(const char *word, const char *const *candidates, size_t n, char buf[128])
{
    const char *near = str_nearest(word, candidates, n);
    buf[0] = '\0';
    if (near != NULL)
        (void)snprintf(buf, 128, "; did you mean '%.80s'?", near);
    return buf;
}

/* The key of an item as a place of its own: faults about keys point at the key. */
static struct doc_node key_of(const struct doc_node *item)
{
    return (struct doc_node){.line = item->key_line,
                             .col = item->key_line > 0 ? item->key_col : item->col};
}

void load_unknown_key(struct load *l,
                      const struct fault_path *at,
                      const struct doc_node *item,
                      const struct words *known)
{
    const char *names[48];
    size_t n = 0;
    char hint[128];
    struct doc_node key = key_of(item);
    if (l->faults->n > FAULTS_MAX)
        return; /* nobody will read the hint */
    for (unsigned i = 0; i < known->n && n < sizeof(names) / sizeof(names[0]); i++)
        names[n++] = known->items[i].name;
    load_fault(l,
               at,
               &key,
               "unknown key '%.80s'%s",
               item->key,
               load_hint(item->key, names, n, hint));
}

bool load_check_keys(struct load *l,
                     const struct fault_path *at,
                     const struct doc_node *map,
                     const struct words *known)
{
    if (map->kind != DOC_MAP) {
        AUTO_STR keys = {0};
        for (unsigned i = 0; i < known->n; i++)
            str_printf(&keys, "%s%s", i > 0 ? ", " : "", known->items[i].name);
        load_fault(l,
                   at,
                   map,
                   "must be a mapping (%s), not %s",
                   str_text(&keys),
                   doc_kind_name(map->kind));
        return false;
    }
    for (unsigned i = 0; i < map->n; i++) {
        if (words_find(known, map->as.items[i].key) == NULL)
            load_unknown_key(l, at, &map->as.items[i], known);
    }
    return true;
}

int load_choice(struct load *l,
                const struct fault_path *at,
                const struct doc_node *node,
                const struct word *word)
{
    const char *text;
    char hint[128];
    AUTO_STR all = {0};
    int n = 0;
    if (!load_text(l, at, node, &text))
        return -1;
    for (; word->choices[n] != NULL; n++) {
        if (strcmp(word->choices[n], text) == 0)
            return n;
        str_printf(&all, "%s%s", n > 0 ? ", " : "", word->choices[n]);
    }
    load_fault(l,
               at,
               node,
               "must be one of %s, not '%.80s'%s",
               str_text(&all),
               text,
               load_hint(text, word->choices, (size_t)n, hint));
    return -1;
}

bool load_int(struct load *l,
              const struct fault_path *at,
              const struct doc_node *node,
              int64_t min,
              int64_t max,
              int64_t *ret)
{
    int64_t v;
    if (node->kind != DOC_INT) {
        load_fault(l, at, node, "must be an integer, not %s", doc_kind_name(node->kind));
        return false;
    }
    bool fits = doc_int(node, &v) == 0;
    if (!fits ? node->as.text[0] == '-' : v < min) {
        load_fault(l, at, node, "must be %lld or more", (long long)min);
        return false;
    }
    if (!fits || v > max) {
        load_fault(l, at, node, "must be %lld or less", (long long)max);
        return false;
    }
    *ret = v;
    return true;
}

bool load_bool(struct load *l,
               const struct fault_path *at,
               const struct doc_node *node,
               bool *ret)
{
    if (node->kind != DOC_BOOL) {
        load_fault(
            l, at, node, "must be true or false, not %s", doc_kind_name(node->kind));
        return false;
    }
    *ret = doc_bool(node);
    return true;
}

bool load_text(struct load *l,
               const struct fault_path *at,
               const struct doc_node *node,
               const char **ret)
{
    if (node->kind != DOC_STRING) {
        load_fault(l, at, node, "must be a string, not %s", doc_kind_name(node->kind));
        return false;
    }
    if (node->n == 0) {
        load_fault(l, at, node, "must not be empty");
        return false;
    }
    *ret = node->as.text;
    return true;
}

bool load_duration(struct load *l,
                   const struct fault_path *at,
                   const struct doc_node *node,
                   double *ret)
{
    struct gm_error err = {0};
    double v;
    if (node->kind != DOC_STRING && node->kind != DOC_INT && node->kind != DOC_FLOAT) {
        load_fault(l,
                   at,
                   node,
                   "must be a duration such as 90s or 10m, not %s",
                   doc_kind_name(node->kind));
        return false;
    }
    if (units_duration(node->as.text, &v, &err) != 0) {
        load_fault(l, at, node, "%s", err.text);
        return false;
    }
    *ret = isinf(v) ? 0 : v;
    return true;
}

bool load_is_name(const char *text, bool dots)
{
    size_t n = strlen(text);
    if (n == 0 || n > 100 || text[0] == '.')
        return false;
    for (const char *p = text; *p != '\0'; p++) {
        bool fine = (isalnum((unsigned char)*p) != 0 && (unsigned char)*p < 0x80) ||
                    *p == '-' || *p == '_' || (dots && *p == '.');
        if (!fine)
            return false;
    }
    return true;
}

char *load_make_name(struct arena *a, const char *text, size_t most, bool dots)
{
    char *name = arena_copy(a, text, strnlen(text, most));
    for (char *p = name; *p != '\0'; p++) {
        char one[2] = {*p, '\0'};
        if (!load_is_name(one, dots) && (*p != '.' || !dots || p == name))
            *p = '_';
    }
    return name;
}
