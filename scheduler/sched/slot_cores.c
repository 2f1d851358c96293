/* See slot.h: the cores. First down the tree to the smallest domain that has room, then
 * its cores.
 *
 * Down: of the children that have room only those count below which the deepest kind of
 * domain has room (an L3 cache before a NUMA node before a package): so a slot is inside
 * an L3 cache wherever one can hold it. Of these, pack takes the fullest, so that others
 * stay whole; spread the one with the fewest ranks, then the most of the bytes that are
 * asked for, then the most room. No child has room: we are there.
 *
 * Cores: must the slot cross the domain's children, the emptiest are taken whole and the
 * rest goes into the fullest that holds it, so that few are crossed; of ranks apart into
 * one that nobody has cores of, if there is one.
 *
 * Invariant (tested against brute force): no domain that had room for the whole slot is
 * cut by it, because we go on down while any child has room. */
#include "base/memory.h"
#include "gridmill/kernel.h"
#include "slot_search.h"
#include <assert.h>

int8_t slot_depth_of(const struct topo_node *n)
{
    switch (n->kind) {
    case GM_CORE:
        return SLOT_DEPTH_CORE;
    case GM_CACHE:
        return n->level < 9 ? (int8_t)(9 - n->level) : 0; /* L2: 7, L3: 6 */
    case GM_NUMA:
        return SLOT_DEPTH_NUMA;
    case GM_PACKAGE:
        return 1;
    default:
        return 0;
    }
}

static bool pu_free(const struct slot_search *s, const struct topo_node *core, unsigned i)
{
    return occupancy_pu_free(s->occ, s->host, s->shape->pus[core->first_pu + i]);
}

/* A core's part in the count. */
static uint32_t units_of(const struct slot_search *s, unsigned core)
{
    const struct topo_node *n = &s->shape->nodes[core];
    if (s->trait >= 0 && n->trait != (uint32_t)s->trait)
        return 0;
    if (s->unit != SLOT_PUS)
        return occupancy_free_cores(s->occ, s->host, core);
    return occupancy_free_pus(s->occ, s->host, core);
}

void slot_count(struct slot_search *s, enum slot_unit unit, int trait)
{
    const struct topo_node *nodes = s->shape->nodes;
    s->unit = unit;
    s->trait = trait;
    memset(s->room, 0, s->shape->n_nodes * sizeof(s->room[0]));
    for (unsigned i = s->shape->n_nodes; i-- > 0;) {
        if (nodes[i].kind == GM_CORE)
            s->room[i] = units_of(s, i);
        if (i > 0)
            s->room[nodes[i].parent] += s->room[i];
    }
}

/* Only NUMA nodes and what is around them are asked for memory: what is inside one has
 * no more than it. */
static bool has_memory(const struct slot_search *s, unsigned node)
{
    uint32_t kind = s->shape->nodes[node].kind;
    return !s->memory || kind > GM_NUMA ||
           occupancy_free_memory(s->occ, s->host, node) >= s->req->memory;
}

static bool has_room(const struct slot_search *s, unsigned node)
{
    return s->room[node] >= s->need && s->room[node] > 0 &&
           (s->gpus == 0 || occupancy_free_gpus(s->occ, s->host, node) >= s->gpus) &&
           has_memory(s, node);
}

int8_t slot_measure(struct slot_search *s, unsigned within)
{
    const struct topo_node *nodes = s->shape->nodes;
    memset(s->depth, -1, s->shape->n_nodes * sizeof(s->depth[0]));
    for (unsigned i = nodes[within].end; i-- > within;) {
        if (!has_room(s, i))
            continue;
        if (s->depth[i] < 0)
            s->depth[i] = slot_depth_of(&nodes[i]);
        if (i > within && s->depth[i] > s->depth[nodes[i].parent])
            s->depth[nodes[i].parent] = s->depth[i];
    }
    return s->depth[within];
}

static int8_t depth_with(struct slot_search *s, unsigned within, int trait)
{
    slot_count(s, s->unit, trait);
    int8_t depth = slot_measure(s, within);
    return depth > SLOT_DEPTH_L3 ? SLOT_DEPTH_L3 : depth;
}

/* The fastest class that has a place as good as any: no slot straddles an L3 cache, NUMA
 * node or package for a faster core's sake. */
static void choose_trait(struct slot_search *s, unsigned within)
{
    int8_t best = depth_with(s, within, -1);
    for (unsigned k = s->shape->n_kinds; s->shape->n_kinds > 1 && k-- > 0;) {
        if (depth_with(s, within, (int)k) == best && best >= 0)
            return;
    }
    slot_count(s, s->unit, -1);
}

void slot_choose_unit(struct slot_search *s, unsigned within)
{
    const struct slot_request *req = s->req;
    s->unit = req->threads > 0 ? SLOT_PUS : SLOT_CORES;
    s->need = req->threads > 0 ? req->threads : req->cores;
    if (req->threads > 0 && (req->traits & GM_BOUND_COMPUTE) != 0) {
        slot_count(s, SLOT_APART, -1);
        if (s->room[within] < s->need)
            s->unit = SLOT_PUS; /* siblings, since too few cores are free */
    }
    choose_trait(s, within);
}

