/* See plan.h: a plan as JSON, written by base/json and read by doc (JSON is YAML).
 * Invariant: plan_parse(plan_format(p)) equals p, byte for byte once formatted again; a
 * plan that lacks a key or breaks a rule is refused with its line and column. */
#include "spec/plan.h"
#include "base/file.h"
#include "base/json.h"
#include "doc.h"
#include "faults.h"
#include <stdlib.h>

enum { PLAN_MAX_BYTES = 256 << 20 };

static const char *const binder_names[] = {[PLAN_BOUND_BY_LAUNCHER] = "launcher",
                                           [PLAN_BOUND_BEFORE] = "before",
                                           [PLAN_BOUND_BY_RUNNER] = "runner",
                                           [PLAN_UNBOUND] = "unbound"};

const char *plan_binder_name(enum plan_binder b)
{
    return b >= PLAN_BOUND_BY_LAUNCHER && b <= PLAN_UNBOUND ? binder_names[b] : "?";
}

static const char *const verify_names[] = {[PLAN_VERIFY_STRICT] = "strict",
                                           [PLAN_VERIFY_WARN] = "warn",
                                           [PLAN_VERIFY_OFF] = "off"};

static enum plan_verify find_verify(const char *word)
{
    for (unsigned v = PLAN_VERIFY_STRICT; v <= PLAN_VERIFY_OFF; v++) {
        if (strcmp(verify_names[v], word) == 0)
            return (enum plan_verify)v;
    }
    return PLAN_VERIFY_AUTO;
}

enum plan_verify plan_verify_of(const char *word, const char *launcher)
{
    enum plan_verify said = word != NULL ? find_verify(word) : PLAN_VERIFY_AUTO;
    if (said != PLAN_VERIFY_AUTO)
        return said;
    return strcmp(launcher, "foreign") == 0 ? PLAN_VERIFY_WARN : PLAN_VERIFY_STRICT;
}

/* writing */

static void put_uint(struct json *j, const char *key, uint64_t v)
{
    json_key(j, key);
    json_uint(j, v);
}

/* An absent text is an empty one. */
static void put_text(struct json *j, const char *key, const char *text)
{
    json_put_string(j, key, text != NULL ? text : "");
}

static void put_machine(struct json *j, const struct plan *p)
{
    json_key(j, "ranks");
    json_begin(j, '[');
    for (unsigned i = 0; i < p->n_ranks; i++) {
        const struct plan_rank *r = &p->ranks[i];
        json_begin(j, '{');
        put_text(j, "host", r->host);
        put_text(j, "cpus", r->cpus);
        put_text(j, "gpus", r->gpus);
        put_text(j, "mems", r->mems);
        put_uint(j, "threads", r->threads);
        put_text(j, "reason", r->reason);
        json_end(j, '}');
    }
    json_end(j, ']');
    json_key(j, "hosts");
    json_begin(j, '[');
    for (unsigned i = 0; i < p->n_hosts; i++) {
        json_begin(j, '{');
        put_text(j, "name", p->hosts[i].name);
        put_uint(j, "topology", p->hosts[i].topology);
        json_end(j, '}');
    }
    json_end(j, ']');
    json_key(j, "topologies");
    json_begin(j, '[');
    for (unsigned i = 0; i < p->n_topologies; i++) {
        json_begin(j, '{');
        put_text(j, "digest", p->topologies[i].digest);
        put_text(j, "xml", p->topologies[i].xml);
        json_end(j, '}');
    }
    json_end(j, ']');
}

/* Files of a pattern; nothing for other sources. */
static void put_files(struct json *j, const struct jobspec_source *s)
{
    if (s->files == NULL)
        return;
    json_key(j, "files");
    json_begin(j, '[');
    for (uint64_t i = 0; i < s->rows; i++)
        json_string(j, s->files[i]);
    json_end(j, ']');
}

static void put_sources(struct json *j, const struct plan *p)
{
    json_key(j, "sources");
    json_begin(j, '[');
    for (unsigned i = 0; i < p->n_sources; i++) {
        const struct jobspec_source *s = &p->sources[i];
        json_begin(j, '{');
        put_text(j, "path", s->path);
        put_text(j, "written", s->written);
        put_uint(j, "unit", s->unit);
        put_uint(j, "rows", s->rows);
        put_uint(j, "size", s->size);
        json_put_int(j, "mtime_ns", s->mtime_ns);
        put_text(j, "sha256", s->sha256);
        put_files(j, s);
        json_end(j, '}');
    }
    json_end(j, ']');
}

