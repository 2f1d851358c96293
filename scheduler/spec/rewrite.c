/* See rewrite.h. Invariant: what is written reads as the same job, and written once more
 * is the same text. */
#include "rewrite.h"
#include "doc.h"
#include "load.h"
#include "part.h"
#include "spec/flux.h"
#include "written.h"

static bool has_part(const struct jobspec *s)
{
    return s->resources == NULL;
}

static const struct doc_node *get(const struct doc_node *map, const char *key)
{
    return map != NULL ? doc_get(map, key) : NULL;
}

/* resources */

static int64_t count_of(const struct resource *list, unsigned n, const char *type)
{
    for (unsigned i = 0; i < n; i++) {
        if (strcmp(list[i].type, type) == 0)
            return count_is_fixed(&list[i].count) ? count_min(&list[i].count) : 0;
    }
    return 0;
}

bool rewrite_keeps_resources(const struct jobspec *s)
{
    const struct resource *top = s->flux->resources, *slot = top;
    bool node = strcmp(top->type, "node") == 0;
    if (!has_part(s))
        return true;
    if (node != (s->nodes > 0 && s->ranks_per_node > 0))
        return false;
    if (node && count_of(top, 1, "node") != s->nodes)
        return false;
    if (node)
        slot = top->with;
    return count_of(slot, 1, "slot") == (node ? s->ranks_per_node : s->ranks) &&
           (s->threads > 0 || count_of(slot->with, slot->n_with, "core") == s->cores) &&
           count_of(slot->with, slot->n_with, "gpu") == s->gpus;
}

/* A number of ranks makes a job of version 1 of what our own writer made. */
static bool fits_v1(const struct flux_job *f)
{
    const struct flux_task *t = f->tasks;
    return f->n_tasks == 1 &&
           (t->per == FLUX_TOTAL || (t->per == FLUX_PER_SLOT && t->count == 1));
}

int rewrite_version(const struct jobspec *s)
{
    int was = s->flux->version;
    if (rewrite_keeps_resources(s))
        return was;
    if (s->ranks > 0)
        return fits_v1(s->flux) ? 1 : was;
    return was == 1 ? 999 : was;
}

void rewrite_resources(struct json *j, const struct jobspec *s)
{
    json_key(j, "resources");
    written_node(j, doc_get(s->flux->document, "resources"));
}

void rewrite_tasks(struct json *j, const struct jobspec *s)
{
    json_key(j, "tasks");
    written_node(j, doc_get(s->flux->document, "tasks"));
}

/* attributes */

/* A value as one line, to compare: "" for none. */
static char *constraints_line(const struct constraint *c)
{
    AUTO_JSON j = {0};
    if (c != NULL)
        constraint_json(&j, c);
    return str_steal(&j.out);
}

static void put_list(struct json *j, const struct dependency *list, unsigned n)
{
    json_begin(j, '[');
    for (unsigned i = 0; i < n; i++)
        dependency_json(j, &list[i]);
    json_end(j, ']');
}

static char *needs_line(const struct dependency *list, unsigned n)
{
    AUTO_JSON j = {0};
    put_list(&j, list, n);
    return str_steal(&j.out);
}

static bool same_line(char *a, char *b)
{
    AUTO_FREE(char) one = a;
    AUTO_FREE(char) two = b;
    return strcmp(one != NULL ? one : "", two != NULL ? two : "") == 0;
}

/* What of attributes.system is not as the document has it. */
struct changes {
    bool name, duration, constraints, needs;
};

static struct changes changes_of(const struct jobspec *s)
{
    const struct flux_job *f = s->flux;
    AUTO(arena) scratch = arena_make();
    const char *name = has_part(s) ? f->name : seated_name(scratch, f);
    const struct doc_node *system = get(f->attributes, "system");
    return (struct changes){.name = name == NULL || strcmp(name, s->name) != 0,
                            .duration = s->time < f->duration || s->time > f->duration ||
                                        (has_part(s) && get(system, "duration") == NULL),
                            .constraints = !same_line(constraints_line(s->constraints),
                                                      constraints_line(f->constraints)),
                            .needs = !same_line(needs_line(s->after, s->n_after),
                                                needs_line(f->needs, f->n_needs))};
}

