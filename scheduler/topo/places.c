/* See places.h. Invariant: places of a kind are 0, 1, ... in the order of the shape's
 * nodes. */
#include "places.h"
#include "base/memory.h"

static unsigned words_for(unsigned bits)
{
    return bits / 64 + (bits % 64 > 0);
}

static void add_core(struct places *p, const struct topo_node *n, unsigned core)
{
    p->cores[core] = (struct places_core){n->first_pu, n->n_pus};
    for (unsigned i = 0; i < n->n_pus; i++)
        p->core_of_pu[n->first_pu + i] = core;
}

static void number_pus(struct places *p, const struct topo_shape *s)
{
    for (unsigned i = 0; i < s->n_pus; i++) {
        if (s->pus[i] >= p->n_pu_ids)
            p->n_pu_ids = s->pus[i] + 1;
    }
    p->place_of_pu = xcalloc(p->n_pu_ids, sizeof(*p->place_of_pu));
    for (unsigned i = 0; i < s->n_pus; i++)
        p->place_of_pu[s->pus[i]] = i + 1;
}

void places_make(const struct topo_shape *s, struct places *ret)
{
    struct places p = {
        .nodes = xcalloc(s->n_nodes, sizeof(*p.nodes)),
        .cores = xcalloc(s->n_cores, sizeof(*p.cores)),
        .core_of_pu = xcalloc(s->n_pus, sizeof(*p.core_of_pu)),
        .place_of_gpu = xcalloc(s->n_gpus, sizeof(*p.place_of_gpu)),
    };
    struct places_node next = {0};
    number_pus(&p, s);
    for (unsigned i = 0; i < s->n_nodes; i++) {
        p.nodes[i] = next;
        if (s->nodes[i].kind == GM_CORE)
            add_core(&p, &s->nodes[i], next.core++);
        else if (s->nodes[i].kind == GM_GPU)
            p.place_of_gpu[s->nodes[i].os_index] = next.gpu++;
        else if (s->nodes[i].kind == GM_NUMA)
            next.numa++;
    }
    p.n_numas = next.numa;
    p.cores_at = words_for(s->n_pus);
    p.gpus_at = p.cores_at + words_for(s->n_cores);
    p.memory_at = p.gpus_at + words_for(s->n_gpus);
    p.n_words = p.memory_at + p.n_numas;
    *ret = p;
}

void places_clear(struct places *p)
{
    free(p->nodes);
    free(p->cores);
    free(p->core_of_pu);
    free(p->place_of_pu);
    free(p->place_of_gpu);
    *p = (struct places){0};
}