/* null: not a seated job. */
static void put_seated(struct json *j, const struct plan *p)
{
    json_key(j, "seated");
    if (p->seated == NULL) {
        json_null(j);
        return;
    }
    json_begin(j, '[');
    for (unsigned i = 0; i < p->n_seated; i++)
        json_uint(j, p->seated[i]);
    json_end(j, ']');
}

/* Nothing of a job's first launch. */
static void put_launch(struct json *j, const struct plan *p)
{
    if (p->launch > 0) {
        json_key(j, "resumed");
        json_begin(j, '{');
        put_uint(j, "launch", p->launch);
        json_put_bool(j, "failed", p->again);
        json_end(j, '}');
    }
    if (p->began > 0)
        json_put_double(j, "began", p->began);
    if (p->end > 0)
        json_put_double(j, "end", p->end);
}

char *plan_format(const struct plan *p)
{
    AUTO_JSON j = {.pretty = true};
    json_begin(&j, '{');
    put_text(&j, "schema", PLAN_SCHEMA);
    put_text(&j, "id", p->id);
    put_launch(&j, p);
    put_text(&j, "build", p->build);
    put_text(&j, "file", p->file);
    put_text(&j, "dir", p->dir);
    json_key(&j, "text");
    json_string_n(&j, p->text, p->text_len);
    json_key(&j, "sets");
    json_begin(&j, '[');
    for (unsigned i = 0; i < p->n_sets; i++)
        json_string(&j, p->sets[i]);
    json_end(&j, ']');
    put_uint(&j, "document", p->document);
    put_seated(&j, p);
    put_text(&j, "canonical", p->canonical);
    put_text(&j, "results", p->results);
    put_text(&j, "folder", p->folder);
    put_text(&j, "mapping", p->mapping);
    json_put_bool(&j, "oversubscribe", p->oversubscribe);
    put_text(&j, "binder", plan_binder_name(p->binder));
    put_text(&j, "verify", verify_names[p->verify]);
    put_text(&j, "launcher", p->launcher);
    put_machine(&j, p);
    put_sources(&j, p);
    json_end(&j, '}');
    return str_steal(&j.out);
}

/* reading: each getter tells what is wrong, once, and goes on with an empty value */

struct reading {
    struct arena *a;
    struct jobspec_faults *faults;
};

static void wrong(const struct reading *r,
                  const struct fault_path *at,
                  const struct doc_node *node,
                  const char *what)
{
    faults_add(r->faults, at, node->line, node->col, "%s", what);
}

/* The value of a key; NULL: told. */
static const struct doc_node *get(const struct reading *r,
                                  const struct fault_path *up,
                                  const struct doc_node *map,
                                  const char *key)
{
    const struct doc_node *n = doc_get(map, key);
    struct fault_path at = {.up = up, .key = key};
    if (n == NULL)
        wrong(
            r, &at, map, map->kind == DOC_MAP ? "is missing" : "must stand in a mapping");
    return n;
}

static const char *get_text(const struct reading *r,
                            const struct fault_path *up,
                            const struct doc_node *map,
                            const char *key,
                            size_t *ret_len)
{
    const struct doc_node *n = get(r, up, map, key);
    struct fault_path at = {.up = up, .key = key};
    if (n != NULL && n->kind != DOC_STRING)
        wrong(r, &at, n, "must be a string");
    if (n == NULL || n->kind != DOC_STRING)
        return "";
    if (ret_len != NULL)
        *ret_len = n->n;
    return n->as.text;
}

static uint64_t get_uint(const struct reading *r,
                         const struct fault_path *up,
                         const struct doc_node *map,
                         const char *key,
                         uint64_t most)
{
    const struct doc_node *n = get(r, up, map, key);
    struct fault_path at = {.up = up, .key = key};
    uint64_t v = 0;
    if (n != NULL && (n->kind != DOC_INT || doc_uint(n, &v) != 0 || v > most))
        wrong(r, &at, n, "must be an integer in its range");
    return v > most ? 0 : v;
}

