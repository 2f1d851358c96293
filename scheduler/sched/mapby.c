/* See mapby.h, mapby_job.h. Invariant: nothing is claimed; the same words on the same
 * tree and occupancy give the same placement. */
#include "mapby.h"
#include "base/memory.h"
#include "base/str.h"
#include "mapby_job.h"
#include "slot.h"

/* ---- hosts ---- */

static void add_host(struct mapby_job *job, const struct occupancy *occ, unsigned host)
{
    struct mapby_host *h = &job->hosts[job->n_hosts];
    const struct topo_shape *s = restree_shape(job->tree, host);
    if (occupancy_free_pus(occ, host, 0) == 0)
        return;
    *h = (struct mapby_host){.host = host,
                             .shape = s,
                             .all = idset_make(),
                             .free_gpus = idset_make(),
                             .bound = xcalloc(s->n_nodes, sizeof(unsigned))};
    for (unsigned i = 0; i < s->n_pus; i++) {
        if (occupancy_pu_free(occ, host, s->pus[i]))
            idset_add(h->all, s->pus[i]);
    }
    for (unsigned i = 0; i < s->n_gpus; i++) {
        if (occupancy_gpu_free(occ, host, i))
            idset_add(h->free_gpus, i);
    }
    h->free = idset_dup(h->all);
    h->found = idset_dup(h->all);
    job->n_hosts++;
}

static void clear(struct mapby_job *job)
{
    for (unsigned i = 0; i < job->n_hosts; i++) {
        struct mapby_host *h = &job->hosts[i];
        idset_free(h->all);
        idset_free(h->free);
        idset_free(h->found);
        idset_free(h->free_gpus);
        mapby_objects_clear(&h->map);
        mapby_objects_clear(&h->bind);
        free(h->bound);
        free(h->procs);
    }
    for (unsigned i = 0; i < job->n_procs; i++) {
        idset_free(job->procs[i].cpus);
        idset_free(job->procs[i].gpus);
    }
    free(job->hosts);
    free(job->procs);
}

/* ---- an app's words ---- */

static int
words_failed(const struct mapby_words *w, unsigned at, int rc, struct gm_error *err)
{
    static const char *const names[] = {"map-by", "rank-by", "bind-to"};
    const char *const texts[] = {w->map_by, w->rank_by, w->bind_to};
    if (texts[at] != NULL)
        (void)gm_prefix(err, "%s %s", names[at], texts[at]);
    return rc;
}

static enum mapwords_rank default_rank(const struct mapwords *w)
{
    if (w->how == MAPWORDS_BY_NODE ||
        (w->how == MAPWORDS_BY_PPR && w->level == MAPWORDS_HOST && !w->device))
        return MAPWORDS_RANK_NODE;
    if (w->how != MAPWORDS_BY_OBJECT)
        return MAPWORDS_RANK_SLOT;
    return w->span ? MAPWORDS_RANK_SPAN : MAPWORDS_RANK_FILL;
}

static int read_app(const struct mapby_app *from,
                    unsigned number,
                    struct mapby_app_job *ret,
                    struct gm_error *err)
{
    const struct mapby_words *t = &from->words;
    struct mapby_app_job a = {.app = number, .n = from->n_ranks, .gpus = from->gpus};
    unsigned at = 0;
    int rc = mapwords_parse(t->map_by, t->rank_by, t->bind_to, &a.w, &at, err);
    if (rc != 0)
        return words_failed(t, at, rc, err);
    if (a.w.cannot[0] != '\0')
        return gm_fail(err, -EINVAL, "map-by %s: %s", t->map_by, a.w.cannot);
    if (a.w.device && a.gpus > 0 && a.w.n_devices > 0 && a.w.n_devices != a.gpus)
        return gm_fail(err,
                       -EINVAL,
                       "map-by %s: ndev says %u GPUs a rank, the job %u",
                       t->map_by,
                       a.w.n_devices,
                       a.gpus);
    if (a.w.device && a.gpus > 0)
        a.w.n_devices = a.gpus;
    a.gpus = a.w.device ? 0 : a.gpus;
    a.text = t->map_by != NULL ? t->map_by : mapwords_default(t->bind_to);
    a.pe = a.w.pe > 0 ? a.w.pe : 1;
    a.hwt = a.w.hwtcpus;
    a.bind_said = a.w.bind_said;
    a.rank = a.w.rank != MAPWORDS_RANK_DEFAULT ? a.w.rank : default_rank(&a.w);
    if (a.w.how == MAPWORDS_BY_LIST)
        a.ids = mapwords_ids(&a.w, &a.n_ids);
    *ret = a;
    return 0;
}

/* What a host has as its app finds it. A slot is a CPU where nobody said. */
static void enter_app(struct mapby_job *job, const struct mapby_app_job *app)
{
    for (unsigned i = 0; i < job->n_hosts; i++) {
        struct mapby_host *h = &job->hosts[i];
        unsigned said = job->tree->hosts[h->host].slots;
        h->slots = said > 0 ? said : mapby_cpus(h, 0, h->all, app->hwt);
        h->turn = 0;
        idset_free(h->found);
        h->found = idset_dup(h->free);
    }
}

