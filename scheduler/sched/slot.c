/* See slot.h. First down the tree to the smallest domain that has room, then its cores.
 *
 * Down: of the children that have room only those count below which the deepest kind of
 * domain has room (an L3 cache before a NUMA node before a package): so a slot is inside
 * an L3 cache wherever one can hold it. Of these, pack takes the first; spread the one
 * with the fewest ranks, then the most free cores. No child has room: we are there.
 *
 * Cores: a domain's own in order. Must the slot cross its children, the emptiest are
 * taken whole and the rest goes where it fits, so that few are crossed.
 *
 * Invariant (tested against brute force): no domain that had room for the whole slot is
 * cut by it, because we go on down while any child has room. */
#include "slot.h"
#include "base/memory.h"
#include <assert.h>

struct search {
    struct occupancy *occ;
    const struct topo_shape *shape;
    unsigned host;
    const struct slot_request *req;
    unsigned *placed;
    int8_t
        *depth; /* per node: the deepest kind of domain with room at or below; -1: none */
};

/* How deep a kind of domain is, whatever the order in which this machine nests them. */
static int8_t depth_of(const struct topo_node *n)
{
    switch (n->kind) {
    case GM_CORE:
        return 10;
    case GM_CACHE:
        return n->level < 9 ? (int8_t)(9 - n->level) : 0; /* L2: 7, L3: 6 */
    case GM_NUMA:
        return 2;
    case GM_PACKAGE:
        return 1;
    default:
        return 0;
    }
}

static unsigned free_cores(const struct search *s, unsigned node)
{
    return occupancy_free_cores(s->occ, s->host, node);
}

static bool has_room(const struct search *s, unsigned node, unsigned gpus)
{
    return free_cores(s, node) >= s->req->cores &&
           occupancy_free_gpus(s->occ, s->host, node) >= gpus;
}

/* Fills depth from the leaves up: children come after their parents. */
static void measure(struct search *s, unsigned gpus)
{
    const struct topo_node *nodes = s->shape->nodes;
    memset(s->depth, -1, s->shape->n_nodes * sizeof(s->depth[0]));
    for (unsigned i = s->shape->n_nodes; i-- > 0;) {
        if (!has_room(s, i, gpus))
            continue;
        if (s->depth[i] < 0)
            s->depth[i] = depth_of(&nodes[i]);
        if (i > 0 && s->depth[i] > s->depth[nodes[i].parent])
            s->depth[nodes[i].parent] = s->depth[i];
    }
}

/* Is child a a better place than child b (0: none yet), which comes before it? */
static bool better(const struct search *s, unsigned a, unsigned b)
{
    if (b == 0)
        return true;
    if (!s->req->spread)
        return false;
    if (s->placed[a] != s->placed[b])
        return s->placed[a] < s->placed[b];
    return free_cores(s, a) > free_cores(s, b);
}

/* The smallest domain at or below `node` with room for the slot. */
static unsigned descend(struct search *s, unsigned node, unsigned gpus)
{
    const struct topo_node *nodes = s->shape->nodes;
    measure(s, gpus);
    for (;;) {
        unsigned best = 0;
        for (unsigned c = node + 1; c < nodes[node].end; c = nodes[c].end) {
            if (has_room(s, c, gpus) && nodes[c].kind <= GM_CORE &&
                s->depth[c] == s->depth[node] && better(s, c, best))
                best = c;
        }
        if (best == 0)
            return node;
        node = best;
    }
}

/* The child to take n cores from: the first that has them all, else the emptiest. */
static unsigned giver(const struct search *s, unsigned node, unsigned n)
{
    const struct topo_node *nodes = s->shape->nodes;
    unsigned most = 0;
    for (unsigned c = node + 1; c < nodes[node].end; c = nodes[c].end) {
        if (free_cores(s, c) >= n)
            return c;
        if (most == 0 || free_cores(s, c) > free_cores(s, most))
            most = c;
    }
    return most;
}

/* Claims n free cores at or below `node`. As deep as the tree. */
static void gather(struct search *s, unsigned node, unsigned n, struct idset *pus)
{
    const struct topo_node *at = &s->shape->nodes[node];
    assert(n <= free_cores(s, node));
    if (at->kind == GM_CORE) {
        AUTO(idset) own = idset_make();
        for (unsigned i = 0; i < at->n_pus; i++)
            idset_add(own, s->shape->pus[at->first_pu + i]);
        int rc = occupancy_claim(s->occ, s->host, own, NULL, NULL);
        assert(rc == 0);
        (void)rc;
        idset_unite(pus, own);
        return;
    }
    while (n > 0) {
        unsigned child = giver(s, node, n);
        unsigned part = free_cores(s, child) < n ? free_cores(s, child) : n;
        gather(s, child, part, pus);
        n -= part;
    }
}

/* Claims the GPUs nearest to `node`: its own first, then those of what is around it. */
static void gather_gpus(struct search *s, unsigned node, struct idset *gpus)
{
    const struct topo_node *nodes = s->shape->nodes;
    AUTO(idset) none = idset_make();
    for (;; node = nodes[node].parent) {
        for (unsigned i = node; i < nodes[node].end; i++) {
            unsigned gpu = nodes[i].os_index;
            if (idset_count(gpus) == s->req->gpus)
                break;
            if (nodes[i].kind == GM_GPU && occupancy_gpu_free(s->occ, s->host, gpu) &&
                !idset_has(gpus, gpu))
                idset_add(gpus, gpu);
        }
        if (node == 0 || idset_count(gpus) == s->req->gpus)
            break;
    }
    int rc = occupancy_claim(s->occ, s->host, none, gpus, NULL);
    assert(rc == 0 && idset_count(gpus) == s->req->gpus);
    (void)rc;
}

