/* See comm_tree.h. Seats are sorted as their nodes stand in the machine (preorder), so a
 * domain's are side by side, and the smallest domain around a run of them is the one
 * around its first and its last. Invariant: every domain but a lone root holds two seats
 * or more. */
#include "comm_tree.h"
#include "base/memory.h"
#include <string.h>

const struct comm_costs comm_costs = {
    .core = 0,
    .l2 = 0.5,
    .l3 = 1,
    .numa = 2,
    .package = 3,
    .host = 5,
    .network = 20,
};

/* What is asked of a shape again and again; made when the first seat needs it. */
struct index {
    uint32_t *node_of; /* [n_ids] by OS index: the PU's deepest node */
    unsigned n_ids;
    double *cost; /* [n_nodes] */
};

struct key {
    uint32_t host, node, seat;
};

struct building {
    const struct restree *tree;
    const struct comm_costs *costs;
    struct index *indices; /* [n_shapes] */
    struct key *keys;
    struct comm_tree *out;
    double network; /* more than what any host costs */
};

static double cost_of(const struct comm_costs *c, const struct topo_node *n)
{
    switch (n->kind) {
    case GM_HOST:
        return c->host;
    case GM_PACKAGE:
        return c->package;
    case GM_NUMA:
        return n->n_pus > 0 ? c->numa : 0;
    case GM_CACHE:
        return n->level < 3 ? c->l2 : c->l3;
    default:
        return c->core;
    }
}

/* What a domain costs that is larger than one of this cost, whatever its kind: a NUMA
 * node around two packages is more than a package. */
static double next_above(const struct comm_costs *c, double cost)
{
    const double steps[] = {c->l2, c->l3, c->numa, c->package, c->host};
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        if (steps[i] > cost)
            return steps[i];
    }
    return 1.5 * cost;
}

static void
index_shape(const struct topo_shape *s, const struct comm_costs *costs, struct index *ret)
{
    for (unsigned i = 0; i < s->n_pus; i++)
        ret->n_ids = s->pus[i] >= ret->n_ids ? s->pus[i] + 1 : ret->n_ids;
    ret->node_of = xcalloc(ret->n_ids, sizeof(*ret->node_of));
    ret->cost = xcalloc(s->n_nodes, sizeof(*ret->cost));
    for (unsigned i = 0; i < s->n_nodes; i++) {
        for (unsigned k = 0; k < s->nodes[i].n_pus; k++)
            ret->node_of[s->pus[s->nodes[i].first_pu + k]] = i;
    }
    for (unsigned i = s->n_nodes; i-- > 0;) {
        const struct topo_node *n = &s->nodes[i], *up = &s->nodes[n->parent];
        double own = cost_of(costs, n), *outer = &ret->cost[n->parent];
        ret->cost[i] = own > ret->cost[i] ? own : ret->cost[i];
        own = ret->cost[i];
        if (n->kind < GM_CORE && n->n_pus < up->n_pus && cost_of(costs, up) <= own)
            own = next_above(costs, own);
        *outer = own > *outer ? own : *outer;
    }
}

static const struct index *index_of(struct building *b, unsigned host)
{
    unsigned shape = b->tree->hosts[host].shape;
    struct index *x = &b->indices[shape];
    if (x->cost == NULL)
        index_shape(&b->tree->shapes[shape], b->costs, x);
    if (x->cost[0] >= b->network)
        b->network = 1.5 * x->cost[0];
    return x;
}

/* The smallest node around both. */
static uint32_t join(const struct topo_node *nodes, uint32_t a, uint32_t b)
{
    while (b < a || b >= nodes[a].end)
        a = nodes[a].parent;
    return a;
}

static uint32_t seat_node(struct building *b, const struct place_seat *seat)
{
    const struct topo_node *nodes = restree_shape(b->tree, seat->host)->nodes;
    const struct index *x = index_of(b, seat->host);
    int64_t pu = seat->pus != NULL ? idset_next(seat->pus, 0) : -1;
    uint32_t node = pu >= 0 && pu < x->n_ids ? x->node_of[pu] : 0;
    for (; pu >= 0; pu = idset_next(seat->pus, (unsigned)pu + 1))
        node = pu < x->n_ids ? join(nodes, node, x->node_of[pu]) : 0;
    return node;
}

