/* See mapby_job.h: the CPUs a rank is bound to. Invariant: they are within what the app
 * found free on its host; a rank that is bound took CPUs off the host's free ones, unless
 * the words allow overload and there was none. */
#include "mapby_job.h"

unsigned
mapby_cpus(const struct mapby_host *h, unsigned node, const struct idset *set, bool hwt)
{
    const struct topo_shape *s = h->shape;
    unsigned n = 0;
    for (unsigned i = node; i < s->nodes[node].end; i++) {
        const struct topo_node *at = &s->nodes[i];
        if (at->kind != (hwt ? GM_PU : GM_CORE))
            continue;
        bool free = true;
        for (unsigned k = 0; k < at->n_pus && free; k++)
            free = idset_has(set, s->pus[at->first_pu + k]);
        n += free;
        i = at->end - 1;
    }
    return n;
}

bool mapby_first(const struct mapby_host *h,
                 unsigned node,
                 const struct idset *set,
                 bool hwt,
                 unsigned n,
                 struct idset *ret)
{
    const struct topo_shape *s = h->shape;
    for (unsigned i = node; i < s->nodes[node].end && n > 0; i++) {
        const struct topo_node *at = &s->nodes[i];
        if (at->kind != (hwt ? GM_PU : GM_CORE))
            continue;
        if (mapby_cpus(h, i, set, hwt) > 0) {
            for (unsigned k = 0; k < at->n_pus; k++)
                idset_add(ret, s->pus[at->first_pu + k]);
            n--;
        }
        i = at->end - 1;
    }
    return n == 0;
}

/* The PUs of a node that are in `set`. */
static struct idset *
within(const struct mapby_host *h, unsigned node, const struct idset *set)
{
    const struct topo_node *at = &h->shape->nodes[node];
    struct idset *pus = idset_make();
    for (unsigned k = 0; k < at->n_pus; k++) {
        unsigned pu = h->shape->pus[at->first_pu + k];
        if (idset_has(set, pu))
            idset_add(pus, pu);
    }
    return pus;
}

/* What two nodes share: the inner one, as nodes are nested or apart. -1: apart. */
static int64_t shared(const struct topo_shape *s, unsigned a, unsigned b)
{
    const struct topo_node *x = &s->nodes[a], *y = &s->nodes[b];
    if (x->first_pu >= y->first_pu && x->first_pu + x->n_pus <= y->first_pu + y->n_pus)
        return a;
    if (y->first_pu >= x->first_pu && y->first_pu + y->n_pus <= x->first_pu + x->n_pus)
        return b;
    return -1;
}

static int no_cpus(const struct mapby_app_job *app,
                   const char *name,
                   const char *what,
                   struct gm_error *err)
{
    return gm_fail(err,
                   -EOVERFLOW,
                   "mapping %s: %s has no free %s for one more rank: fewer ranks, "
                   "bind-to none, or bind-to %s:overload-allowed",
                   app->text,
                   name,
                   what,
                   mapwords_level_name(app->bind));
}

/* The object of the binding's level with the fewest ranks bound to it, of those with
 * something that the app may use; n_nodes: there is none. */
static unsigned least_bound(const struct mapby_host *h, unsigned node)
{
    unsigned best = h->shape->n_nodes;
    for (unsigned i = 0; i < h->bind.n; i++) {
        unsigned at = h->bind.nodes[i];
        int64_t in = shared(h->shape, at, node);
        AUTO(idset) usable = in < 0 ? NULL : within(h, (unsigned)in, h->all);
        if (usable == NULL || idset_next(usable, 0) < 0)
            continue;
        if (best == h->shape->n_nodes || h->bound[at] < h->bound[best])
            best = at;
    }
    return best;
}

static int bind_object(struct mapby_host *h,
                       const struct mapby_app_job *app,
                       struct mapby_proc *proc,
                       const char *name,
                       struct gm_error *err)
{
    bool hwt = app->hwt || app->bind == MAPWORDS_HWTHREAD;
    for (unsigned i = 0; i < h->bind.n; i++) {
        unsigned at = h->bind.nodes[i];
        int64_t in = shared(h->shape, at, proc->node);
        AUTO(idset) one = idset_make();
        if (in < 0 || !mapby_first(h, (unsigned)in, h->free, hwt, 1, one))
            continue;
        proc->cpus = within(h, at, h->found);
        proc->where = at;
        h->bound[at]++;
        idset_subtract(h->free, one);
        return 0;
    }
    unsigned at = app->w.overload ? least_bound(h, proc->node) : h->shape->n_nodes;
    if (at < h->shape->n_nodes) {
        proc->cpus = within(h, at, h->all);
        proc->where = at;
        h->bound[at]++;
        return 0;
    }
    return app->required ? no_cpus(app, name, mapwords_level_name(app->bind), err) : 0;
}

