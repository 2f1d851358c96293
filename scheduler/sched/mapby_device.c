/* See mapby_job.h: ranks by GPUs. Invariant: a place is the smallest node with PUs that
 * holds all of its GPUs. */
#include "base/memory.h"
#include "mapby_job.h"

/* A GPU that no vendor's runtime can be told of is not handed out: a job would run as
 * planned, and all ranks compute on one GPU. Synthetic GPUs have no vendor. */
static bool nameable(const struct topo_gpu *g)
{
    return g->vendor == 0 || (g->name != NULL && g->name[0] != '\0');
}

static unsigned place_of(const struct topo_shape *s, const struct idset *gpus)
{
    int64_t first = idset_next(gpus, 0);
    unsigned node = s->gpus[first].node;
    for (int64_t g = first; g >= 0; g = idset_next(gpus, (unsigned)g + 1)) {
        unsigned i = s->gpus[g].node;
        while (i < node || i >= s->nodes[node].end || s->nodes[node].n_pus == 0)
            node = s->nodes[node].parent;
    }
    return node;
}

/* The node of a level around (or at) a GPU; 0: the host. */
static unsigned
around(const struct topo_shape *s, unsigned gpu, const struct mapby_objects *in)
{
    unsigned node = s->gpus[gpu].node;
    for (unsigned i = 0; i < in->n; i++) {
        if (node > in->nodes[i] && node < s->nodes[in->nodes[i]].end)
            return in->nodes[i];
    }
    return 0;
}

/* One of each object's in turn, the objects in the order of their first GPU. */
static void interleave(const struct topo_shape *s,
                       enum mapwords_level level,
                       unsigned *gpus,
                       unsigned n)
{
    struct mapby_objects in = {0};
    AUTO_FREE(unsigned) out = xcalloc(n, sizeof(*out));
    AUTO_FREE(unsigned) turn = xcalloc(n, sizeof(*turn)); /* how many before it there */
    unsigned made = 0;
    mapby_objects(s, level, &in);
    for (unsigned i = 0; i < n; i++) {
        for (unsigned k = 0; k < i; k++)
            turn[i] += around(s, gpus[k], &in) == around(s, gpus[i], &in);
    }
    /* groups by their first GPU: those of turn t, in the order of their group's first */
    for (unsigned t = 0; made < n; t++) {
        for (unsigned f = 0; f < n; f++) {
            for (unsigned i = 0; turn[f] == 0 && i < n; i++) {
                if (turn[i] == t && around(s, gpus[i], &in) == around(s, gpus[f], &in))
                    out[made++] = gpus[i];
            }
        }
    }
    memcpy(gpus, out, n * sizeof(*gpus));
    mapby_objects_clear(&in);
}

int mapby_devices(struct mapby_host *h,
                  const struct mapby_app_job *app,
                  const char *name,
                  struct gm_error *err)
{
    const struct topo_shape *s = h->shape;
    unsigned each = app->w.n_devices > 0 ? app->w.n_devices : 1, n = 0;
    AUTO_FREE(unsigned) gpus = xcalloc(s->n_gpus + 1, sizeof(*gpus));
    for (unsigned i = 0; i < s->n_gpus; i++) {
        if (!nameable(&s->gpus[i]))
            return gm_fail(err,
                           -EOVERFLOW,
                           "mapping %s: GPU %u of %s has no name that its vendor's "
                           "library would know (NVML, ROCm SMI or Level Zero told none): "
                           "map by cores with per-rank: {gpus: N}",
                           app->text,
                           i,
                           name);
        if (idset_has(h->free_gpus, i))
            gpus[n++] = i;
    }
    if (app->w.interleave)
        interleave(s, app->w.across, gpus, n);
    struct mapby_objects *o = &h->map;
    o->nodes = xcalloc(n / each + 1, sizeof(*o->nodes));
    o->gpus = xcalloc(n / each + 1, sizeof(*o->gpus));
    for (; o->n < n / each; o->n++) {
        o->gpus[o->n] = idset_make();
        for (unsigned k = 0; k < each; k++)
            idset_add(o->gpus[o->n], gpus[o->n * each + k]);
        o->nodes[o->n] = place_of(s, o->gpus[o->n]);
    }
    return 0;
}

int mapby_check_near(const struct mapby_host *h,
                     const struct mapby_app_job *app,
                     const char *name,
                     struct gm_error *err)
{
    const struct topo_shape *s = h->shape;
    for (unsigned k = 0; app->bind != MAPWORDS_HOST && k < h->map.n; k++) {
        for (unsigned i = 0; i < h->bind.n; i++) {
            unsigned at = h->map.nodes[k], to = h->bind.nodes[i];
            if (at <= to || at >= s->nodes[to].end ||
                s->nodes[at].n_pus == s->nodes[to].n_pus)
                continue;
            return gm_fail(err,
                           -EINVAL,
                           "mapping %s: on %s a %s reaches further than what is near the "
                           "GPUs: bind to something smaller",
                           app->text,
                           name,
                           mapwords_level_name(app->bind));
        }
    }
    return 0;
}

/* Free GPUs at or below a node, until the rank has n. */
static bool
take_below(struct mapby_host *h, unsigned node, unsigned n, struct mapby_proc *proc)
{
    const struct topo_shape *s = h->shape;
    unsigned has = idset_count(proc->gpus);
    for (unsigned i = 0; i < s->n_gpus && has < n; i++) {
        if (s->gpus[i].node <= node || s->gpus[i].node >= s->nodes[node].end ||
            !idset_has(h->free_gpus, i))
            continue;
        idset_add(proc->gpus, i);
        idset_remove(h->free_gpus, i);
        has++;
    }
    return has == n;
}

/* So many steps up from where the rank stands. */
static unsigned
above(const struct topo_shape *s, const struct mapby_proc *proc, unsigned steps)
{
    unsigned node = proc->cpus != NULL ? proc->where : proc->node;
    for (; steps > 0 && node != 0; steps--)
        node = s->nodes[node].parent;
    return node;
}

int mapby_near_gpus(struct mapby_job *job,
                    const struct mapby_app_job *app,
                    unsigned first,
                    struct gm_error *err)
{
    const struct mapby_proc *lacks = NULL;
    bool higher = true;
    for (unsigned i = first; i < job->n_procs; i++)
        job->procs[i].gpus = idset_make();
    for (unsigned steps = 0; higher; steps++) {
        higher = false;
        lacks = NULL;
        for (unsigned i = first; i < job->n_procs; i++) {
            struct mapby_proc *proc = &job->procs[i];
            struct mapby_host *h = &job->hosts[proc->host];
            unsigned node = above(h->shape, proc, steps);
            if (take_below(h, node, app->gpus, proc))
                continue;
            lacks = lacks != NULL ? lacks : proc;
            higher = higher || node != 0;
        }
    }
    if (lacks == NULL)
        return 0;
    return gm_fail(err,
                   -EOVERFLOW,
                   "%s has too few GPUs for %u a rank: ask for fewer ranks there, or for "
                   "fewer GPUs",
                   job->tree->hosts[job->hosts[lacks->host].host].name,
                   app->gpus);
}