/* ---- job -> placement ---- */

static void
add_mems(const struct mapby_host *h, const struct idset *pus, struct idset **ret)
{
    const struct topo_shape *s = h->shape;
    struct idset *mems = idset_make();
    for (unsigned i = 0; i < s->n_nodes; i++) {
        const struct topo_node *n = &s->nodes[i];
        bool near = false;
        for (unsigned k = 0; n->kind == GM_NUMA && k < n->n_pus && !near; k++)
            near = idset_has(pus, s->pus[n->first_pu + k]);
        if (near)
            idset_add(mems, n->os_index);
    }
    *ret = mems;
}

static char *reason(const struct mapby_host *h,
                    const struct mapby_app_job *app,
                    const struct mapby_proc *p)
{
    struct str out = {0};
    str_printf(&out, "map-by %s", app->text);
    if (p->node > 0) {
        str_add(&out, ": ");
        slot_where(h->shape, p->node, &out);
    }
    if (p->cpus == NULL)
        str_add(&out, "; not bound");
    else if (p->where != p->node) {
        str_add(&out, "; bound in ");
        slot_where(h->shape, p->where, &out);
    }
    return str_steal(&out);
}

static struct placement *make_placement(struct mapby_job *job,
                                        const struct mapby_app_job *apps)
{
    struct placement *p = xcalloc(1, sizeof(*p));
    p->seats = xcalloc(job->n_procs, sizeof(*p->seats));
    p->n_ranks = job->n_procs;
    unsigned bound = 0;
    for (unsigned i = 0; i < job->n_hosts; i++) {
        const struct mapby_host *h = &job->hosts[i];
        AUTO(idset) used = idset_make();
        for (unsigned k = 0; k < h->n_procs; k++) {
            struct mapby_proc *proc = &job->procs[h->procs[k]];
            struct place_seat *seat = &p->seats[proc->rank];
            bound += proc->cpus != NULL;
            *seat = (struct place_seat){.host = h->host,
                                        .reason = reason(h, &apps[proc->app], proc),
                                        .gpus = proc->gpus != NULL ? steal(&proc->gpus)
                                                                   : idset_make()};
            seat->pus = proc->cpus != NULL ? steal(&proc->cpus) : idset_dup(h->all);
            add_mems(h, seat->pus, &seat->mems);
            p->shared = p->shared || idset_overlap(used, seat->pus);
            idset_unite(used, seat->pus);
        }
        p->oversubscribed = p->oversubscribed || h->taken > h->slots;
    }
    p->unbound = bound == 0;
    p->shared = p->shared && !p->unbound;
    p->oversubscribed = p->oversubscribed && p->unbound;
    return p;
}

static int map_apps(const struct restree *tree,
                    const struct occupancy *occ,
                    struct mapby_app_job *apps,
                    unsigned n_apps,
                    struct placement **ret,
                    struct gm_error *err)
{
    struct mapby_job job = {.tree = tree};
    int rc = 0;
    job.hosts = xcalloc(tree->n_hosts, sizeof(*job.hosts));
    for (unsigned i = 0; i < tree->n_hosts; i++)
        add_host(&job, occ, i);
    if (job.n_hosts == 0)
        rc = gm_fail(err, -EOVERFLOW, "no host has a free CPU");
    for (unsigned i = 0; rc == 0 && i < n_apps; i++) {
        unsigned first = job.n_procs;
        struct mapby_app_job app = apps[i];
        enter_app(&job, &app);
        rc = mapby_map_app(&job, &app, err);
        if (rc == 0 && app.gpus > 0)
            rc = mapby_near_gpus(&job, &app, first, err);
        if (rc == 0)
            mapby_rank(&job, &app, first);
    }
    if (rc == 0) {
        *ret = make_placement(&job, apps);
        (*ret)->mapping = apps[0].text;
    }
    clear(&job);
    return rc;
}

int mapby_map(const struct restree *tree,
              const struct occupancy *occ,
              const struct mapby_app *apps,
              unsigned n_apps,
              struct placement **ret,
              struct gm_error *err)
{
    AUTO_FREE(struct mapby_app_job) read = xcalloc(n_apps, sizeof(*read));
    bool oversubscribe = false;
    int rc = 0;
    for (unsigned i = 0; rc == 0 && i < n_apps; i++) {
        rc = read_app(&apps[i], i, &read[i], err);
        oversubscribe = oversubscribe || read[i].w.oversubscribe;
    }
    for (unsigned i = 0; i < n_apps; i++)
        read[i].oversubscribe = oversubscribe; /* hosts are the whole job's */
    if (rc == 0)
        rc = map_apps(tree, occ, read, n_apps, ret, err);
    if (rc == -EOVERFLOW) { /* on the empty machine, too? */
        AUTO(occupancy) empty = occupancy_make(tree);
        struct placement *fits = NULL;
        if (map_apps(tree, empty, read, n_apps, &fits, NULL) == 0)
            rc = -ENOSPC;
        placement_free(fits);
    }
    for (unsigned i = 0; i < n_apps; i++)
        free(read[i].ids);
    return rc;
}
