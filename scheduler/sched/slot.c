/* See slot.h. One slot: where its cores are (slot_cores.c), its GPUs (slot_gpus.c), its
 * memory (slot_memory.c), and why (slot_reason.c). Invariant: all that is claimed is
 * claimed at the end, so until then occ says what was free. */
#include "slot.h"
#include "base/memory.h"
#include "near.h"
#include "slot_search.h"
#include <assert.h>

/* Cores near the GPUs: the smallest domain around these that has room, in it the
 * smallest. */
static unsigned cores_near(struct slot_search *s, unsigned home, unsigned within)
{
    while (home != within && s->room[home] < s->need)
        home = s->shape->nodes[home].parent;
    return slot_descend(s, home);
}

/* The NUMA node for a slot that must not leave it; 0 where the machine has none. */
static unsigned choose_numa(const struct slot_search *s)
{
    const struct topo_node *nodes = s->shape->nodes;
    unsigned best = 0;
    for (unsigned i = 0; i < s->shape->n_nodes; i++) {
        if (nodes[i].kind != GM_NUMA || s->room[i] == 0 || s->room[i] < s->need)
            continue;
        if (best == 0 || s->placed[i] < s->placed[best] ||
            (s->placed[i] == s->placed[best] && s->room[i] > s->room[best]))
            best = i;
    }
    return best;
}

static void gather(struct slot_search *s, unsigned node, unsigned near, struct idset *pus)
{
    unsigned left = s->need;
    if (s->trait >= 0 || s->shape->n_kinds < 2) {
        slot_gather(s, node, near, left, pus);
        return;
    }
    for (unsigned k = s->shape->n_kinds; k-- > 0 && left > 0;) { /* the fast ones first */
        slot_count(s, s->unit, (int)k);
        unsigned part = s->room[node] < left ? s->room[node] : left;
        slot_gather(s, node, near, part, pus);
        left -= part;
    }
    slot_count(s, s->unit, -1);
    assert(left == 0);
}

/* Both fill the seat and say where its cores are. */
static unsigned
take_gpus_first(struct slot_search *s, unsigned within, struct place_seat *seat)
{
    slot_choose_gpus(s, slot_gpu_domain(s, s->req->within), seat->gpus);
    unsigned home = slot_gpu_cores(s, seat->gpus);
    bool inside = near_common(s->shape, within, home) == within;
    unsigned node = inside ? cores_near(s, home, within) : slot_descend(s, within);
    gather(s, node, inside ? home : 0, seat->pus);
    return node;
}

static unsigned
take_cores_first(struct slot_search *s, unsigned within, struct place_seat *seat)
{
    s->gpus = s->req->gpus;
    unsigned around = s->gpus > 0 ? slot_descend(s, within) : within;
    s->gpus = 0;
    unsigned node = slot_descend(s, around);
    gather(s, node, 0, seat->pus);
    slot_choose_gpus(s, node, seat->gpus);
    return node;
}

static void claim(struct slot_search *s, struct place_seat *seat)
{
    int rc = occupancy_claim(s->occ, s->host, seat->pus, seat->gpus, NULL);
    assert(rc == 0);
    (void)rc;
    slot_claim_memory(s, seat);
}

/* Counts the rank on the nodes around it. */
static void count_rank(const struct topo_shape *shape, unsigned *placed, unsigned node)
{
    for (unsigned i = node;; i = shape->nodes[i].parent) {
        placed[i]++;
        if (i == 0)
            return;
    }
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
    AUTO_FREE(uint32_t) room = xcalloc(shape->n_nodes, sizeof(*room));
    struct slot_search s = {.occ = occ,
                            .shape = shape,
                            .host = host,
                            .req = req,
                            .placed = placed,
                            .room = room,
                            .depth = depth};
    unsigned within = req->within, node;
    slot_choose_unit(&s, within);
    if (req->numa)
        within = choose_numa(&s);
    if (req->numa && within == 0) { /* no node has them apart, or of one class */
        slot_count(&s, req->threads > 0 ? SLOT_PUS : SLOT_CORES, -1);
        within = choose_numa(&s);
    }
    if (s.need == 0)
        s.need = s.room[within];
    assert(s.room[within] >= s.need && s.need > 0);
    *ret = (struct place_seat){.host = host, .pus = idset_make(), .gpus = idset_make()};
    bool follow = req->gpus > 0 && req->gpu_first;
    node = follow ? take_gpus_first(&s, within, ret) : take_cores_first(&s, within, ret);
    ret->mems = slot_mems(shape, ret->pus);
    ret->reason = slot_reason(&s, node, ret);
    AUTO(idset) own = idset_dup(ret->mems);
    claim(&s, ret);
    slot_reason_memory(&s, own, ret);
    count_rank(shape, placed, node);
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
    return pus ? occupancy_free_pus(occ, host, node)
               : occupancy_free_cores(occ, host, node);
}

static unsigned least(unsigned n, uint64_t have, uint64_t each)
{
    return each > 0 && have / each < n ? (unsigned)(have / each) : n;
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
    n = least(
        n, occ != NULL ? occupancy_free_gpus(occ, host, 0) : shape->n_gpus, req->gpus);
    return least(n,
                 occ != NULL ? occupancy_free_memory(occ, host, 0)
                             : restree_bytes(shape, 0),
                 req->memory);
}
