/* See same.h. Two jobs are compared in their canonical form, key by key, so that a key
 * that is new in the language is compared without a word here. Invariant: what is not
 * named below may not differ. */
#include "same.h"
#include "base/arena.h"
#include "base/auto.h"
#include "base/str.h"
#include "spec/canonical.h"
#include "spec/doc.h"
#include "spec/faults.h"

/* Where the keys of a jobspec are found in it. */
static const char *const parts[] = {"attributes.user.gridmill.",
                                    "attributes.system.job."};

/* Where and how long it runs, and what follows: by a job of our language ... */
static const char *const free_keys[] = {"version",
                                        "resources",
                                        "tasks", /* the command that starts the ranks */
                                        "attributes.system.duration",
                                        "attributes.system.constraints",
                                        "attributes.system.dependencies",
                                        "attributes.user.gridmill.mapping",
                                        "attributes.user.gridmill.hosts",
                                        "attributes.user.gridmill.memory",
                                        "attributes.user.gridmill.threads",
                                        "attributes.user.gridmill.oversubscribe",
                                        "attributes.user.gridmill.pattern",
                                        "attributes.user.gridmill.verify-binding",
                                        "attributes.user.gridmill.results",
                                        "attributes.user.gridmill.telemetry",
                                        "attributes.user.gridmill.notify",
                                        "attributes.user.gridmill.grace",
                                        "attributes.user.gridmill.on-loss"};
/* ... and by a seated one, whose tasks are its ranks. */
static const char *const free_seated[] = {"attributes.system.duration",
                                          "attributes.system.dependencies"};

struct walk {
    const char *const *free;
    size_t n_free;
    struct str path;
};

static bool may_differ(const struct walk *w)
{
    for (size_t i = 0; i < w->n_free; i++) {
        if (strcmp(str_text(&w->path), w->free[i]) == 0)
            return true;
    }
    return false;
}

static void cut(struct str *path, size_t len)
{
    path->len = len;
    if (path->text != NULL)
        path->text[len] = '\0';
}

static bool differs(struct walk *w, const struct doc_node *a, const struct doc_node *b);

/* Stages are told by their names, as --set does. */
static void add_item(struct walk *w, const struct doc_node *item, unsigned i)
{
    const struct doc_node *name = item->kind == DOC_MAP ? doc_get(item, "name") : NULL;
    if (name != NULL && name->kind == DOC_STRING)
        str_printf(&w->path, ".%s", name->as.text);
    else
        str_printf(&w->path, "[%u]", i);
}

static bool
list_differs(struct walk *w, const struct doc_node *a, const struct doc_node *b)
{
    size_t len = w->path.len;
    for (unsigned i = 0; i < a->n && i < b->n; i++) {
        add_item(w, &a->as.items[i], i);
        if (differs(w, &a->as.items[i], &b->as.items[i]))
            return true;
        cut(&w->path, len);
    }
    return a->n != b->n;
}

/* Keys of `a` that `b` has otherwise, or not at all. */
static bool
map_differs(struct walk *w, const struct doc_node *a, const struct doc_node *b)
{
    size_t len = w->path.len;
    for (unsigned i = 0; i < a->n; i++) {
        const struct doc_node *item = &a->as.items[i], *other = doc_get(b, item->key);
        str_printf(&w->path, "%s%s", len > 0 ? "." : "", item->key);
        if (!may_differ(w) && (other == NULL || differs(w, item, other)))
            return true;
        cut(&w->path, len);
    }
    return false;
}

/* True: w->path says where. */
static bool differs(struct walk *w, const struct doc_node *a, const struct doc_node *b)
{
    if (a->kind != b->kind)
        return true;
    if (a->kind == DOC_LIST)
        return list_differs(w, a, b);
    if (a->kind == DOC_MAP)
        return map_differs(w, a, b) || map_differs(w, b, a);
    return strcmp(a->as.text, b->as.text) != 0;
}

static struct doc_node *canonical(struct arena *a, const struct jobspec *spec)
{
    AUTO_FREE(char) text = canonical_format(spec, false);
    struct jobspec_faults faults;
    struct doc_node *doc = NULL;
    faults_init(&faults, spec->file);
    const char *kept = arena_strdup(a, text);
    if (doc_parse(a, kept, strlen(kept), &faults, &doc) != 0)
        doc = NULL;
    jobspec_faults_free(&faults);
    return doc;
}

int same_job(const struct jobspec *before,
             const struct jobspec *now,
             struct gm_error *err)
{
    AUTO(arena) a = arena_make();
    const struct doc_node *x = canonical(a, before), *y = canonical(a, now);
    bool seated = jobspec_seated(before) || jobspec_seated(now);
    struct walk w = {.free = seated ? free_seated : free_keys,
                     .n_free = seated ? sizeof(free_seated) / sizeof(free_seated[0])
                                      : sizeof(free_keys) / sizeof(free_keys[0])};
    bool other = x == NULL || y == NULL || differs(&w, x, y);
    const char *path = str_text(&w.path);
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        if (strncmp(path, parts[i], strlen(parts[i])) == 0)
            path += strlen(parts[i]);
    }
    int rc = 0;
    if (other)
        rc = gm_fail(err,
                     -EINVAL,
                     "%s: is not what the unfinished run has, and a resume may change "
                     "only %s: gridmill run --force starts over",
                     *path != '\0' ? path : "the job",
                     seated ? "time and results"
                            : "ranks, mapping, per-rank, time and results");
    str_free(&w.path);
    return rc;
}

static const struct jobspec_source *
find(const struct jobspec_source *all, unsigned n, const struct jobspec_source *like)
{
    for (unsigned i = 0; i < n; i++) {
        if (strcmp(all[i].path, like->path) == 0 && all[i].unit == like->unit)
            return &all[i];
    }
    return NULL;
}

int same_sources(const struct jobspec_source *before,
                 unsigned n_before,
                 const struct jobspec_source *now,
                 unsigned n_now,
                 struct gm_error *err)
{
    for (unsigned i = 0; i < n_before; i++) {
        const struct jobspec_source *s = find(now, n_now, &before[i]);
        if (s == NULL || s->rows != before[i].rows ||
            strcmp(s->sha256, before[i].sha256) != 0)
            return gm_fail(err,
                           -EINVAL,
                           "%s: is not what the unfinished run has read: put it back, or "
                           "start over with gridmill run --force",
                           before[i].path);
    }
    return 0;
}
