/* See comm_bisect.h. Parts of one domain are all equally far from each other and from
 * what is outside, so a half needs to know nothing of what stands elsewhere. Invariant:
 * a set of ranks is always as large as the seats that are for it. */
#include "comm_bisect.h"
#include "base/memory.h"
#include "comm_cut.h"
#include <string.h>

#define NONE UINT32_MAX

/* A domain below, or the seats that hang at the domain itself. */
struct part {
    uint32_t domain, size;
    bool seats;
};

struct bisection {
    const struct comm_tree *t;
    const struct comm_graph *g;
    unsigned starts;
    uint64_t seed;
    uint32_t *local; /* [n_ranks]: number in the set being cut, or NONE */
    uint32_t *at;
};

/* The graph of these ranks alone; ranks[i] becomes vertex i. */
static struct comm_graph *part_of(struct bisection *b, const uint32_t *ranks, unsigned n)
{
    const struct comm_graph *g = b->g;
    struct comm_graph *own = xcalloc(1, sizeof(*own));
    size_t most = 0;
    for (unsigned i = 0; i < n; i++) {
        b->local[ranks[i]] = i;
        most += g->first[ranks[i] + 1] - g->first[ranks[i]];
    }
    own->n = n;
    own->first = xcalloc((size_t)n + 1, sizeof(*own->first));
    own->edges = xcalloc(most, sizeof(*own->edges));
    uint32_t k = 0;
    for (unsigned i = 0; i < n; i++) {
        for (uint32_t e = g->first[ranks[i]]; e < g->first[ranks[i] + 1]; e++) {
            uint32_t to = b->local[g->edges[e].to];
            if (to != NONE)
                own->edges[k++] = (struct comm_edge){to, g->edges[e].weight};
        }
        own->first[i + 1] = k;
    }
    for (unsigned i = 0; i < n; i++)
        b->local[ranks[i]] = NONE;
    return own;
}

/* Sorts ranks so that the first `left` are one set; each set keeps its order. */
static void cut(struct bisection *b, uint32_t *ranks, unsigned n, unsigned left)
{
    AUTO(comm_graph) own = part_of(b, ranks, n);
    AUTO_FREE(uint8_t) side = xcalloc(n, sizeof(*side));
    AUTO_FREE(uint32_t) sorted = xcalloc(n, sizeof(*sorted));
    unsigned next[2] = {0, left};
    comm_cut(own, left, b->starts, &b->seed, side);
    for (unsigned i = 0; i < n; i++)
        sorted[next[side[i]]++] = ranks[i];
    memcpy(ranks, sorted, n * sizeof(*ranks));
}

/* How many parts go to the left, so that both halves are as equal as can be. */
static unsigned
halve(const struct part *parts, unsigned n_parts, unsigned n, unsigned *ret_left)
{
    unsigned sum = parts[0].size, k = 1;
    while (k + 1 < n_parts && 2 * sum + parts[k].size <= n)
        sum += parts[k++].size;
    *ret_left = sum;
    return k;
}

static void
fill_domain(struct bisection *b, uint32_t domain, uint32_t *ranks, unsigned n);

static void fill_parts(struct bisection *b,
                       const struct part *parts,
                       unsigned n_parts,
                       uint32_t *ranks,
                       unsigned n)
{
    if (n_parts > 1) {
        unsigned left, k = halve(parts, n_parts, n, &left);
        cut(b, ranks, n, left);
        fill_parts(b, parts, k, ranks, left);
        fill_parts(b, parts + k, n_parts - k, ranks + left, n - left);
        return;
    }
    for (unsigned i = 0; parts->seats && i < n; i++)
        b->at[ranks[i]] = parts->domain;
    if (!parts->seats)
        fill_domain(b, parts->domain, ranks, n);
}

static void fill_domain(struct bisection *b, uint32_t domain, uint32_t *ranks, unsigned n)
{
    const struct comm_domain *all = b->t->domains;
    unsigned n_parts = 0, below = 0;
    AUTO_FREE(struct part) parts = xcalloc((size_t)n + 1, sizeof(*parts));
    for (uint32_t d = domain + 1; d < b->t->n_domains && all[d].first < all[domain].end;
         d++) {
        if (all[d].parent != domain)
            continue;
        parts[n_parts] = (struct part){.domain = d, .size = all[d].end - all[d].first};
        below += parts[n_parts++].size;
    }
    if (below < n)
        parts[n_parts++] =
            (struct part){.domain = domain, .size = n - below, .seats = true};
    fill_parts(b, parts, n_parts, ranks, n);
}

void comm_bisect(const struct comm_tree *t,
                 const struct comm_graph *g,
                 unsigned starts,
                 uint64_t seed,
                 uint32_t *at)
{
    AUTO_FREE(uint32_t) local = xcalloc(g->n, sizeof(*local));
    AUTO_FREE(uint32_t) ranks = xcalloc(g->n, sizeof(*ranks));
    struct bisection b = {t, g, starts, seed, local, NULL};
    b.at = at;
    memset(local, 0xff, g->n * sizeof(*local));
    for (uint32_t r = 0; r < g->n; r++)
        ranks[r] = r;
    if (g->n > 0)
        fill_domain(&b, 0, ranks, g->n);
}
