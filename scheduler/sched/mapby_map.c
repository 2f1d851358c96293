/* See mapby_job.h: hosts and objects for an app's ranks, in the order of mapping.
 * Invariant: a host gets more ranks than its slots only where the words allow it, and
 * then first what it has, after that an even share of the rest. */
#include "base/memory.h"
#include "base/str.h"
#include "mapby_job.h"
#include <inttypes.h>

static const char *host_name(const struct mapby_job *job, unsigned host)
{
    return job->tree->hosts[job->hosts[host].host].name;
}

/* ---- objects ---- */

static bool
is_level(const struct topo_shape *s, const struct topo_node *n, enum mapwords_level level)
{
    static const uint32_t kinds[] = {
        [MAPWORDS_HOST] = GM_HOST,
        [MAPWORDS_PACKAGE] = GM_PACKAGE,
        [MAPWORDS_NUMA] = GM_NUMA,
        [MAPWORDS_L3] = GM_CACHE,
        [MAPWORDS_L2] = GM_CACHE,
        [MAPWORDS_L1] = GM_CACHE,
        [MAPWORDS_CORE] = GM_CORE,
        [MAPWORDS_HWTHREAD] = GM_PU,
    };
    bool cache = kinds[level] == GM_CACHE;
    unsigned depth = cache ? (unsigned)(MAPWORDS_L1 - level) + 1 : 0;
    if (n->n_pus == 0)
        return false;
    if (cache && n->kind == GM_CORE)
        return (s->private_caches & 1u << depth) != 0;
    return n->kind == kinds[level] && (!cache || n->level == depth);
}

void mapby_objects(const struct topo_shape *s,
                   enum mapwords_level level,
                   struct mapby_objects *ret)
{
    *ret = (struct mapby_objects){.nodes = xcalloc(s->n_nodes, sizeof(*ret->nodes))};
    for (unsigned i = 0; i < s->n_nodes; i++) {
        if (!is_level(s, &s->nodes[i], level))
            continue;
        ret->nodes[ret->n++] = i;
        i = s->nodes[i].end - 1;
    }
    /* The machine tells no packages or NUMA nodes: it is one. */
    if (ret->n == 0 && (level == MAPWORDS_PACKAGE || level == MAPWORDS_NUMA))
        ret->nodes[ret->n++] = 0;
}

void mapby_objects_clear(struct mapby_objects *o)
{
    for (unsigned i = 0; o->gpus != NULL && i < o->n; i++)
        idset_free(o->gpus[i]);
    free(o->gpus);
    free(o->nodes);
    *o = (struct mapby_objects){0};
}

/* ---- one rank ---- */

/* One rank more on a host; object: index in h->map, or -1 for the host as a whole.
 * unbound: not bound here, whatever the app's words. */
static int put(struct mapby_job *job,
               const struct mapby_app_job *app,
               unsigned host,
               int object,
               bool unbound,
               struct gm_error *err)
{
    struct mapby_host *h = &job->hosts[host];
    struct mapby_proc p = {
        .app = app->app, .host = host, .node = object < 0 ? 0 : h->map.nodes[object]};
    int rc = unbound ? 0 : mapby_bind(h, app, &p, host_name(job, host), err);
    if (rc == 0 && object >= 0 && h->map.gpus != NULL)
        p.gpus = idset_dup(h->map.gpus[object]);
    if (rc != 0) {
        idset_free(p.cpus);
        return rc;
    }
    if (job->n_procs == job->room) {
        job->room = job->room > 0 ? 2 * job->room : 64;
        job->procs = xrealloc(job->procs, job->room, sizeof(*job->procs));
    }
    if (h->n_procs == h->room) {
        h->room = h->room > 0 ? 2 * h->room : 16;
        h->procs = xrealloc(h->procs, h->room, sizeof(*h->procs));
    }
    h->procs[h->n_procs++] = job->n_procs;
    job->procs[job->n_procs++] = p;
    h->taken++;
    return 0;
}

/* ---- slots ---- */

static int too_many(const struct mapby_app_job *app, uint64_t slots, struct gm_error *err)
{
    return gm_fail(err,
                   -EOVERFLOW,
                   "mapping %s: %u ranks, but there are %" PRIu64
                   " slots (%s, or what hosts "
                   "were given): ask for at most %" PRIu64 ", or add OVERSUBSCRIBE",
                   app->text,
                   app->n,
                   slots,
                   app->hwt ? "one a hwthread" : "one a core",
                   slots);
}

/* More ranks than slots: refused, or allowed and then unbound unless the words bind. */
static int
check_slots(struct mapby_job *job, struct mapby_app_job *app, struct gm_error *err)
{
    uint64_t slots = 0;
    for (unsigned i = 0; i < job->n_hosts; i++)
        slots += mapby_left(&job->hosts[i]);
    if (app->n <= slots)
        return 0;
    if (!app->oversubscribe)
        return too_many(app, slots, err);
    if (!app->bind_said)
        app->bind = MAPWORDS_HOST;
    return 0;
}