static int64_t get_int(const struct reading *r,
                       const struct fault_path *up,
                       const struct doc_node *map,
                       const char *key)
{
    const struct doc_node *n = get(r, up, map, key);
    struct fault_path at = {.up = up, .key = key};
    int64_t v = 0;
    if (n != NULL && (n->kind != DOC_INT || doc_int(n, &v) != 0))
        wrong(r, &at, n, "must be an integer");
    return v;
}

/* The items of a list; their number in *ret_n (0: none, or told). */
static const struct doc_node *get_list(const struct reading *r,
                                       const struct doc_node *root,
                                       const char *key,
                                       unsigned *ret_n)
{
    const struct doc_node *n = get(r, NULL, root, key);
    struct fault_path at = {.key = key};
    if (n != NULL && n->kind != DOC_LIST)
        wrong(r, &at, n, "must be a list");
    bool list = n != NULL && n->kind == DOC_LIST;
    *ret_n = list ? n->n : 0;
    return list ? n->as.items : NULL;
}

static void
read_ranks(const struct reading *r, const struct doc_node *root, struct plan *p)
{
    const struct fault_path up = {.key = "ranks"};
    const struct doc_node *items = get_list(r, root, "ranks", &p->n_ranks);
    struct plan_rank *ranks = arena_alloc(r->a, p->n_ranks, sizeof(*ranks));
    for (unsigned i = 0; i < p->n_ranks; i++) {
        struct fault_path at = {.up = &up, .index = i};
        ranks[i].host = get_text(r, &at, &items[i], "host", NULL);
        ranks[i].cpus = get_text(r, &at, &items[i], "cpus", NULL);
        ranks[i].gpus = get_text(r, &at, &items[i], "gpus", NULL);
        ranks[i].mems = get_text(r, &at, &items[i], "mems", NULL);
        ranks[i].threads = (unsigned)get_uint(r, &at, &items[i], "threads", UINT32_MAX);
        ranks[i].reason = get_text(r, &at, &items[i], "reason", NULL);
    }
    if (p->n_ranks == 0)
        wrong(r, &up, root, "must hold one rank or more");
    p->ranks = ranks;
}

static void
read_hosts(const struct reading *r, const struct doc_node *root, struct plan *p)
{
    const struct fault_path up = {.key = "topologies"}, hosts_up = {.key = "hosts"};
    const struct doc_node *items = get_list(r, root, "topologies", &p->n_topologies);
    struct plan_topology *all = arena_alloc(r->a, p->n_topologies, sizeof(*all));
    for (unsigned i = 0; i < p->n_topologies; i++) {
        struct fault_path at = {.up = &up, .index = i};
        all[i].digest = get_text(r, &at, &items[i], "digest", NULL);
        all[i].xml = get_text(r, &at, &items[i], "xml", NULL);
    }
    items = get_list(r, root, "hosts", &p->n_hosts);
    struct plan_host *hosts = arena_alloc(r->a, p->n_hosts, sizeof(*hosts));
    for (unsigned i = 0; i < p->n_hosts; i++) {
        struct fault_path at = {.up = &hosts_up, .index = i};
        struct fault_path topology_at = {.up = &at, .key = "topology"};
        hosts[i].name = get_text(r, &at, &items[i], "name", NULL);
        hosts[i].topology = (unsigned)get_uint(r, &at, &items[i], "topology", UINT32_MAX);
        if (hosts[i].topology >= p->n_topologies)
            wrong(r, &topology_at, &items[i], "names no topology of the plan");
    }
    p->topologies = all;
    p->hosts = hosts;
}

static bool is_digest(const char *text)
{
    size_t n = strspn(text, "0123456789abcdef");
    return text[n] == '\0' && (n == 64 || n == 0);
}

static void read_files(const struct reading *r,
                       const struct fault_path *up,
                       const struct doc_node *list,
                       struct jobspec_source *ret)
{
    struct fault_path at = {.up = up, .key = "files"};
    if (list == NULL)
        return;
    if (list->kind != DOC_LIST || list->n != ret->rows) {
        wrong(r, &at, list, "must be a list of as many files as `rows` says");
        return;
    }
    const char **files = arena_alloc(r->a, list->n, sizeof(*files));
    for (unsigned i = 0; i < list->n; i++) {
        files[i] = list->as.items[i].kind == DOC_STRING ? list->as.items[i].as.text : "";
        if (list->as.items[i].kind != DOC_STRING)
            wrong(r, &at, list, "must be strings");
    }
    ret->files = files;
}

