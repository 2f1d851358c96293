/* See slot.h: the GPUs. Where they decide (gpu_first), the smallest domain that has them
 * free, if possible with the slot's cores; else those nearest to the cores. Of the GPUs
 * that are equally near the best linked are taken: all choices are looked at while there
 * are few, else the first and each time the one nearest to those. */
#include "base/memory.h"
#include "near.h"
#include "slot_search.h"
#include <assert.h>

enum { MOST_TRIED = 5000, MOST_LINKED = 64 };

static unsigned free_gpus(const struct slot_search *s, unsigned node)
{
    return occupancy_free_gpus(s->occ, s->host, node);
}

/* The deepest kind of domain that has the GPUs free, cores aside. */
static int8_t gpu_depth(const struct slot_search *s, unsigned within)
{
    const struct topo_node *nodes = s->shape->nodes;
    int8_t depth = -1;
    for (unsigned i = within; i < nodes[within].end; i++) {
        int8_t own = slot_depth_of(&nodes[i]);
        if (nodes[i].kind < GM_CORE && free_gpus(s, i) >= s->req->gpus && own > depth)
            depth = own;
    }
    return depth;
}

unsigned slot_gpu_domain(const struct slot_search *s, unsigned within)
{
    const struct topo_node *nodes = s->shape->nodes;
    struct slot_search both = *s;
    both.gpus = s->req->gpus;
    int8_t depth = gpu_depth(s, within);
    if (slot_measure(&both, within) == depth)
        return slot_descend(&both, within);
    unsigned best = within;
    for (unsigned i = within; i < nodes[within].end; i++) {
        if (nodes[i].kind >= GM_CORE || slot_depth_of(&nodes[i]) != depth ||
            free_gpus(s, i) < s->req->gpus)
            continue;
        if (best == within || s->room[i] > s->room[best])
            best = i; /* as many cores as can be beside them */
    }
    return best;
}

unsigned slot_gpu_home(const struct topo_shape *shape, const struct idset *gpus)
{
    int64_t g = idset_next(gpus, 0);
    unsigned home = near_home(shape, (unsigned)g);
    for (; g >= 0; g = idset_next(gpus, (unsigned)g + 1))
        home = near_common(shape, home, near_home(shape, (unsigned)g));
    return home;
}

unsigned slot_gpu_cores(const struct slot_search *s, const struct idset *gpus)
{
    unsigned best = 0, best_n = 0;
    for (int64_t g = idset_next(gpus, 0); g >= 0; g = idset_next(gpus, (unsigned)g + 1)) {
        unsigned home = near_home(s->shape, (unsigned)g), n = 0;
        for (int64_t h = idset_next(gpus, 0); h >= 0;
             h = idset_next(gpus, (unsigned)h + 1))
            n += near_common(s->shape, home, near_home(s->shape, (unsigned)h)) == home;
        if (s->room[home] >= s->need && n > best_n) {
            best = home;
            best_n = n;
        }
    }
    return best_n > 0 ? best : slot_gpu_home(s->shape, gpus);
}

struct choice {
    const struct topo_shape *shape;
    const struct idset *taken; /* nearer ones, taken in any case */
    unsigned ids[MOST_LINKED], n;
    unsigned now[MOST_LINKED], best[MOST_LINKED]; /* places in ids */
    double *pair;                                 /* [n * n] */
    double *alone;                                /* [n]: to the taken ones */
    double best_cost;
    unsigned tries;
};

/* What adding a GPU to the first k of `now` and the taken ones costs. */
static double added(const struct choice *c, unsigned k, unsigned gpu)
{
    double cost = c->alone[gpu];
    for (unsigned i = 0; i < k; i++)
        cost += c->pair[c->now[i] * c->n + gpu];
    return cost;
}

static void measure_pairs(struct choice *c)
{
    c->pair = xcalloc((size_t)c->n * c->n, sizeof(*c->pair));
    c->alone = xcalloc(c->n, sizeof(*c->alone));
    for (unsigned a = 0; a < c->n; a++) {
        for (unsigned b = 0; b < c->n; b++)
            c->pair[a * c->n + b] = near_gpus(c->shape, c->ids[a], c->ids[b]);
        for (int64_t g = idset_next(c->taken, 0); g >= 0;
             g = idset_next(c->taken, (unsigned)g + 1))
            c->alone[a] += near_gpus(c->shape, c->ids[a], (unsigned)g);
    }
}

/* All ways to take `want` of the candidates from `from` on, k of them taken. As deep as
 * there are GPUs in a slot. */
static void
try_all(struct choice *c, unsigned k, unsigned from, unsigned want, double cost)
{
    if (cost >= c->best_cost)
        return;
    if (k == want) {
        c->best_cost = cost;
        memcpy(c->best, c->now, want * sizeof(c->now[0]));
        return;
    }
    for (unsigned i = from; i + (want - k) <= c->n && c->tries < MOST_TRIED; i++) {
        c->now[k] = i;
        c->tries++;
        try_all(c, k + 1, i + 1, want, cost + added(c, k, i));
    }
}

static void choose(struct choice *c, unsigned want, struct idset *gpus)
{
    c->best_cost = 1e300;
    measure_pairs(c);
    try_all(c, 0, 0, want, 0);
    assert(c->best_cost < 1e300); /* the first way down is never cut */
    for (unsigned i = 0; i < want; i++)
        idset_add(gpus, c->ids[c->best[i]]);
    free(c->pair);
    free(c->alone);
}

static int by_number(const void *a, const void *b)
{
    unsigned x = *(const unsigned *)a, y = *(const unsigned *)b;
    return x < y ? -1 : x > y;
}

/* The first free GPUs at or below a node that are not in the set, by number. */
static void list_free(const struct slot_search *s,
                      unsigned node,
                      const struct idset *but,
                      struct choice *c)
{
    const struct topo_node *nodes = s->shape->nodes;
    for (unsigned i = node; i < nodes[node].end; i++) {
        unsigned gpu = nodes[i].os_index;
        if (nodes[i].kind == GM_GPU && c->n < MOST_LINKED &&
            occupancy_gpu_free(s->occ, s->host, gpu) && !idset_has(but, gpu))
            c->ids[c->n++] = gpu;
    }
    qsort(c->ids, c->n, sizeof(c->ids[0]), by_number);
}

void slot_choose_gpus(const struct slot_search *s, unsigned node, struct idset *gpus)
{
    unsigned left = s->req->gpus;
    while (left > 0) {
        struct choice c = {.shape = s->shape, .taken = gpus};
        list_free(s, node, gpus, &c);
        unsigned want = c.n < left ? c.n : left;
        if (want > 0)
            choose(&c, want, gpus);
        left -= want;
        assert(left == 0 || node != 0 || c.n == MOST_LINKED);
        if (c.n < MOST_LINKED)
            node = s->shape->nodes[node].parent;
    }
}