/* What would help beside fewer ranks: sharing CPUs, where ranks are bound to one each and
 * nothing else is short. */
static int no_room(const struct mapby_app_job *app, unsigned placed, struct gm_error *err)
{
    bool counted = app->w.how == MAPWORDS_BY_PPR;
    AUTO_STR more = {0};
    if (app->pe > 1 && !counted)
        str_add(&more, ", or for a smaller PE");
    else if (app->bind != MAPWORDS_HOST && !app->w.overload && !counted)
        str_printf(&more,
                   ", %sbind-to %s:overload-allowed",
                   app->w.how == MAPWORDS_BY_LIST ? "or " : "bind-to none, or ",
                   mapwords_level_name(app->bind));
    return gm_fail(err,
                   -EOVERFLOW,
                   "mapping %s: only %u of %u ranks %s: ask for at most %u%s",
                   app->text,
                   placed,
                   app->n,
                   counted ? "have a place" : "find a free CPU",
                   placed,
                   str_text(&more));
}

/* So many ranks may be put on a host as a whole, of `want`: its free CPUs, where ranks
 * are bound. */
static unsigned fits(const struct mapby_host *h,
                     const struct mapby_app_job *app,
                     unsigned want,
                     bool *ret_unbound)
{
    unsigned cpus = mapby_cpus(h, 0, h->free, app->hwt);
    *ret_unbound = !app->bind_said && want > cpus && want <= mapby_left(h);
    if (*ret_unbound || app->bind == MAPWORDS_HOST || app->w.overload)
        return want;
    return want < cpus / app->pe ? want : cpus / app->pe;
}

/* Up to `want` ranks on one host as a whole; *placed counts. */
static int fill_host(struct mapby_job *job,
                     const struct mapby_app_job *app,
                     unsigned host,
                     unsigned want,
                     unsigned *placed,
                     struct gm_error *err)
{
    bool unbound;
    unsigned n = fits(&job->hosts[host], app, want, &unbound);
    int rc = 0;
    for (unsigned i = 0; rc == 0 && i < n && *placed < app->n; i++) {
        rc = put(job, app, host, -1, unbound, err);
        *placed += rc == 0;
    }
    return rc;
}

/* What is left once every host has its slots full: an even share, the first ones one
 * more. */
static unsigned share(const struct mapby_job *job, unsigned rest, unsigned host)
{
    return rest / job->n_hosts + (host < rest % job->n_hosts);
}

static int
map_by_slot(struct mapby_job *job, const struct mapby_app_job *app, struct gm_error *err)
{
    unsigned placed = 0;
    int rc = 0;
    for (unsigned i = 0; rc == 0 && i < job->n_hosts; i++) {
        unsigned left = mapby_left(&job->hosts[i]);
        if (app->w.how == MAPWORDS_BY_LIST && !app->w.overload && left > app->n_ids)
            left = app->n_ids;
        rc = fill_host(job, app, i, left, &placed, err);
    }
    unsigned rest = app->n - placed;
    for (unsigned i = 0; rc == 0 && app->oversubscribe && rest > 0 && i < job->n_hosts;
         i++)
        rc = fill_host(job, app, i, share(job, rest, i), &placed, err);
    return rc == 0 && placed < app->n ? no_room(app, placed, err) : rc;
}

/* A round of an even share a host, each at least one. */
static int node_round(struct mapby_job *job,
                      const struct mapby_app_job *app,
                      unsigned *placed,
                      struct gm_error *err)
{
    unsigned open = 0;
    int rc = 0;
    for (unsigned i = 0; i < job->n_hosts; i++)
        open += app->oversubscribe || mapby_left(&job->hosts[i]) > 0;
    if (open == 0)
        return 0;
    unsigned each = (app->n - *placed) / open;
    each = each > 0 ? each : 1;
    for (unsigned i = 0; rc == 0 && i < job->n_hosts; i++) {
        unsigned left = mapby_left(&job->hosts[i]);
        unsigned want = app->oversubscribe || each < left ? each : left;
        rc = fill_host(job, app, i, want, placed, err);
    }
    return rc;
}

static int
map_by_node(struct mapby_job *job, const struct mapby_app_job *app, struct gm_error *err)
{
    unsigned placed = 0, before;
    int rc;
    do {
        before = placed;
        rc = node_round(job, app, &placed, err);
    } while (rc == 0 && placed > before && placed < app->n);
    return rc == 0 && placed < app->n ? no_room(app, placed, err) : rc;
}

/* ---- objects ---- */

/* One round over a host's objects, a rank each (of ppr: n each). */
struct round {
    unsigned budget; /* ranks that the host may still get */
    bool out_of_cpus;
    bool unbound;
};