static void
read_sources(const struct reading *r, const struct doc_node *root, struct plan *p)
{
    const struct fault_path up = {.key = "sources"};
    const struct doc_node *items = get_list(r, root, "sources", &p->n_sources);
    struct jobspec_source *all = arena_alloc(r->a, p->n_sources, sizeof(*all));
    for (unsigned i = 0; i < p->n_sources; i++) {
        struct fault_path at = {.up = &up, .index = i};
        struct fault_path digest_at = {.up = &at, .key = "sha256"};
        const char *digest = get_text(r, &at, &items[i], "sha256", NULL);
        all[i].path = get_text(r, &at, &items[i], "path", NULL);
        all[i].written = get_text(r, &at, &items[i], "written", NULL);
        all[i].unit = (uint32_t)get_uint(r, &at, &items[i], "unit", UINT32_MAX);
        all[i].rows = get_uint(r, &at, &items[i], "rows", UINT64_MAX);
        all[i].size = get_uint(r, &at, &items[i], "size", UINT64_MAX);
        all[i].mtime_ns = get_int(r, &at, &items[i], "mtime_ns");
        read_files(r, &at, doc_get(&items[i], "files"), &all[i]);
        if (is_digest(digest))
            memcpy(all[i].sha256, digest, strlen(digest) + 1);
        else
            wrong(r, &digest_at, &items[i], "must be 64 hex digits");
    }
    p->sources = all;
}

static void
read_sets(const struct reading *r, const struct doc_node *root, struct plan *p)
{
    const struct fault_path up = {.key = "sets"};
    const struct doc_node *items = get_list(r, root, "sets", &p->n_sets);
    const char **sets = arena_alloc(r->a, p->n_sets, sizeof(*sets));
    for (unsigned i = 0; i < p->n_sets; i++) {
        struct fault_path at = {.up = &up, .index = i};
        sets[i] = items[i].kind == DOC_STRING ? items[i].as.text : "";
        if (items[i].kind != DOC_STRING)
            wrong(r, &at, &items[i], "must be a string");
    }
    p->sets = sets;
}

/* Which document of the text, and how many tasks of each stage it seats. */
static void
read_choice(const struct reading *r, const struct doc_node *root, struct plan *p)
{
    const struct fault_path up = {.key = "seated"}, document_at = {.key = "document"};
    const struct doc_node *seated = get(r, NULL, root, "seated");
    p->document = (unsigned)get_uint(r, NULL, root, "document", UINT32_MAX);
    if (p->document == 0 && doc_get(root, "document") != NULL)
        wrong(r, &document_at, root, "must be 1 or more");
    if (seated == NULL || seated->kind == DOC_NULL)
        return;
    if (seated->kind != DOC_LIST || seated->n == 0) {
        wrong(r, &up, seated, "must be null or a list of numbers");
        return;
    }
    uint64_t *all = arena_alloc(r->a, seated->n, sizeof(*all));
    for (unsigned i = 0; i < seated->n; i++) {
        const struct doc_node *item = &seated->as.items[i];
        struct fault_path at = {.up = &up, .index = i};
        if (item->kind != DOC_INT || doc_uint(item, &all[i]) != 0 || all[i] > INT32_MAX)
            wrong(r, &at, item, "must be a number of tasks, 0 .. 2147483647");
    }
    p->seated = all;
    p->n_seated = seated->n;
}

static void
read_binder(const struct reading *r, const struct doc_node *root, struct plan *p)
{
    const struct fault_path at = {.key = "binder"};
    const char *name = get_text(r, NULL, root, "binder", NULL);
    for (unsigned b = PLAN_BOUND_BY_LAUNCHER; b <= PLAN_UNBOUND; b++) {
        if (strcmp(binder_names[b], name) == 0)
            p->binder = (enum plan_binder)b;
    }
    if (p->binder == 0)
        wrong(r, &at, root, "must be one of launcher, before, runner, unbound");
}

static void
read_verify(const struct reading *r, const struct doc_node *root, struct plan *p)
{
    const struct fault_path at = {.key = "verify"};
    p->verify = find_verify(get_text(r, NULL, root, "verify", NULL));
    if (p->verify == PLAN_VERIFY_AUTO)
        wrong(r, &at, root, "must be one of strict, warn, off");
}

