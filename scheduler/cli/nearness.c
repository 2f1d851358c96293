/* See nearness.h. A GPU is near where the smallest NUMA node around it, else the smallest
 * domain, has a CPU of its rank. */
#include "nearness.h"

static bool has_pu(const struct topo_shape *s, unsigned node, const struct idset *pus)
{
    const struct topo_node *n = &s->nodes[node];
    for (unsigned k = 0; k < n->n_pus; k++) {
        if (idset_has(pus, s->pus[n->first_pu + k]))
            return true;
    }
    return false;
}

/* Domains of a kind that the slot has CPUs of. */
static unsigned touched(const struct topo_shape *s,
                        const struct idset *pus,
                        uint32_t kind,
                        uint32_t level,
                        bool *ret_any)
{
    unsigned n = 0;
    for (unsigned i = 0; i < s->n_nodes; i++) {
        const struct topo_node *node = &s->nodes[i];
        if (node->kind != kind || node->level != level || node->n_pus == 0)
            continue;
        *ret_any = true;
        n += has_pu(s, i, pus);
    }
    return n;
}

static unsigned around(const struct topo_shape *s, unsigned gpu)
{
    unsigned up = s->nodes[gpu].parent;
    for (unsigned n = up; n != 0; n = s->nodes[n].parent) {
        if (s->nodes[n].kind == GM_NUMA && s->nodes[n].n_pus > 0)
            return n;
    }
    return up;
}

static void
count_gpus(const struct topo_shape *s, const struct place_seat *seat, struct nearness *n)
{
    for (unsigned i = 0; i < s->n_nodes && seat->gpus != NULL; i++) {
        if (s->nodes[i].kind != GM_GPU || !idset_has(seat->gpus, s->nodes[i].os_index))
            continue;
        n->gpus++;
        n->gpus_near += has_pu(s, around(s, i), seat->pus);
    }
}

void nearness_count(const struct restree *tree,
                    const struct placement *at,
                    struct nearness *ret)
{
    struct nearness n = {.slots = at->n_ranks};
    for (unsigned r = 0; r < at->n_ranks; r++) {
        const struct place_seat *seat = &at->seats[r];
        const struct topo_shape *s = restree_shape(tree, seat->host);
        bool numas = false;
        n.cpus += idset_count(seat->pus);
        n.over_numas += touched(s, seat->pus, GM_NUMA, 0, &numas) > 1;
        n.over_caches += touched(s, seat->pus, GM_CACHE, 3, &n.caches) > 1;
        count_gpus(s, seat, &n);
    }
    *ret = n;
}