static int go_round(struct mapby_job *job,
                    const struct mapby_app_job *app,
                    unsigned host,
                    struct round *r,
                    unsigned *placed,
                    struct gm_error *err)
{
    struct mapby_host *h = &job->hosts[host];
    unsigned each = app->w.how == MAPWORDS_BY_PPR ? app->w.ppr : 1;
    bool bound = app->bind != MAPWORDS_HOST && !r->unbound && !app->w.overload;
    bool hwt = app->hwt || app->bind == MAPWORDS_HWTHREAD;
    for (unsigned k = 0; k < h->map.n; k++) {
        if (bound && mapby_cpus(h, h->map.nodes[k], h->free, hwt) < app->pe) {
            r->out_of_cpus = true;
            continue;
        }
        for (unsigned i = 0; i < each && r->budget > 0 && *placed < app->n; i++) {
            int rc = put(job, app, host, (int)k, r->unbound, err);
            if (rc != 0)
                return rc;
            r->budget--;
            ++*placed;
        }
    }
    return 0;
}

/* Rounds on one host until its budget is used, or some object has no CPU left. */
static int fill_objects(struct mapby_job *job,
                        const struct mapby_app_job *app,
                        unsigned host,
                        unsigned budget,
                        unsigned *placed,
                        struct gm_error *err)
{
    struct round r = {.budget = budget};
    bool once = app->w.span || (app->w.device && !app->w.shared);
    unsigned before;
    int rc;
    do {
        before = *placed;
        rc = go_round(job, app, host, &r, placed, err);
    } while (rc == 0 && !once && !r.out_of_cpus && *placed > before && r.budget > 0 &&
             *placed < app->n);
    return rc;
}

/* Each device to one rank, host after host. */
static int map_by_device(struct mapby_job *job,
                         const struct mapby_app_job *app,
                         struct gm_error *err)
{
    unsigned placed = 0;
    int rc = 0;
    for (unsigned i = 0; rc == 0 && i < job->n_hosts; i++) {
        unsigned left = app->oversubscribe ? app->n : mapby_left(&job->hosts[i]);
        rc = fill_objects(job, app, i, left, &placed, err);
    }
    return rc == 0 && placed < app->n ? no_room(app, placed, err) : rc;
}

/* Host after host; again from the first while that still places some (an object that was
 * full ended a host's turn early; SPAN takes a round a host). What is more than all slots
 * is shared out after that. */
static int map_by_object(struct mapby_job *job,
                         const struct mapby_app_job *app,
                         struct gm_error *err)
{
    unsigned placed = 0, rest = 0, before;
    int rc = 0;
    do {
        before = placed;
        for (unsigned i = 0; rc == 0 && i < job->n_hosts; i++) {
            unsigned left = mapby_left(&job->hosts[i]);
            left = rest > 0 ? share(job, rest, i) : left;
            rc = fill_objects(job, app, i, left, &placed, err);
        }
        if (placed == before && rest == 0 && app->oversubscribe) {
            rest = app->n - placed;
            before = placed + 1;
        }
    } while (rc == 0 && placed != before && placed < app->n);
    return rc == 0 && placed < app->n ? no_room(app, placed, err) : rc;
}

/* n on each object, host after host. */
static int
map_by_ppr(struct mapby_job *job, const struct mapby_app_job *app, struct gm_error *err)
{
    unsigned placed = 0;
    int rc = 0;
    for (unsigned i = 0; rc == 0 && i < job->n_hosts; i++) {
        const struct mapby_host *h = &job->hosts[i];
        uint64_t all = (uint64_t)app->w.ppr * h->map.n;
        unsigned left = mapby_left(h);
        struct round r = {.budget = app->oversubscribe ? app->n : left};
        r.unbound =
            !app->bind_said && all > mapby_cpus(h, 0, h->free, app->hwt) && all <= left;
        rc = go_round(job, app, i, &r, &placed, err);
    }
    return rc == 0 && placed < app->n ? no_room(app, placed, err) : rc;
}

static int none_of(const struct mapby_app_job *app,
                   const char *name,
                   const char *what,
                   struct gm_error *err)
{
    return gm_fail(err, -EOVERFLOW, "mapping %s: %s has no %s", app->text, name, what);
}

/* What the app is mapped by, on each host. */
static int
find_mapped(struct mapby_job *job, const struct mapby_app_job *app, struct gm_error *err)
{
    for (unsigned i = 0; i < job->n_hosts; i++) {
        struct mapby_host *h = &job->hosts[i];
        int rc = 0;
        mapby_objects_clear(&h->map);
        if (app->w.device)
            rc = mapby_devices(h, app, host_name(job, i), err);
        else
            mapby_objects(h->shape, app->w.level, &h->map);
        if (rc != 0)
            return rc;
        if (h->map.n == 0)
            return none_of(app,
                           host_name(job, i),
                           app->w.device ? "free GPU" : mapwords_level_name(app->w.level),
                           err);
    }
    return 0;
}

