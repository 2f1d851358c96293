/* See comm.h. Three ways to begin (the order that came in, and bisections), each made
 * better by swaps; the best is kept. What effort goes in depends on the number of ranks
 * and seats alone, never on a clock, so the same input gives the same answer.
 *
 * Invariant: what comes out has no more hop-bytes than what came in; where it has as
 * many, nothing has moved. */
#include "comm_assign.h"
#include "base/memory.h"
#include "base/str.h"
#include "comm_bisect.h"
#include "comm_swap.h"
#include <math.h>
#include <string.h>

enum {
    MOST_DISTANCES = 1024,   /* classes whose distances are kept in a table: 8 MiB */
    MOST_COSTS = 1 << 20,    /* ranks x classes that tabu search keeps costs of */
    MOST_THOROUGH = 1 << 14, /* ranks */
    MOST_SPARSE = 32,        /* neighbours a rank */
    MOST_EDGES = 1 << 20,
};

#define SEED 88172645463325252u

struct assigning {
    const struct comm_tree *tree;
    const struct comm_graph *graph;
    struct comm_swap swap;
    struct comm_class *classes;
    uint32_t *class_of; /* [n_seats] */
    uint32_t *at;       /* the best so far: rank -> class */
    double before, least;
};

static double hop_bytes(const struct assigning *a, const uint32_t *at)
{
    AUTO_FREE(uint32_t) domains = xcalloc(a->graph->n, sizeof(*domains));
    for (uint32_t r = 0; r < a->graph->n; r++)
        domains[r] = a->classes[at[r]].domain;
    return comm_tree_hop_bytes(a->tree, a->graph, domains);
}

/* Seats of one kind may stand for each other. */
static uint32_t *find_kinds(const struct placement *p, uint32_t *ret_n)
{
    struct pair {
        unsigned pus, gpus;
    };
    uint32_t *kinds = xcalloc(p->n_ranks, sizeof(*kinds));
    AUTO_FREE(struct pair) known = xcalloc(p->n_ranks, sizeof(*known));
    uint32_t n = 0;
    for (unsigned i = 0; i < p->n_ranks; i++) {
        const struct place_seat *s = &p->seats[i];
        struct pair own = {s->pus != NULL ? idset_count(s->pus) : 0,
                           s->gpus != NULL ? idset_count(s->gpus) : 0};
        uint32_t k = 0;
        while (k < n && (known[k].pus != own.pus || known[k].gpus != own.gpus))
            k++;
        if (k == n)
            known[n++] = own;
        kinds[i] = k;
    }
    *ret_n = n;
    return kinds;
}

struct key {
    uint32_t domain, kind, seat;
};

static int by_class(const void *a, const void *b)
{
    const struct key *x = a, *y = b;
    if (x->domain != y->domain)
        return x->domain < y->domain ? -1 : 1;
    if (x->kind != y->kind)
        return x->kind < y->kind ? -1 : 1;
    return x->seat < y->seat ? -1 : x->seat > y->seat;
}

static unsigned find_classes(struct assigning *a, const uint32_t *kinds)
{
    unsigned n = a->tree->n_seats, n_classes = 0;
    AUTO_FREE(struct key) keys = xcalloc(n, sizeof(*keys));
    for (unsigned i = 0; i < n; i++)
        keys[i] = (struct key){a->tree->domain[i], kinds[i], i};
    qsort(keys, n, sizeof(*keys), by_class);
    for (unsigned i = 0; i < n; i++) {
        if (i == 0 || keys[i].domain != keys[i - 1].domain ||
            keys[i].kind != keys[i - 1].kind)
            a->classes[n_classes++] = (struct comm_class){keys[i].domain, keys[i].kind};
        a->class_of[keys[i].seat] = n_classes - 1;
    }
    return n_classes;
}

static double *measure(const struct assigning *a, unsigned n)
{
    if (n > MOST_DISTANCES)
        return NULL;
    double *all = xcalloc((size_t)n * n, sizeof(*all));
    for (unsigned i = 0; i < n; i++) {
        for (unsigned k = 0; k < n; k++)
            all[(size_t)i * n + k] =
                comm_tree_distance(a->tree, a->classes[i].domain, a->classes[k].domain);
    }
    return all;
}

static void keep_better(struct assigning *a, const uint32_t *at)
{
    double own = hop_bytes(a, at);
    if (own < a->least) {
        a->least = own;
        memcpy(a->at, at, a->graph->n * sizeof(*at));
    }
}

/* Classes from domains, where all seats are of one kind: a domain has one class. */
static void name_classes(const struct assigning *a, uint32_t *at)
{
    AUTO_FREE(uint32_t) class_of = xcalloc(a->tree->n_domains, sizeof(*class_of));
    for (unsigned c = 0; c < a->swap.n_classes; c++)
        class_of[a->classes[c].domain] = c;
    for (uint32_t r = 0; r < a->graph->n; r++)
        at[r] = class_of[at[r]];
}

/* Effort: 128 ranks in less than 5 ms, 10^4 in a second; less of it for dense graphs,
 * whose mappings differ little. */
struct effort {
    unsigned bisections, starts; /* of each cut of a bisection */
    unsigned swaps;              /* of tabu search */
};

static struct effort effort_for(const struct assigning *a)
{
    uint64_t n = a->graph->n, k = a->swap.n_classes, edges = a->graph->first[n];
    uint64_t members = n / k + 1, degree = edges / n + 1;
    uint64_t close = k * members * k * members / 2 * degree / n; /* pairs that speak */
    close *= 1 + degree / MOST_SPARSE;
    uint64_t swap = k * k / 2 + 16 * n + 4 * degree * k + close;
    struct effort e = {.bisections = 2, .starts = 3};
    if (n > MOST_THOROUGH || degree > MOST_SPARSE)
        e = (struct effort){.bisections = 1, .starts = edges > MOST_EDGES ? 1 : 2};
    if (n * k <= MOST_COSTS)
        e.swaps = (unsigned)((1000000 + 10000 * n) / swap);
    return e;
}