/* Unix s; 0 where it is not told. */
static double
get_time(const struct reading *r, const struct doc_node *root, const char *key)
{
    const struct fault_path at = {.key = key};
    const struct doc_node *n = doc_get(root, key);
    if (n == NULL)
        return 0;
    if (n->kind == DOC_INT || n->kind == DOC_FLOAT)
        return doc_float(n);
    wrong(r, &at, n, "must be a number");
    return 0;
}

/* Keys that a plan need not have. */
static void
read_launch(const struct reading *r, const struct doc_node *root, struct plan *p)
{
    const struct fault_path up = {.key = "resumed"},
                            failed_at = {.up = &up, .key = "failed"};
    const struct doc_node *resumed = doc_get(root, "resumed");
    if (resumed != NULL) {
        const struct doc_node *failed = get(r, &up, resumed, "failed");
        p->launch = (unsigned)get_uint(r, &up, resumed, "launch", UINT32_MAX);
        if (failed != NULL && failed->kind != DOC_BOOL)
            wrong(r, &failed_at, failed, "must be true or false");
        p->again = failed != NULL && failed->kind == DOC_BOOL && doc_bool(failed);
    }
    p->began = get_time(r, root, "began");
    p->end = get_time(r, root, "end");
}

static void
read_plan(const struct reading *r, const struct doc_node *root, struct plan *p)
{
    const struct fault_path schema_at = {.key = "schema"},
                            over_at = {.key = "oversubscribe"};
    if (strcmp(get_text(r, NULL, root, "schema", NULL), PLAN_SCHEMA) != 0) {
        wrong(r,
              &schema_at,
              root,
              "must be " PLAN_SCHEMA ": made by another version of Gridmill");
        return;
    }
    const struct doc_node *over = get(r, NULL, root, "oversubscribe");
    if (over != NULL && over->kind != DOC_BOOL)
        wrong(r, &over_at, over, "must be true or false");
    p->oversubscribe = over != NULL && over->kind == DOC_BOOL && doc_bool(over);
    p->id = get_text(r, NULL, root, "id", NULL);
    p->build = get_text(r, NULL, root, "build", NULL);
    p->file = get_text(r, NULL, root, "file", NULL);
    p->dir = get_text(r, NULL, root, "dir", NULL);
    p->text = get_text(r, NULL, root, "text", &p->text_len);
    p->canonical = get_text(r, NULL, root, "canonical", NULL);
    p->results = get_text(r, NULL, root, "results", NULL);
    p->folder = get_text(r, NULL, root, "folder", NULL);
    p->mapping = get_text(r, NULL, root, "mapping", NULL);
    p->launcher = get_text(r, NULL, root, "launcher", NULL);
    read_launch(r, root, p);
    read_binder(r, root, p);
    read_verify(r, root, p);
    read_sets(r, root, p);
    read_choice(r, root, p);
    read_ranks(r, root, p);
    read_hosts(r, root, p);
    read_sources(r, root, p);
}

int plan_parse(const char *file,
               const char *text,
               size_t len,
               struct plan **ret,
               struct gm_error *err)
{
    struct arena *a = arena_make();
    AUTO(plan) p = arena_alloc(a, 1, sizeof(*p));
    struct jobspec_faults faults;
    struct doc_node *root = NULL;
    p->arena = a;
    faults_init(&faults, file);
    struct reading r = {.a = a, .faults = &faults};
    int rc = doc_parse(a, text, len, &faults, &root);
    if (rc == 0)
        read_plan(&r, root, p);
    if (faults.n > 0)
        rc = faults_first(&faults, -EINVAL, err);
    jobspec_faults_free(&faults);
    if (rc == 0)
        *ret = steal(&p);
    return rc;
}

int plan_load(const char *file, struct plan **ret, struct gm_error *err)
{
    AUTO_FREE(char) text = NULL;
    size_t len = 0;
    int rc = file_read(file, PLAN_MAX_BYTES, &text, &len, err);
    return rc == 0 ? plan_parse(file, text, len, ret, err) : rc;
}

void plan_free(struct plan *p)
{
    if (p != NULL)
        arena_free(p->arena);
}
