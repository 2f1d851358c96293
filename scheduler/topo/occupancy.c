/* See occupancy.h. Invariant, for every host and node: free_cores[node] is the number of
 * cores at or below it whose PUs are all free, free_gpus[node] that of free GPUs. */
#include "occupancy.h"
#include "base/memory.h"
#include <assert.h>

/* Where a shape's PUs and GPUs are; shared by the hosts of that shape. */
struct places {
    uint32_t *core_of_pu;  /* [n_pu_ids] node of the core, 0: no such PU */
    uint32_t *node_of_gpu; /* [n_gpus] */
    unsigned n_pu_ids, n_gpus;
};

struct holding {
    struct idset *pus, *gpus;         /* free ones */
    uint32_t *free_cores, *free_gpus; /* one a node */
};

struct occupancy {
    const struct restree *tree;
    struct places *places; /* one a shape */
    struct holding *hosts;
};

static struct places places_of(const struct topo_shape *s)
{
    struct places p = {.n_gpus = s->n_gpus};
    for (unsigned i = 0; i < s->n_pus; i++) {
        if (s->pus[i] >= p.n_pu_ids)
            p.n_pu_ids = s->pus[i] + 1;
    }
    p.core_of_pu = xcalloc(p.n_pu_ids, sizeof(*p.core_of_pu));
    p.node_of_gpu = xcalloc(p.n_gpus, sizeof(*p.node_of_gpu));
    for (unsigned i = 0; i < s->n_nodes; i++) {
        if (s->nodes[i].kind == GM_PU)
            p.core_of_pu[s->nodes[i].os_index] = s->nodes[i].parent;
        else if (s->nodes[i].kind == GM_GPU)
            p.node_of_gpu[s->nodes[i].os_index] = i;
    }
    return p;
}

static struct holding all_free(const struct topo_shape *s)
{
    struct holding h = {
        .pus = idset_make(),
        .gpus = idset_make(),
        .free_cores = xcalloc(s->n_nodes, sizeof(uint32_t)),
        .free_gpus = xcalloc(s->n_nodes, sizeof(uint32_t)),
    };
    for (unsigned i = 0; i < s->n_pus; i++)
        idset_add(h.pus, s->pus[i]);
    for (unsigned i = 0; i < s->n_gpus; i++)
        idset_add(h.gpus, i);
    for (unsigned i = 0; i < s->n_nodes; i++) {
        h.free_cores[i] = s->nodes[i].n_cores;
        h.free_gpus[i] = s->nodes[i].n_gpus;
    }
    return h;
}

struct occupancy *occupancy_make(const struct restree *tree)
{
    struct occupancy *o = xcalloc(1, sizeof(*o));
    o->tree = tree;
    o->places = xcalloc(tree->n_shapes, sizeof(*o->places));
    for (unsigned i = 0; i < tree->n_shapes; i++)
        o->places[i] = places_of(&tree->shapes[i]);
    o->hosts = xcalloc(tree->n_hosts, sizeof(*o->hosts));
    for (unsigned i = 0; i < tree->n_hosts; i++)
        o->hosts[i] = all_free(restree_shape(tree, i));
    return o;
}

struct occupancy *occupancy_dup(const struct occupancy *o)
{
    struct occupancy *copy = occupancy_make(o->tree);
    for (unsigned i = 0; i < o->tree->n_hosts; i++) {
        const struct holding *from = &o->hosts[i];
        struct holding *to = &copy->hosts[i];
        size_t size = restree_shape(o->tree, i)->n_nodes * sizeof(uint32_t);
        idset_clear(to->pus);
        idset_unite(to->pus, from->pus);
        idset_clear(to->gpus);
        idset_unite(to->gpus, from->gpus);
        memcpy(to->free_cores, from->free_cores, size);
        memcpy(to->free_gpus, from->free_gpus, size);
    }
    return copy;
}

void occupancy_free(struct occupancy *o)
{
    if (o == NULL)
        return;
    for (unsigned i = 0; i < o->tree->n_hosts; i++) {
        idset_free(o->hosts[i].pus);
        idset_free(o->hosts[i].gpus);
        free(o->hosts[i].free_cores);
        free(o->hosts[i].free_gpus);
    }
    for (unsigned i = 0; i < o->tree->n_shapes; i++) {
        free(o->places[i].core_of_pu);
        free(o->places[i].node_of_gpu);
    }
    free(o->hosts);
    free(o->places);
    free(o);
}

unsigned occupancy_free_cores(const struct occupancy *o, unsigned host, unsigned node)
{
    return o->hosts[host].free_cores[node];
}

unsigned occupancy_free_gpus(const struct occupancy *o, unsigned host, unsigned node)
{
    return o->hosts[host].free_gpus[node];
}