/* What its ranks are bound to. */
static int
find_bound(struct mapby_job *job, const struct mapby_app_job *app, struct gm_error *err)
{
    for (unsigned i = 0; i < job->n_hosts; i++) {
        struct mapby_host *h = &job->hosts[i];
        mapby_objects_clear(&h->bind);
        mapby_objects(h->shape, app->bind, &h->bind);
        if (h->bind.n == 0 && app->required)
            return none_of(app, host_name(job, i), mapwords_level_name(app->bind), err);
        int rc = app->w.device ? mapby_check_near(h, app, host_name(job, i), err) : 0;
        if (rc != 0)
            return rc;
    }
    return 0;
}

/* Ranks, where they are not said: slots; of ppr n an object, of a list one an id, of
 * devices one each, with PE what finds CPUs. */
static uint64_t count_ranks(const struct mapby_job *job, const struct mapby_app_job *app)
{
    uint64_t slots = 0, objects = 0, several = 0, n;
    for (unsigned i = 0; i < job->n_hosts; i++) {
        const struct mapby_host *h = &job->hosts[i];
        slots += mapby_left(h);
        objects += h->map.n;
        several += mapby_cpus(h, 0, h->free, app->hwt) / app->pe;
    }
    if (app->w.how == MAPWORDS_BY_PPR)
        n = app->w.ppr * objects;
    else if (app->w.how == MAPWORDS_BY_LIST)
        n = app->n_ids < slots ? app->n_ids : slots;
    else if (app->w.device)
        n = objects < slots ? objects : slots;
    else
        n = app->pe > 1 && several < slots ? several : slots;
    return n > 0 ? n : 1;
}

/* What a rank is bound to by default: what it was mapped by; a CPU with PE and pe-list;
 * else a CPU for one or two ranks, the NUMA node for more. */
static void settle_binding(struct mapby_app_job *app)
{
    enum mapwords_level cpu = app->hwt ? MAPWORDS_HWTHREAD : MAPWORDS_CORE;
    app->required = app->bind_said && !app->w.if_supported;
    if (app->bind_said)
        app->bind = app->w.bind;
    else if (app->pe > 1 || app->w.how == MAPWORDS_BY_LIST)
        app->bind = cpu;
    else if (app->w.level == MAPWORDS_CORE)
        app->bind = cpu;
    else if (app->w.level != MAPWORDS_HOST)
        app->bind = app->w.level;
    else
        app->bind = app->n <= 2 ? cpu : MAPWORDS_NUMA;
}

/* A device is given to one rank, unless they may be shared. */
static int check_devices(const struct mapby_job *job,
                         const struct mapby_app_job *app,
                         struct gm_error *err)
{
    unsigned n = 0;
    for (unsigned i = 0; i < job->n_hosts; i++)
        n += job->hosts[i].map.n;
    if (!app->w.device || app->w.how == MAPWORDS_BY_PPR || app->w.shared || app->n <= n)
        return 0;
    return gm_fail(
        err,
        -EOVERFLOW,
        "mapping %s: %u ranks, but there are GPUs for %u: ask for %u ranks, or "
        "add SHARED",
        app->text,
        app->n,
        n,
        n);
}

static int
map_ranks(struct mapby_job *job, const struct mapby_app_job *app, struct gm_error *err)
{
    switch (app->w.how) {
    case MAPWORDS_BY_SLOT:
    case MAPWORDS_BY_LIST:
        return map_by_slot(job, app, err);
    case MAPWORDS_BY_NODE:
        return map_by_node(job, app, err);
    case MAPWORDS_BY_PPR:
        return map_by_ppr(job, app, err);
    default:
        return app->w.device && !app->w.shared ? map_by_device(job, app, err)
                                               : map_by_object(job, app, err);
    }
}

int mapby_map_app(struct mapby_job *job, struct mapby_app_job *app, struct gm_error *err)
{
    int rc = find_mapped(job, app, err);
    if (rc != 0)
        return rc;
    uint64_t n = app->n > 0 ? app->n : count_ranks(job, app);
    if (n > MAPBY_MOST_RANKS)
        return gm_fail(err,
                       -EOVERFLOW,
                       "mapping %s: %" PRIu64 " ranks are more than %u",
                       app->text,
                       n,
                       MAPBY_MOST_RANKS);
    app->n = (unsigned)n;
    settle_binding(app);
    rc = check_devices(job, app, err);
    if (rc == 0)
        rc = check_slots(job, app, err);
    if (rc == 0)
        rc = find_bound(job, app, err);
    return rc == 0 ? map_ranks(job, app, err) : rc;
}
