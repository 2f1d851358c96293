/* See slot.h: the memory. The NUMA nodes of the slot's cores give first, then those of
 * the smallest domain around, and so on up to the host. A memory-bound rank whose bytes
 * fit into the high bandwidth memory beside its cores gets them there. GPUs' own memory
 * is for nobody's ranks. */
#include "gridmill/kernel.h"
#include "slot_search.h"

static bool is_for_ranks(const struct topo_node *n)
{
    return n->kind == GM_NUMA && n->trait != TOPO_GPU_MEMORY;
}

static bool
has_some(const struct topo_shape *shape, unsigned node, const struct idset *pus)
{
    const struct topo_node *n = &shape->nodes[node];
    for (unsigned i = 0; i < n->n_pus; i++) {
        if (idset_has(pus, shape->pus[n->first_pu + i]))
            return true;
    }
    return false;
}

unsigned slot_around(const struct topo_shape *shape, const struct idset *pus)
{
    unsigned node = 0, want = idset_count(pus);
    for (unsigned c = 1; c < shape->nodes[node].end;) {
        unsigned n = 0;
        for (unsigned i = 0; i < shape->nodes[c].n_pus; i++)
            n += idset_has(pus, shape->pus[shape->nodes[c].first_pu + i]);
        if (n == want && want > 0) {
            node = c;
            c++;
        } else {
            c = shape->nodes[c].end;
        }
    }
    return node;
}

struct idset *slot_mems(const struct topo_shape *shape, const struct idset *pus)
{
    struct idset *mems = idset_make();
    for (unsigned i = 0; i < shape->n_nodes; i++) {
        if (is_for_ranks(&shape->nodes[i]) && has_some(shape, i, pus))
            idset_add(mems, shape->nodes[i].os_index);
    }
    /* Cores that are no NUMA node's own: whatever is nearest. */
    for (unsigned n = slot_around(shape, pus); idset_count(mems) == 0;
         n = shape->nodes[n].parent) {
        for (unsigned i = n; i < shape->nodes[n].end; i++) {
            if (is_for_ranks(&shape->nodes[i]) && shape->nodes[i].trait != TOPO_FAR)
                idset_add(mems, shape->nodes[i].os_index);
        }
        if (n == 0)
            break;
    }
    return mems;
}

static uint64_t take(struct slot_search *s, unsigned node, uint64_t bytes)
{
    uint64_t have = occupancy_free_memory(s->occ, s->host, node);
    uint64_t part = have < bytes ? have : bytes;
    return part > 0 && occupancy_claim_memory(s->occ, s->host, node, part) == 0 ? part
                                                                                : 0;
}

/* The HBM leaf that stands beside a NUMA node of the slot and has the bytes; 0: none. */
static unsigned hbm_beside(const struct slot_search *s, const struct idset *mems)
{
    const struct topo_node *nodes = s->shape->nodes;
    for (unsigned i = 0; i < s->shape->n_nodes; i++) {
        unsigned next = nodes[i].end;
        if (nodes[i].kind == GM_NUMA && idset_has(mems, nodes[i].os_index) &&
            next < s->shape->n_nodes && nodes[next].kind == GM_NUMA &&
            nodes[next].trait == TOPO_HBM &&
            occupancy_free_memory(s->occ, s->host, next) >= s->req->memory)
            return next;
    }
    return 0;
}

void slot_claim_memory(struct slot_search *s, struct place_seat *seat)
{
    const struct topo_node *nodes = s->shape->nodes;
    uint64_t left = s->req->memory;
    unsigned hbm =
        (s->req->traits & GM_BOUND_MEMORY) != 0 ? hbm_beside(s, seat->mems) : 0;
    if (left > 0 && hbm != 0) {
        (void)take(s, hbm, left);
        idset_clear(seat->mems);
        idset_add(seat->mems, nodes[hbm].os_index);
        return;
    }
    for (unsigned i = 0; i < s->shape->n_nodes && left > 0; i++) {
        if (is_for_ranks(&nodes[i]) && idset_has(seat->mems, nodes[i].os_index))
            left -= take(s, i, left);
    }
    for (unsigned n = slot_around(s->shape, seat->pus); left > 0; n = nodes[n].parent) {
        for (unsigned i = n; i < nodes[n].end && left > 0; i++) {
            uint64_t part = is_for_ranks(&nodes[i]) ? take(s, i, left) : 0;
            left -= part;
            if (part > 0)
                idset_add(seat->mems, nodes[i].os_index);
        }
        if (n == 0)
            return;
    }
}
