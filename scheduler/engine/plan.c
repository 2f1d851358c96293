/* A job on a machine -> its plan: placed, numbered, and with all that a rank or a later
 * reader needs to know. Invariant: nothing here touches the disk; two plans of the same
 * job on the same machine differ in their id alone. */
#include "base/memory.h"
#include "base/strmap.h"
#include "base/version.h"
#include "engine.h"
#include "mapping.h"
#include "spec/canonical.h"
#include <stdlib.h>
#include <sys/random.h>

static int draw_id(struct arena *a, const char **ret, struct gm_error *err)
{
    unsigned char bytes[16];
    if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes))
        return gm_fail(err, -EIO, "getrandom: %s", strerror(errno));
    char *hex = arena_alloc(a, 2 * sizeof(bytes) + 1, 1);
    for (size_t i = 0; i < sizeof(bytes); i++)
        (void)snprintf(hex + 2 * i, 3, "%02x", bytes[i]);
    *ret = hex;
    return 0;
}

static const char *idset_text(struct arena *a, const struct idset *s)
{
    if (s == NULL)
        return "";
    AUTO_FREE(char) text = idset_format(s);
    return arena_strdup(a, text);
}

/* The NUMA nodes that the placement names, else those that its PUs hang below. */
static const char *
mems_text(struct arena *a, const struct topo_shape *s, const struct place_seat *seat)
{
    if (seat->mems != NULL && idset_count(seat->mems) > 0)
        return idset_text(a, seat->mems);
    AUTO(idset) near = idset_make();
    for (unsigned i = 0; i < s->n_nodes; i++) {
        const struct topo_node *n = &s->nodes[i];
        bool own = false;
        for (unsigned k = 0; n->kind == GM_NUMA && k < n->n_pus && !own; k++)
            own = idset_has(seat->pus, s->pus[n->first_pu + k]);
        if (own)
            idset_add(near, n->os_index);
    }
    return idset_text(a, near);
}

/* Its whole cores, or its PUs where the job counts in those. */
static unsigned
own_threads(const struct topo_shape *s, const struct place_seat *seat, bool pus)
{
    unsigned cores = 0;
    for (unsigned i = 0; i < s->n_nodes && !pus; i++) {
        const struct topo_node *n = &s->nodes[i];
        bool own = n->kind == GM_CORE;
        for (unsigned k = 0; own && k < n->n_pus; k++)
            own = idset_has(seat->pus, s->pus[n->first_pu + k]);
        cores += own;
    }
    return pus ? (unsigned)idset_count(seat->pus) : cores;
}

/* Ranks on the very same PUs share them evenly; each has one thread at least. */
static void add_threads(struct plan_rank *ranks, const struct placement *at)
{
    AUTO(arena) keys = arena_make(); /* the map borrows them */
    AUTO(strmap) index = strmap_make();
    AUTO_FREE(size_t) first = xcalloc(at->n_ranks, sizeof(*first));
    AUTO_FREE(unsigned) sharers = xcalloc(at->n_ranks, sizeof(*sharers));
    for (unsigned i = 0; i < at->n_ranks; i++) {
        const char *where = arena_printf(keys, "%u:%s", at->seats[i].host, ranks[i].cpus);
        first[i] = i;
        if (!strmap_get(index, where, &first[i]))
            strmap_put(index, where, i);
        sharers[first[i]]++;
    }
    for (unsigned i = 0; i < at->n_ranks; i++) {
        unsigned n = ranks[i].threads / sharers[first[i]];
        ranks[i].threads = n > 0 ? n : 1;
    }
}

static void add_ranks(struct plan *p,
                      const struct jobspec *spec,
                      const struct restree *tree,
                      const struct placement *at)
{
    struct plan_rank *ranks = arena_alloc(p->arena, at->n_ranks, sizeof(*ranks));
    for (unsigned i = 0; i < at->n_ranks; i++) {
        const struct place_seat *seat = &at->seats[i];
        const struct topo_shape *shape = restree_shape(tree, seat->host);
        ranks[i] = (struct plan_rank){
            .host = arena_strdup(p->arena, tree->hosts[seat->host].name),
            .cpus = idset_text(p->arena, seat->pus),
            .gpus = idset_text(p->arena, seat->gpus),
            .mems = mems_text(p->arena, shape, seat),
            .threads = own_threads(shape, seat, spec->threads > 0),
            .reason = arena_strdup(p->arena, seat->reason != NULL ? seat->reason : ""),
        };
    }
    add_threads(ranks, at);
    p->ranks = ranks;
    p->n_ranks = at->n_ranks;
}