/* attributes.system.job, with the name in its place. */
static void put_job(struct json *j, const struct doc_node *was, const char *name)
{
    bool done = false;
    json_key(j, "job");
    json_begin(j, '{');
    for (unsigned i = 0; was != NULL && was->kind == DOC_MAP && i < was->n; i++) {
        const struct doc_node *item = &was->as.items[i];
        bool is_name = strcmp(item->key, "name") == 0;
        done = done || is_name;
        if (is_name) {
            json_put_string(j, "name", name);
        } else {
            json_key(j, item->key);
            written_node(j, item);
        }
    }
    if (!done)
        json_put_string(j, "name", name);
    json_end(j, '}');
}

static void put_constraints(struct json *j, const struct jobspec *s)
{
    if (s->constraints == NULL)
        return;
    json_key(j, "constraints");
    constraint_json(j, s->constraints);
}

static void put_needs(struct json *j, const struct jobspec *s)
{
    if (s->n_after == 0)
        return;
    json_key(j, "dependencies");
    put_list(j, s->after, s->n_after);
}

/* One key of attributes.system; `was` NULL: the document lacks it. */
static void put_key(struct json *j,
                    const struct jobspec *s,
                    const struct changes *c,
                    const char *key,
                    const struct doc_node *was)
{
    if (strcmp(key, "cwd") == 0) {
        json_put_string(j, "cwd", s->dir);
    } else if (strcmp(key, "duration") == 0 && (was != NULL || c->duration)) {
        written_seconds(j, "duration", s->time);
    } else if (strcmp(key, "job") == 0 && c->name) {
        put_job(j, was, s->name);
    } else if (strcmp(key, "constraints") == 0 && c->constraints) {
        put_constraints(j, s);
    } else if (strcmp(key, "dependencies") == 0 && c->needs) {
        put_needs(j, s);
    } else if (was != NULL) {
        json_key(j, key);
        written_node(j, was);
    }
}

static void
put_system(struct json *j, const struct jobspec *s, const struct doc_node *system)
{
    static const char *const ours[] = {
        "duration", "cwd", "job", "dependencies", "constraints"};
    struct changes c = changes_of(s);
    json_key(j, "system");
    json_begin(j, '{');
    for (unsigned i = 0; system != NULL && system->kind == DOC_MAP && i < system->n; i++)
        put_key(j, s, &c, system->as.items[i].key, &system->as.items[i]);
    for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++) {
        if (get(system, ours[i]) == NULL)
            put_key(j, s, &c, ours[i], NULL);
    }
    json_end(j, '}');
}

static void put_user(struct json *j, const struct jobspec *s, const struct doc_node *user)
{
    json_key(j, "user");
    if (user->kind != DOC_MAP) {
        written_node(j, user);
        return;
    }
    json_begin(j, '{');
    for (unsigned i = 0; i < user->n; i++) {
        const struct doc_node *item = &user->as.items[i];
        json_key(j, item->key);
        if (strcmp(item->key, "gridmill") == 0)
            part_write(j, s);
        else
            written_node(j, item);
    }
    json_end(j, '}');
}

void rewrite_attributes(struct json *j, const struct jobspec *s)
{
    const struct doc_node *was = doc_get(s->flux->document, "attributes");
    json_key(j, "attributes");
    json_begin(j, '{');
    if (get(was, "system") == NULL)
        put_system(j, s, NULL);
    for (unsigned i = 0; was != NULL && was->kind == DOC_MAP && i < was->n; i++) {
        const struct doc_node *item = &was->as.items[i];
        if (strcmp(item->key, "system") == 0) {
            put_system(j, s, item);
        } else if (strcmp(item->key, "user") == 0) {
            put_user(j, s, item);
        } else {
            json_key(j, item->key);
            written_node(j, item);
        }
    }
    json_end(j, '}');
}