static bool has_hbm(const struct topo_shape *shape, unsigned node)
{
    for (unsigned i = node; i < shape->nodes[node].end; i++) {
        if (shape->nodes[i].kind == GM_NUMA && shape->nodes[i].trait == TOPO_HBM)
            return true;
    }
    return false;
}

/* How much of the bytes that a rank asks for a NUMA node, or what is around one, has
 * free: in eighths, as equal nodes differ by what the kernel keeps. Of what is inside one
 * 0. */
static unsigned bytes_of(const struct slot_search *s, unsigned node)
{
    if (s->req->memory == 0 || s->shape->nodes[node].kind > GM_NUMA)
        return 0;
    uint64_t free = occupancy_free_memory(s->occ, s->host, node);
    return free < s->req->memory ? (unsigned)(free / ((s->req->memory + 7) / 8)) : 8;
}

/* Is child a a better place than child b (0: none yet), which comes before it? */
static bool better(const struct slot_search *s, unsigned a, unsigned b)
{
    if (b == 0)
        return true;
    unsigned gpus_a = s->gpus > 0 ? occupancy_free_gpus(s->occ, s->host, a) : 0;
    unsigned gpus_b = s->gpus > 0 ? occupancy_free_gpus(s->occ, s->host, b) : 0;
    if (!s->req->spread)
        return gpus_a != gpus_b ? gpus_a < gpus_b : s->room[a] < s->room[b];
    if (s->placed[a] != s->placed[b])
        return s->placed[a] < s->placed[b];
    if ((s->req->traits & GM_BOUND_MEMORY) != 0 &&
        has_hbm(s->shape, a) != has_hbm(s->shape, b))
        return has_hbm(s->shape, a);
    unsigned has_a = bytes_of(s, a), has_b = bytes_of(s, b);
    return has_a != has_b ? has_a > has_b : s->room[a] > s->room[b];
}

/* Bytes are a wish: a slot does not straddle for them, it takes them from afar. */
static void ask_for_memory(struct slot_search *s, unsigned node)
{
    s->memory = false;
    int8_t without = slot_measure(s, node);
    s->memory = s->req->memory > 0;
    if (s->memory && slot_measure(s, node) < without) {
        s->memory = false;
        (void)slot_measure(s, node);
    }
}

unsigned slot_descend(struct slot_search *s, unsigned node)
{
    const struct topo_node *nodes = s->shape->nodes;
    ask_for_memory(s, node);
    for (;;) {
        unsigned best = 0;
        for (unsigned c = node + 1; c < nodes[node].end; c = nodes[c].end) {
            if (has_room(s, c) && nodes[c].kind <= GM_CORE &&
                s->depth[c] == s->depth[node] && better(s, c, best))
                best = c;
        }
        if (best == 0)
            return node;
        node = best;
    }
}

static bool holds(const struct topo_shape *shape, unsigned node, unsigned below)
{
    return below >= node && below < shape->nodes[node].end;
}

static bool is_whole(const struct slot_search *s, unsigned node)
{
    const struct topo_node *n = &s->shape->nodes[node];
    return s->room[node] == (s->unit == SLOT_PUS ? n->n_pus : n->n_cores);
}

/* Is child a, for the rest of a slot, better than b (0: none yet)? Both have room. The
 * fullest; of ranks apart one that nobody has cores of goes first. */
static bool fits_better(const struct slot_search *s, unsigned a, unsigned b)
{
    if (b == 0)
        return true;
    if (s->req->spread && is_whole(s, a) != is_whole(s, b))
        return is_whole(s, a);
    return s->room[a] < s->room[b];
}

/* The child to take n units from: that towards `near` first; else the best that has them
 * all; else the emptiest. */
static unsigned
giver(const struct slot_search *s, unsigned node, unsigned near, unsigned n)
{
    const struct topo_node *nodes = s->shape->nodes;
    unsigned most = 0, fit = 0;
    for (unsigned c = node + 1; c < nodes[node].end; c = nodes[c].end) {
        if (s->room[c] == 0)
            continue;
        if (near != 0 && holds(s->shape, c, near))
            return c;
        if (s->room[c] >= n && fits_better(s, c, fit))
            fit = c;
        if (most == 0 || s->room[c] > s->room[most])
            most = c;
    }
    return fit != 0 ? fit : most;
}

/* n units of a core, the first that are free. */
static void take_core(struct slot_search *s, unsigned core, unsigned n, struct idset *pus)
{
    const struct topo_node *at = &s->shape->nodes[core];
    unsigned left = s->unit == SLOT_CORES ? at->n_pus : n;
    for (unsigned i = 0; i < at->n_pus && left > 0; i++) {
        if (!pu_free(s, at, i))
            continue;
        idset_add(pus, s->shape->pus[at->first_pu + i]);
        left--;
    }
    for (unsigned i = core;; i = s->shape->nodes[i].parent) {
        s->room[i] -= n;
        if (i == 0)
            return;
    }
}

/* As deep as the tree. */
void slot_gather(
    struct slot_search *s, unsigned node, unsigned near, unsigned n, struct idset *pus)
{
    assert(n <= s->room[node]);
    if (s->shape->nodes[node].kind == GM_CORE) {
        take_core(s, node, n, pus);
        return;
    }
    while (n > 0) {
        unsigned child = giver(s, node, near, n);
        unsigned part = s->room[child] < n ? s->room[child] : n;
        slot_gather(s, child, near, part, pus);
        n -= part;
    }
}