static void add_hosts(struct plan *p, const struct restree *tree)
{
    struct plan_host *hosts = arena_alloc(p->arena, tree->n_hosts, sizeof(*hosts));
    for (unsigned i = 0; i < tree->n_hosts; i++)
        hosts[i] = (struct plan_host){.name = arena_strdup(p->arena, tree->hosts[i].name),
                                      .topology = tree->hosts[i].shape};
    p->hosts = hosts;
    p->n_hosts = tree->n_hosts;
    struct plan_topology *shapes = arena_alloc(p->arena, tree->n_shapes, sizeof(*shapes));
    for (unsigned i = 0; i < tree->n_shapes; i++)
        shapes[i] = (struct plan_topology){
            .digest = arena_strdup(p->arena, tree->shapes[i].digest),
            .xml = arena_strdup(p->arena,
                                tree->shapes[i].xml != NULL ? tree->shapes[i].xml : "")};
    p->topologies = shapes;
    p->n_topologies = tree->n_shapes;
}

static const char *const *copy_files(struct arena *a, const struct jobspec_source *s)
{
    if (s->files == NULL)
        return NULL;
    const char **files = arena_alloc(a, s->rows, sizeof(*files));
    for (uint64_t i = 0; i < s->rows; i++)
        files[i] = arena_strdup(a, s->files[i]);
    return files;
}

/* The jobspec as it was given, so that a rank loads it again and finds the same job. */
static void add_job(struct plan *p, const struct jobspec *spec)
{
    struct arena *a = p->arena;
    p->file = arena_strdup(a, spec->file);
    p->dir = arena_strdup(a, spec->dir);
    p->text = arena_copy(a, spec->text, spec->text_len);
    p->text_len = spec->text_len;
    const char **sets = arena_alloc(a, spec->n_sets, sizeof(*sets));
    for (unsigned i = 0; i < spec->n_sets; i++)
        sets[i] = arena_strdup(a, spec->sets[i]);
    p->sets = sets;
    p->n_sets = spec->n_sets;
    p->document = spec->document;
    struct jobspec_source *sources = arena_alloc(a, spec->n_sources, sizeof(*sources));
    for (unsigned i = 0; i < spec->n_sources; i++) {
        sources[i] = spec->sources[i];
        sources[i].path = arena_strdup(a, spec->sources[i].path);
        sources[i].files = copy_files(a, &spec->sources[i]);
    }
    p->sources = sources;
    p->n_sources = spec->n_sources;
    AUTO_FREE(char) canonical = canonical_format(spec, false);
    p->canonical = arena_strdup(a, canonical);
    p->results = arena_strdup(a, spec->results);
    p->folder = arena_printf(a, "%s.gm", spec->results);
}

/* A group of ranks cannot be larger than the job. */
static int
check_groups(const struct jobspec *spec, unsigned n_ranks, struct gm_error *err)
{
    for (unsigned i = 0; i < spec->n_stages; i++) {
        const struct jobspec_stage *s = &spec->stages[i];
        if (s->group > n_ranks)
            return gm_fail(
                err,
                -EOVERFLOW,
                "%s:%u:%u: stage %s: a group of %u ranks, but the job has %u: ask for "
                "more ranks or write group: all",
                spec->file,
                s->line,
                s->col,
                s->name,
                s->group,
                n_ranks);
    }
    return 0;
}

/* Ranks on which a task of the stage fits. */
static unsigned
count_fit(const struct jobspec_stage *s, const struct plan *p, const struct placement *at)
{
    unsigned n = 0;
    for (unsigned i = 0; i < p->n_ranks; i++) {
        const struct idset *gpus = at->seats[i].gpus;
        n += p->ranks[i].threads >= s->task_cores &&
             (gpus != NULL ? idset_count(gpus) : 0) >= s->task_gpus;
    }
    return n;
}