/* The first package with n free CPUs; n_nodes: there is none. */
static unsigned roomy_package(const struct mapby_host *h, unsigned n, bool hwt)
{
    struct mapby_objects in = {0};
    unsigned node = h->shape->n_nodes;
    mapby_objects(h->shape, MAPWORDS_PACKAGE, &in);
    for (unsigned i = 0; i < in.n && node == h->shape->n_nodes; i++) {
        if (mapby_cpus(h, in.nodes[i], h->free, hwt) >= n)
            node = in.nodes[i];
    }
    mapby_objects_clear(&in);
    return node;
}

/* PE=n: n CPUs of the object; of a whole host, within one package. */
static int bind_several(struct mapby_host *h,
                        const struct mapby_app_job *app,
                        struct mapby_proc *proc,
                        const char *name,
                        struct gm_error *err)
{
    bool hwt = app->hwt || app->bind == MAPWORDS_HWTHREAD;
    unsigned node = proc->node > 0 ? proc->node : roomy_package(h, app->pe, hwt);
    AUTO(idset) pus = idset_make();
    if (node == h->shape->n_nodes || !mapby_first(h, node, h->free, hwt, app->pe, pus))
        return gm_fail(err,
                       -EOVERFLOW,
                       "mapping %s: %s has no %s with %u free %ss for one more rank: ask "
                       "for fewer ranks, or for a smaller PE",
                       app->text,
                       name,
                       proc->node > 0 ? mapwords_level_name(app->w.level) : "package",
                       app->pe,
                       hwt ? "hwthread" : "core");
    idset_subtract(h->free, pus);
    proc->cpus = steal(&pus);
    proc->where = node;
    return 0;
}

/* A CPU of the host by its number in tree order; n_nodes: there is none. */
static unsigned cpu_node(const struct mapby_host *h, unsigned number, bool hwt)
{
    const struct topo_shape *s = h->shape;
    unsigned i = 0;
    for (; i < s->n_nodes; i++) {
        if (s->nodes[i].kind == (hwt ? GM_PU : GM_CORE) && number-- == 0)
            break;
    }
    return i;
}

/* The smallest node that holds both. */
static unsigned holder(const struct topo_shape *s, unsigned a, unsigned b)
{
    while (!(b >= a && b < s->nodes[a].end))
        a = s->nodes[a].parent;
    return a;
}

/* The CPU of one id is added to *pus; *where grows to hold it. */
static int add_id(const struct mapby_host *h,
                  const struct mapby_app_job *app,
                  unsigned id,
                  const char *name,
                  struct idset *pus,
                  unsigned *where,
                  struct gm_error *err)
{
    bool hwt = app->hwt || app->bind == MAPWORDS_HWTHREAD;
    unsigned at = cpu_node(h, id, hwt);
    if (at == h->shape->n_nodes || !mapby_first(h, at, h->all, hwt, 1, pus))
        return gm_fail(err,
                       -EOVERFLOW,
                       "mapping %s: %s %u of %s is not there, or not free",
                       app->text,
                       hwt ? "hwthread" : "core",
                       id,
                       name);
    *where = *where == h->shape->n_nodes ? at : holder(h->shape, *where, at);
    return 0;
}

/* Bound to the whole list; with ORDERED to the next of it. Each rank uses one up. */
static int bind_list(struct mapby_host *h,
                     const struct mapby_app_job *app,
                     struct mapby_proc *proc,
                     const char *name,
                     struct gm_error *err)
{
    unsigned turn = h->turn++, where = h->shape->n_nodes;
    if (turn >= app->n_ids && !app->w.overload)
        return no_cpus(app, name, "CPU of the list", err);
    AUTO(idset) pus = idset_make();
    AUTO(idset) used = idset_make();
    unsigned mine = app->ids[turn % app->n_ids], ignored = where;
    int rc = add_id(h, app, mine, name, used, &ignored, err);
    for (unsigned i = 0; rc == 0 && i < app->n_ids; i++) {
        if (!app->w.ordered || app->ids[i] == mine)
            rc = add_id(h, app, app->ids[i], name, pus, &where, err);
    }
    if (rc != 0)
        return rc;
    if (where == 0 && h->shape->n_packages > 1)
        return gm_fail(
            err,
            -EINVAL,
            "mapping %s: the list spans packages of %s, and each rank would be "
            "bound across them: name CPUs of one, or add ORDERED",
            app->text,
            name);
    idset_subtract(h->free, used);
    proc->cpus = steal(&pus);
    proc->where = where;
    return 0;
}

int mapby_bind(struct mapby_host *h,
               const struct mapby_app_job *app,
               struct mapby_proc *proc,
               const char *name,
               struct gm_error *err)
{
    if (app->bind == MAPWORDS_HOST)
        return 0;
    if (app->w.how == MAPWORDS_BY_LIST)
        return bind_list(h, app, proc, name, err);
    return app->pe > 1 ? bind_several(h, app, proc, name, err)
                       : bind_object(h, app, proc, name, err);
}