bool occupancy_pu_free(const struct occupancy *o, unsigned host, unsigned os_index)
{
    return idset_has(o->hosts[host].pus, os_index);
}

bool occupancy_gpu_free(const struct occupancy *o, unsigned host, unsigned os_index)
{
    return idset_has(o->hosts[host].gpus, os_index);
}

static const struct places *places_at(const struct occupancy *o, unsigned host)
{
    return &o->places[o->tree->hosts[host].shape];
}

static bool
core_is_free(const struct topo_shape *s, const struct holding *h, unsigned core)
{
    const struct topo_node *n = &s->nodes[core];
    for (unsigned i = 0; i < n->n_pus; i++) {
        if (!idset_has(h->pus, s->pus[n->first_pu + i]))
            return false;
    }
    return true;
}

/* `by` (1 or, to take off, UINT32_MAX) to the node's count and to all above it. */
static void
add_up(const struct topo_shape *s, uint32_t *counts, unsigned node, uint32_t by)
{
    for (;; node = s->nodes[node].parent) {
        counts[node] += by;
        if (node == 0)
            return;
    }
}

static int check(const struct occupancy *o,
                 unsigned host,
                 const struct idset *pus,
                 const struct idset *gpus,
                 struct gm_error *err)
{
    const struct places *at = places_at(o, host);
    const struct holding *h = &o->hosts[host];
    const char *name = o->tree->hosts[host].name;
    for (int64_t i = idset_next(pus, 0); i >= 0; i = idset_next(pus, (unsigned)i + 1)) {
        if ((uint64_t)i >= at->n_pu_ids || at->core_of_pu[i] == 0)
            return gm_fail(err, -EINVAL, "%s: there is no PU %d", name, (int)i);
        if (!idset_has(h->pus, (unsigned)i))
            return gm_fail(err, -EBUSY, "%s: PU %d is held already", name, (int)i);
    }
    if (gpus == NULL)
        return 0;
    for (int64_t i = idset_next(gpus, 0); i >= 0; i = idset_next(gpus, (unsigned)i + 1)) {
        if ((uint64_t)i >= at->n_gpus)
            return gm_fail(err, -EINVAL, "%s: there is no GPU %d", name, (int)i);
        if (!idset_has(h->gpus, (unsigned)i))
            return gm_fail(err, -EBUSY, "%s: GPU %d is held already", name, (int)i);
    }
    return 0;
}

int occupancy_claim(struct occupancy *o,
                    unsigned host,
                    const struct idset *pus,
                    const struct idset *gpus,
                    struct gm_error *err)
{
    int rc = check(o, host, pus, gpus, err);
    if (rc != 0)
        return rc;
    const struct topo_shape *s = restree_shape(o->tree, host);
    const struct places *at = places_at(o, host);
    struct holding *h = &o->hosts[host];
    for (int64_t i = idset_next(pus, 0); i >= 0; i = idset_next(pus, (unsigned)i + 1)) {
        if (core_is_free(s, h, at->core_of_pu[i]))
            add_up(s, h->free_cores, at->core_of_pu[i], UINT32_MAX);
        idset_remove(h->pus, (unsigned)i);
    }
    for (int64_t i = gpus != NULL ? idset_next(gpus, 0) : -1; i >= 0;
         i = idset_next(gpus, (unsigned)i + 1)) {
        add_up(s, h->free_gpus, at->node_of_gpu[i], UINT32_MAX);
        idset_remove(h->gpus, (unsigned)i);
    }
    return 0;
}

static void release_gpus(const struct topo_shape *s,
                         const struct places *at,
                         struct holding *h,
                         const struct idset *gpus)
{
    for (int64_t i = idset_next(gpus, 0); i >= 0; i = idset_next(gpus, (unsigned)i + 1)) {
        assert((uint64_t)i < at->n_gpus && !idset_has(h->gpus, (unsigned)i));
        idset_add(h->gpus, (unsigned)i);
        add_up(s, h->free_gpus, at->node_of_gpu[i], 1);
    }
}

void occupancy_release(struct occupancy *o,
                       unsigned host,
                       const struct idset *pus,
                       const struct idset *gpus)
{
    const struct topo_shape *s = restree_shape(o->tree, host);
    const struct places *at = places_at(o, host);
    struct holding *h = &o->hosts[host];
    for (int64_t i = idset_next(pus, 0); i >= 0; i = idset_next(pus, (unsigned)i + 1)) {
        assert((uint64_t)i < at->n_pu_ids && !idset_has(h->pus, (unsigned)i));
        idset_add(h->pus, (unsigned)i);
        if (core_is_free(s, h, at->core_of_pu[i]))
            add_up(s, h->free_cores, at->core_of_pu[i], 1);
    }
    if (gpus != NULL)
        release_gpus(s, at, h, gpus);
}