/* "2 cores and 1 GPU" */
static void wants_text(const struct jobspec_stage *s, struct str *out)
{
    if (s->task_cores > 0)
        str_printf(out, "%u core%s", s->task_cores, s->task_cores == 1 ? "" : "s");
    if (s->task_gpus > 0)
        str_printf(out,
                   "%s%u GPU%s",
                   out->len > 0 ? " and " : "",
                   s->task_gpus,
                   s->task_gpus == 1 ? "" : "s");
}

/* A stage that no rank is large enough for would wait for ever. */
static int check_tasks_fit(const struct jobspec *spec,
                           const struct plan *p,
                           const struct placement *at,
                           struct gm_error *err)
{
    for (unsigned i = 0; i < spec->n_stages; i++) {
        const struct jobspec_stage *s = &spec->stages[i];
        unsigned group = s->group == 0 ? p->n_ranks : s->group;
        if (s->task_cores == 0 && s->task_gpus == 0)
            continue;
        unsigned n = count_fit(s, p, at);
        if (n >= group)
            continue;
        AUTO_STR wants = {0};
        AUTO_STR have = {0};
        wants_text(s, &wants);
        if (group > 1)
            str_printf(&wants, " on each of %u ranks", group);
        str_printf(&have, "only %u of %u ranks have", n, p->n_ranks);
        return gm_fail(err,
                       -EOVERFLOW,
                       "%s:%u:%u: stage %s: a task takes %s, which %s: ask for more by "
                       "per-rank",
                       spec->file,
                       s->line,
                       s->col,
                       s->name,
                       wants.text,
                       n == 0 ? "no rank has" : have.text);
    }
    return 0;
}

static const uint64_t *
copy_seated(struct arena *a, const uint64_t *seated, unsigned n_stages)
{
    uint64_t *copy = arena_alloc(a, n_stages, sizeof(*copy));
    memcpy(copy, seated, n_stages * sizeof(*copy));
    return copy;
}

int engine_plan_from(const struct jobspec *spec,
                     const struct restree *tree,
                     const struct placement *at,
                     const uint64_t *seated,
                     enum plan_binder binder,
                     const char *launcher,
                     struct plan **ret,
                     struct gm_error *err)
{
    AUTO(plan) p = NULL;
    struct arena *a = arena_make();
    p = arena_alloc(a, 1, sizeof(*p));
    p->arena = a;
    int rc = check_groups(spec, at->n_ranks, err);
    if (rc == 0)
        rc = draw_id(a, &p->id, err);
    if (rc != 0)
        return rc;
    add_job(p, spec);
    add_ranks(p, spec, tree, at);
    rc = check_tasks_fit(spec, p, at, err);
    if (rc != 0)
        return rc;
    add_hosts(p, tree);
    if (seated != NULL) {
        p->seated = copy_seated(a, seated, spec->n_stages);
        p->n_seated = spec->n_stages;
    }
    p->mapping = arena_strdup(a, at->mapping);
    p->oversubscribe = at->oversubscribed;
    p->binder = binder;
    p->verify = plan_verify_of(spec->verify, launcher);
    p->launcher = arena_strdup(a, launcher);
    p->build = arena_strdup(a, version_build());
    *ret = steal(&p);
    return 0;
}

/* Launchers bind ranks apart; ranks that share PUs bind themselves. */
static enum plan_binder binder_of(const struct placement *at)
{
    if (at->oversubscribed || at->unbound)
        return PLAN_UNBOUND;
    return at->shared ? PLAN_BOUND_BY_RUNNER : PLAN_BOUND_BY_LAUNCHER;
}

int engine_plan_mapped(const struct jobspec *spec,
                       const struct restree *tree,
                       const struct mapping *m,
                       const char *launcher,
                       struct plan **ret,
                       struct gm_error *err)
{
    return engine_plan_from(
        spec, tree, m->at, m->seated, binder_of(m->at), launcher, ret, err);
}

int engine_plan(const struct jobspec *spec,
                const struct restree *tree,
                const char *launcher,
                struct plan **ret,
                struct gm_error *err)
{
    struct mapping m;
    int rc = mapping_make(spec, tree, NULL, &m, err);
    if (rc != 0)
        return rc;
    rc = engine_plan_mapped(spec, tree, &m, launcher, ret, err);
    mapping_clear(&m);
    return rc;
}