static void search(struct assigning *a, bool alike)
{
    unsigned n = a->graph->n;
    AUTO_FREE(uint32_t) at = xcalloc(n, sizeof(*at));
    memcpy(at, a->at, n * sizeof(*at));
    struct effort effort = effort_for(a);
    comm_swap_down(&a->swap, at);
    keep_better(a, at);
    for (unsigned k = 0; alike && k < effort.bisections; k++) {
        comm_bisect(a->tree, a->graph, effort.starts, SEED + k, at);
        name_classes(a, at);
        comm_swap_down(&a->swap, at);
        keep_better(a, at);
    }
    if (effort.swaps > 0) {
        memcpy(at, a->at, n * sizeof(*at));
        comm_swap_tabu(&a->swap, effort.swaps, SEED, at);
        keep_better(a, at);
    }
}

static double apart(const struct assigning *a, uint32_t rank, uint32_t other)
{
    return comm_tree_distance(
        a->tree, a->classes[a->at[rank]].domain, a->classes[a->at[other]].domain);
}

/* "3, 7": the first few of those that a rank speaks to and that are nearest to it; how
 * many. */
static unsigned list_near(const struct assigning *a, uint32_t rank, struct str *out)
{
    const struct comm_graph *g = a->graph;
    uint32_t first = g->first[rank], end = g->first[rank + 1];
    double least = INFINITY;
    unsigned n = 0;
    for (uint32_t e = first; e < end; e++)
        least = fmin(least, apart(a, rank, g->edges[e].to));
    for (uint32_t e = first; e < end && n < 4; e++) {
        if (apart(a, rank, g->edges[e].to) <= least)
            str_printf(out, "%s%u", n++ > 0 ? ", " : "", g->edges[e].to);
    }
    return n;
}

static void tell(const struct assigning *a, uint32_t rank, struct place_seat *seat)
{
    AUTO_STR s = {0};
    unsigned n = list_near(a, rank, &s);
    struct str all = {0};
    str_printf(&all,
               "%s%s",
               seat->reason != NULL ? seat->reason : "",
               seat->reason != NULL && *seat->reason != '\0' ? "; " : "");
    if (n > 0)
        str_printf(
            &all, "near rank%s %s, which it speaks to", n == 1 ? "" : "s", str_text(&s));
    else
        str_add(&all, "speaks to nobody and makes room for those that do");
    free(seat->reason);
    seat->reason = str_steal(&all);
}

/* Gives each rank a seat of its class: its own, where that is one. */
static void deal(const struct assigning *a, struct placement *p)
{
    unsigned n = p->n_ranks;
    AUTO_FREE(struct key) keys = xcalloc(n, sizeof(*keys));
    AUTO_FREE(struct place_seat) seats = xcalloc(n, sizeof(*seats));
    AUTO_FREE(uint32_t) next = xcalloc((size_t)a->swap.n_classes + 1, sizeof(*next));
    unsigned n_free = 0;
    memcpy(seats, p->seats, n * sizeof(*seats));
    for (unsigned i = 0; i < n; i++) {
        if (a->at[i] != a->class_of[i]) {
            keys[n_free++] = (struct key){.domain = a->class_of[i], .seat = i};
            next[a->class_of[i] + 1]++;
        }
    }
    qsort(keys, n_free, sizeof(*keys), by_class);
    for (unsigned c = 0; c < a->swap.n_classes; c++)
        next[c + 1] += next[c];
    for (unsigned r = 0; r < n; r++) {
        if (a->at[r] == a->class_of[r])
            continue;
        p->seats[r] = seats[keys[next[a->at[r]]++].seat];
        tell(a, r, &p->seats[r]);
    }
}

struct comm_gain comm_assign_by(const struct restree *tree,
                                const struct comm_graph *g,
                                const struct comm_costs *costs,
                                struct placement *p)
{
    unsigned n = p->n_ranks;
    uint32_t n_kinds;
    AUTO(comm_tree) t = comm_tree_make(tree, p->seats, n, costs);
    AUTO_FREE(uint32_t) kinds = find_kinds(p, &n_kinds);
    AUTO_FREE(struct comm_class) classes = xcalloc(n, sizeof(*classes));
    AUTO_FREE(uint32_t) class_of = xcalloc(n, sizeof(*class_of));
    AUTO_FREE(uint32_t) at = xcalloc(n, sizeof(*at));
    struct assigning a = {
        .tree = t, .graph = g, .classes = classes, .class_of = class_of, .at = at};
    unsigned n_classes = find_classes(&a, kinds);
    AUTO_FREE(double) distance = measure(&a, n_classes);
    memcpy(at, class_of, n * sizeof(*at));
    a.before = a.least = hop_bytes(&a, at);
    a.swap = (struct comm_swap){t, g, classes, n_classes, distance, 1e-12 * a.before};
    if (n_classes > 1 && a.before > 0)
        search(&a, n_kinds == 1);
    if (a.least < a.before * (1 - 1e-9))
        deal(&a, p);
    else
        a.least = a.before;
    return (struct comm_gain){a.before, a.least};
}

void comm_assign(const struct restree *tree,
                 const struct comm_graph *g,
                 struct placement *p)
{
    (void)comm_assign_by(tree, g, &comm_costs, p);
}
