/* See comm_swap.h. Invariant: every swap lowers hop-bytes, so it ends. */
#include "base/memory.h"
#include "comm_swap.h"
#include <string.h>

enum { SWEEPS = 16 };

/* Edges that may be looked at, a rank: far more than graphs of a few neighbours need, and
 * what keeps dense ones near-linear. */
enum { WORK_A_RANK = 8192 };

struct down {
    const struct comm_swap *s;
    uint32_t *at, *slot, *members, *first; /* as in comm_tabu.c */
    uint32_t *tried;                       /* [n_classes]: by this rank + 1 */
    uint64_t work;                         /* that is left */
};

static double distance(const struct comm_swap *s, uint32_t a, uint32_t b)
{
    if (s->distance != NULL)
        return s->distance[(size_t)a * s->n_classes + b];
    return comm_tree_distance(s->tree, s->classes[a].domain, s->classes[b].domain);
}

/* What a rank's bytes cost more at `to` than where it is, but for those to `other`. */
static double loss(struct down *d, uint32_t rank, uint32_t to, uint32_t other)
{
    const struct comm_graph *g = d->s->graph;
    double sum = 0;
    uint32_t n_edges = g->first[rank + 1] - g->first[rank];
    d->work -= n_edges < d->work ? n_edges : d->work;
    for (uint32_t e = g->first[rank]; e < g->first[rank + 1]; e++) {
        uint32_t far = d->at[g->edges[e].to];
        if (g->edges[e].to != other)
            sum += (double)g->edges[e].weight *
                   (distance(d->s, to, far) - distance(d->s, d->at[rank], far));
    }
    return sum;
}

static void swap(struct down *d, uint32_t a, uint32_t b)
{
    uint32_t slot = d->slot[a], class = d->at[a];
    d->at[a] = d->at[b];
    d->at[b] = class;
    d->slot[a] = d->slot[b];
    d->slot[b] = slot;
    d->members[d->slot[a]] = a;
    d->members[d->slot[b]] = b;
}

/* The best swap of `rank` into a class; true: done. */
static bool try_class(struct down *d, uint32_t rank, uint32_t class)
{
    double least = -d->s->least, out;
    uint32_t best = rank;
    if (class == d->at[rank] ||
        d->s->classes[class].kind != d->s->classes[d->at[rank]].kind ||
        loss(d, rank, class, rank) >= 0)
        return false;
    for (uint32_t i = d->first[class]; i < d->first[class + 1] && d->work > 0; i++) {
        uint32_t other = d->members[i];
        out = loss(d, rank, class, other) + loss(d, other, d->at[rank], rank);
        if (out < least) {
            least = out;
            best = other;
        }
    }
    if (best == rank)
        return false;
    swap(d, rank, best);
    return true;
}

static bool sweep(struct down *d)
{
    const struct comm_graph *g = d->s->graph;
    bool changed = false;
    memset(d->tried, 0, d->s->n_classes * sizeof(*d->tried));
    for (uint32_t r = 0; r < g->n; r++) {
        for (uint32_t e = g->first[r]; e < g->first[r + 1] && d->work > 0; e++) {
            uint32_t class = d->at[g->edges[e].to];
            if (d->tried[class] == r + 1)
                continue;
            d->tried[class] = r + 1;
            changed = try_class(d, r, class) || changed;
        }
    }
    return changed && d->work > 0;
}

void comm_swap_down(const struct comm_swap *s, uint32_t *at)
{
    unsigned n = s->graph->n, k = s->n_classes;
    AUTO_FREE(uint32_t) slot = xcalloc(n, sizeof(*slot));
    AUTO_FREE(uint32_t) members = xcalloc(n, sizeof(*members));
    AUTO_FREE(uint32_t) first = xcalloc((size_t)k + 1, sizeof(*first));
    AUTO_FREE(uint32_t) next = xcalloc(k, sizeof(*next));
    AUTO_FREE(uint32_t) tried = xcalloc(k, sizeof(*tried));
    struct down d = {s, NULL, slot, members, first, tried, (uint64_t)n * WORK_A_RANK};
    d.at = at;
    for (uint32_t r = 0; r < n; r++)
        first[at[r] + 1]++;
    for (unsigned c = 0; c < k; c++)
        first[c + 1] += first[c];
    for (uint32_t r = 0; r < n; r++) {
        slot[r] = first[at[r]] + next[at[r]]++;
        members[slot[r]] = r;
    }
    for (unsigned i = 0; i < SWEEPS && sweep(&d); i++)
        ;
}
