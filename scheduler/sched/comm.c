/* See comm.h: a pattern -> its graph. Invariant: rows are sorted by rank and name each
 * neighbour once, weights are above 0, and what stands at one end stands at the other. */
#include "comm.h"
#include "base/memory.h"
#include <assert.h>

struct pairs {
    struct pattern_pair *items;
    size_t n, room;
};

static void add(struct pairs *p, uint32_t a, uint32_t b, float weight)
{
    if (p->n == p->room) {
        p->room = p->room > 0 ? 2 * p->room : 64;
        p->items = xrealloc(p->items, p->room, sizeof(*p->items));
    }
    p->items[p->n++] = (struct pattern_pair){a, b, weight};
}

static int by_rank(const void *a, const void *b)
{
    uint32_t x = ((const struct comm_edge *)a)->to, y = ((const struct comm_edge *)b)->to;
    return x < y ? -1 : x > y;
}

/* A row's edges in order, those to one neighbour added up; how many are left. */
static uint32_t tidy(struct comm_edge *row, uint32_t n)
{
    uint32_t kept = 0;
    qsort(row, n, sizeof(*row), by_rank);
    for (uint32_t i = 0; i < n; i++) {
        if (kept > 0 && row[kept - 1].to == row[i].to)
            row[kept - 1].weight += row[i].weight;
        else
            row[kept++] = row[i];
    }
    return kept;
}

static struct comm_graph *make_rows(unsigned n, const struct pattern_pair *p, size_t m)
{
    struct comm_graph *g = xcalloc(1, sizeof(*g));
    g->n = n;
    g->first = xcalloc((size_t)n + 2, sizeof(*g->first));
    g->edges = xcalloc(2 * m + 1, sizeof(*g->edges));
    uint32_t *next = g->first + 1; /* ends as first: each row's end is the next's start */
    for (size_t i = 0; i < m; i++) {
        if (p[i].a == p[i].b || !(p[i].weight > 0))
            continue;
        next[p[i].a + 1]++;
        next[p[i].b + 1]++;
    }
    for (unsigned r = 0; r < n; r++)
        next[r + 1] += next[r];
    for (size_t i = 0; i < m; i++) {
        if (p[i].a == p[i].b || !(p[i].weight > 0))
            continue;
        g->edges[next[p[i].a]++] = (struct comm_edge){p[i].b, p[i].weight};
        g->edges[next[p[i].b]++] = (struct comm_edge){p[i].a, p[i].weight};
    }
    uint32_t kept = 0;
    for (unsigned r = 0; r < n; r++) {
        uint32_t from = g->first[r], own = tidy(&g->edges[from], g->first[r + 1] - from);
        memmove(&g->edges[kept], &g->edges[from], own * sizeof(*g->edges));
        g->first[r] = kept;
        kept += own;
    }
    g->first[n] = kept;
    return g;
}

static void add_ring(struct pairs *p, unsigned n)
{
    for (unsigned r = 0; r + 1 < n; r++)
        add(p, r, r + 1, 1);
    if (n > 2)
        add(p, n - 1, 0, 1);
}

/* Rank r of a binomial tree speaks to r without its lowest bit: the tree that the ranks
 * of a task add up in (runner/comm.c) where each has as many leaves. */
static void add_trees(struct pairs *p, unsigned n, unsigned group)
{
    assert(group > 0 || n == 0);
    for (unsigned r = 0; r < n; r++) {
        unsigned own = r % group;
        if (own > 0)
            add(p, r, r - own + (own & (own - 1)), 1);
    }
}

static void add_stencil(struct pairs *p, unsigned rows, unsigned columns)
{
    assert(columns > 0);
    for (unsigned r = 0; r < rows * columns; r++) {
        if (r % columns + 1 < columns)
            add(p, r, r + 1, 1);
        if (r / columns + 1 < rows)
            add(p, r, r + columns, 1);
    }
}

static void add_groups(struct pairs *p, unsigned n, unsigned group)
{
    for (unsigned r = 0; r < n; r++) {
        for (unsigned other = r + 1; other < n && other / group == r / group; other++)
            add(p, r, other, 1);
    }
}

int comm_graph_make(const struct pattern *p,
                    unsigned n_ranks,
                    struct comm_graph **ret,
                    struct gm_error *err)
{
    struct pairs all = {0};
    int rc = pattern_check(p, n_ranks, err);
    if (rc != 0)
        return rc;
    if (p->kind == PATTERN_RING)
        add_ring(&all, n_ranks);
    else if (p->kind == PATTERN_TREE)
        add_trees(&all, n_ranks, p->group > 0 ? p->group : n_ranks);
    else if (p->kind == PATTERN_STENCIL_2D)
        add_stencil(&all, p->rows, p->columns);
    else if (p->kind == PATTERN_ALL_TO_ALL)
        add_groups(&all, n_ranks, p->group);
    if (p->kind == PATTERN_MATRIX)
        *ret = make_rows(n_ranks, p->pairs, p->n_pairs);
    else
        *ret = make_rows(n_ranks, all.items, all.n);
    free(all.items);
    return 0;
}

void comm_graph_free(struct comm_graph *g)
{
    if (g == NULL)
        return;
    free(g->first);
    free(g->edges);
    free(g);
}