static int by_place(const void *a, const void *b)
{
    const struct key *x = a, *y = b;
    if (x->host != y->host)
        return x->host < y->host ? -1 : 1;
    if (x->node != y->node)
        return x->node < y->node ? -1 : 1;
    return x->seat < y->seat ? -1 : x->seat > y->seat;
}

/* The end of the run that begins at `from` and stands on one host, or below one child of
 * `node`. */
static unsigned
run_end(const struct building *b, bool hosts, uint32_t node, unsigned from, unsigned end)
{
    const struct key *first = &b->keys[from];
    const struct topo_node *nodes = restree_shape(b->tree, first->host)->nodes;
    uint32_t child = first->node;
    while (!hosts && nodes[child].parent != node)
        child = nodes[child].parent;
    unsigned i = from + 1;
    while (i < end && b->keys[i].host == first->host &&
           (hosts || b->keys[i].node < nodes[child].end))
        i++;
    return i;
}

/* The domain of keys[first .. end), and those below it. As deep as the machine. */
static void
build(struct building *b, unsigned first, unsigned end, uint32_t parent, uint32_t depth)
{
    const struct key *a = &b->keys[first], *z = &b->keys[end - 1];
    bool hosts = a->host != z->host;
    uint32_t id = b->out->n_domains++, node = 0;
    if (!hosts)
        node = join(restree_shape(b->tree, a->host)->nodes, a->node, z->node);
    b->out->domains[id] = (struct comm_domain){
        .parent = parent,
        .depth = depth,
        .first = first,
        .end = end,
        .cost = hosts ? b->network : index_of(b, a->host)->cost[node],
    };
    for (unsigned i = first, next; i < end; i = next) {
        bool here = !hosts && b->keys[i].node == node;
        next = here ? i + 1 : run_end(b, hosts, node, i, end);
        if (next - i > 1)
            build(b, i, next, id, depth + 1);
        else
            b->out->domain[b->keys[i].seat] = id;
    }
}

struct comm_tree *comm_tree_make(const struct restree *tree,
                                 const struct place_seat *seats,
                                 unsigned n_seats,
                                 const struct comm_costs *costs)
{
    struct comm_tree *t = xcalloc(1, sizeof(*t));
    AUTO_FREE(struct index) indices = xcalloc(tree->n_shapes, sizeof(*indices));
    AUTO_FREE(struct key) keys = xcalloc(n_seats, sizeof(*keys));
    struct building b = {tree, costs, indices, keys, t, costs->network};
    t->n_seats = n_seats;
    t->domain = xcalloc(n_seats, sizeof(*t->domain));
    t->order = xcalloc(n_seats, sizeof(*t->order));
    t->domains = xcalloc(n_seats, sizeof(*t->domains)); /* each splits off two or more */
    for (unsigned i = 0; i < n_seats; i++)
        keys[i] = (struct key){seats[i].host, seat_node(&b, &seats[i]), i};
    qsort(keys, n_seats, sizeof(*keys), by_place);
    for (unsigned i = 0; i < n_seats; i++)
        t->order[i] = keys[i].seat;
    if (n_seats > 0)
        build(&b, 0, n_seats, 0, 0);
    for (unsigned i = 0; i < tree->n_shapes; i++) {
        free(indices[i].node_of);
        free(indices[i].cost);
    }
    return t;
}

void comm_tree_free(struct comm_tree *t)
{
    if (t == NULL)
        return;
    free(t->domain);
    free(t->order);
    free(t->domains);
    free(t);
}

double comm_tree_distance(const struct comm_tree *t, uint32_t a, uint32_t b)
{
    const struct comm_domain *d = t->domains;
    while (a != b) {
        if (d[a].depth >= d[b].depth)
            a = d[a].parent;
        else
            b = d[b].parent;
    }
    return d[a].cost;
}

double comm_tree_hop_bytes(const struct comm_tree *t,
                           const struct comm_graph *g,
                           const uint32_t *at)
{
    double sum = 0;
    for (uint32_t r = 0; r < g->n; r++) {
        for (uint32_t e = g->first[r]; e < g->first[r + 1]; e++) {
            const struct comm_edge *to = &g->edges[e];
            if (to->to > r)
                sum += (double)to->weight * comm_tree_distance(t, at[r], at[to->to]);
        }
    }
    return sum;
}