static const char *kind_name(const struct topo_node *n)
{
    return n->kind == GM_PACKAGE ? "package" : n->kind == GM_NUMA ? "NUMA node" : "cache";
}

void slot_where(const struct topo_shape *shape, unsigned node, struct str *out)
{
    const struct topo_node *nodes = shape->nodes;
    unsigned chain[64] = {0}, n = 0;
    for (; node != 0 && n < 64; node = nodes[node].parent) {
        if (nodes[node].kind != GM_CORE)
            chain[n++] = node;
    }
    if (n == 0)
        str_add(out, "the host");
    while (n-- > 0) {
        const struct topo_node *at = &nodes[chain[n]];
        if (at->kind == GM_CACHE)
            str_printf(out, "L%u %u", at->level, at->os_index);
        else
            str_printf(
                out, "%s %u", at->kind == GM_NUMA ? "NUMA" : kind_name(at), at->os_index);
        str_add(out, n > 0 ? ", " : "");
    }
}

/* The first child of `node` that is a domain of several cores, or 0. */
static unsigned child_domain(const struct search *s, unsigned node)
{
    const struct topo_node *nodes = s->shape->nodes;
    for (unsigned c = node + 1; c < nodes[node].end; c = nodes[c].end) {
        if (nodes[c].kind < GM_CORE && nodes[c].n_cores > 0)
            return c;
    }
    return 0;
}

/* Must be called before the slot is taken: it speaks of what was free. */
static void add_reason(const struct search *s, unsigned node, struct str *out)
{
    unsigned child = child_domain(s, node), n = s->req->cores;
    slot_where(s->shape, node, out);
    if (n > 1 && child != 0)
        str_printf(out,
                   ": no %s in it has %u free cores",
                   kind_name(&s->shape->nodes[child]),
                   n);
    else if (s->req->spread)
        str_add(out, ": fewest ranks so far");
    else if (n == 1)
        str_add(out, ": next free core");
    else
        str_printf(out, ": first with %u free cores", n);
}

static void add_gpu_reason(const struct search *s,
                           unsigned around,
                           const struct idset *gpus,
                           struct str *out)
{
    AUTO_FREE(char) text = idset_format(gpus);
    str_printf(out, "; GPU %s in ", text);
    slot_where(s->shape, around, out);
}

void slot_take(struct occupancy *occ,
               const struct restree *tree,
               unsigned host,
               const struct slot_request *req,
               unsigned *placed,
               struct place_seat *ret)
{
    const struct topo_shape *shape = restree_shape(tree, host);
    AUTO_FREE(int8_t) depth = xcalloc(shape->n_nodes, sizeof(*depth));
    struct search s = {occ, shape, host, req, placed, depth};
    assert(has_room(&s, req->within, req->gpus));
    unsigned around = req->within;
    if (req->gpus > 0)
        around = descend(&s, around, req->gpus);
    unsigned node = descend(&s, around, 0);
    struct str reason = {0};
    add_reason(&s, node, &reason);
    *ret = (struct place_seat){.host = host, .pus = idset_make(), .gpus = idset_make()};
    gather(&s, node, req->cores, ret->pus);
    if (req->gpus > 0) {
        gather_gpus(&s, node, ret->gpus);
        add_gpu_reason(&s, around, ret->gpus, &reason);
    }
    ret->reason = str_steal(&reason);
    for (unsigned i = node;; i = shape->nodes[i].parent) {
        placed[i]++;
        if (i == 0)
            return;
    }
}

/* Free cores or, by threads, free PUs at or below a node; on the empty host (occ NULL)
 * all of them. */
static unsigned units(const struct topo_shape *shape,
                      const struct occupancy *occ,
                      unsigned host,
                      unsigned node,
                      bool pus)
{
    const struct topo_node *at = &shape->nodes[node];
    if (occ == NULL)
        return pus ? at->n_pus : at->n_cores;
    if (!pus)
        return occupancy_free_cores(occ, host, node);
    unsigned n = 0;
    for (unsigned i = 0; i < at->n_pus; i++)
        n += occupancy_pu_free(occ, host, shape->pus[at->first_pu + i]);
    return n;
}

unsigned slot_room(const struct restree *tree,
                   const struct occupancy *occ,
                   unsigned host,
                   const struct slot_request *req)
{
    const struct topo_shape *shape = restree_shape(tree, host);
    bool pus = req->threads > 0, any = false;
    unsigned each = pus ? req->threads : req->cores, n = 0;
    for (unsigned i = 0; req->numa && i < shape->n_nodes; i++) {
        if (shape->nodes[i].kind != GM_NUMA || shape->nodes[i].n_cores == 0)
            continue;
        unsigned have = units(shape, occ, host, i, pus);
        n += each > 0 ? have / each : have > 0;
        any = true;
    }
    if (!any) { /* no NUMA nodes: the host is one */
        unsigned have = units(shape, occ, host, 0, pus);
        n = each > 0 ? have / each : have > 0;
    }
    if (req->gpus > 0) {
        unsigned gpus = occ != NULL ? occupancy_free_gpus(occ, host, 0) : shape->n_gpus;
        n = gpus / req->gpus < n ? gpus / req->gpus : n;
    }
    return n;
}
