/* See tally.h. Invariant: removing what was added leaves the sums as they were (up to
 * rounding): both are one walk, with its sign. */
#include "tally.h"
#include "base/memory.h"
#include "near.h"
#include <assert.h>

/* What crossing one domain more than needed costs, and one left in pieces. */
static const double straddle_cost[TALLY_N_KINDS] = {0.25, 1, 2, 4};
static const double fragment_cost[TALLY_N_KINDS] = {0.25, 0.5, 1, 1};
static const double core_fragment_cost = 0.25;
static const double mixed_cost = 0.5;

struct tally_shape {
    unsigned *place;                /* [n_ids] OS index -> its place in shape->pus */
    unsigned *core;                 /* [n_pus] place -> core */
    unsigned *sizes[TALLY_N_KINDS]; /* PUs of the domains, the largest first */
    unsigned n[TALLY_N_KINDS];
    double gpu_least; /* what the best slot of the empty host costs at least */
    unsigned fastest; /* the fastest class of cores */
};

enum tally_kind tally_kind_of(const struct topo_node *n)
{
    if (n->n_pus == 0)
        return TALLY_N_KINDS;
    switch (n->kind) {
    case GM_CACHE:
        return n->level < 3 ? TALLY_L2 : TALLY_L3;
    case GM_NUMA:
        return TALLY_NUMA;
    case GM_PACKAGE:
        return TALLY_PACKAGE;
    default:
        return TALLY_N_KINDS;
    }
}

static int descending(const void *a, const void *b)
{
    unsigned x = *(const unsigned *)a, y = *(const unsigned *)b;
    return x > y ? -1 : x < y;
}

static void measure_domains(struct tally_shape *f, const struct topo_shape *shape)
{
    for (unsigned k = 0; k < TALLY_N_KINDS; k++)
        f->sizes[k] = xcalloc(shape->n_nodes, sizeof(*f->sizes[k]));
    for (unsigned i = 0; i < shape->n_nodes; i++) {
        enum tally_kind kind = tally_kind_of(&shape->nodes[i]);
        if (kind < TALLY_N_KINDS)
            f->sizes[kind][f->n[kind]++] = shape->nodes[i].n_pus;
    }
    for (unsigned k = 0; k < TALLY_N_KINDS; k++)
        qsort(f->sizes[k], f->n[k], sizeof(*f->sizes[k]), descending);
}

unsigned tally_need(const struct tally_shape *f, enum tally_kind kind, unsigned pus)
{
    unsigned k = 0;
    for (uint64_t sum = 0; k < f->n[kind] && sum < pus; k++)
        sum += f->sizes[kind][k];
    return k;
}

unsigned tally_domains(const struct tally_shape *f, enum tally_kind kind)
{
    return f->n[kind];
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

/* The mean of the n least. */
static double mean_of_least(double *costs, unsigned all, unsigned n)
{
    double sum = 0;
    qsort(costs, all, sizeof(*costs), ascending);
    for (unsigned i = 0; i < n; i++)
        sum += costs[i];
    return n > 0 ? sum / n : 0;
}

/* No slot has its GPUs nearer to a core than the core that is nearest to so many. */
static double bound_to_cores(const struct topo_shape *shape, unsigned gpus, double *costs)
{
    double least = 1e300;
    for (unsigned i = 0; i < shape->n_nodes; i++) {
        if (shape->nodes[i].kind != GM_CORE)
            continue;
        for (unsigned g = 0; g < shape->n_gpus; g++)
            costs[g] = near_gpu_core(shape, g, i);
        double mean = mean_of_least(costs, shape->n_gpus, gpus);
        least = mean < least ? mean : least;
    }
    return least;
}

/* Nor nearer to each other than the one with the nearest so many neighbours. */
static double bound_of_pairs(const struct topo_shape *shape, unsigned gpus, double *costs)
{
    double least = 1e300;
    for (unsigned a = 0; a < shape->n_gpus; a++) {
        unsigned n = 0;
        for (unsigned b = 0; b < shape->n_gpus; b++) {
            if (b != a)
                costs[n++] = near_gpus(shape, a, b);
        }
        double mean = mean_of_least(costs, n, gpus - 1);
        least = mean < least ? mean : least;
    }
    return least;
}

static double gpu_bound(const struct topo_shape *shape, unsigned gpus)
{
    if (gpus == 0 || gpus > shape->n_gpus)
        return 0;
    AUTO_FREE(double) costs = xcalloc(shape->n_gpus, sizeof(*costs));
    double cores = bound_to_cores(shape, gpus, costs);
    return cores + (gpus > 1 ? bound_of_pairs(shape, gpus, costs) : 0);
}

struct tally_shape *tally_shape_make(const struct topo_shape *shape,
                                     const struct place_request *req)
{
    struct tally_shape *f = xcalloc(1, sizeof(*f));
    unsigned n_ids = 0;
    for (unsigned i = 0; i < shape->n_pus; i++)
        n_ids = shape->pus[i] >= n_ids ? shape->pus[i] + 1 : n_ids;
    f->place = xcalloc(n_ids, sizeof(*f->place));
    for (unsigned i = 0; i < shape->n_pus; i++)
        f->place[shape->pus[i]] = i;
    f->core = near_cores(shape);
    measure_domains(f, shape);
    f->gpu_least = gpu_bound(shape, req->gpus);
    f->fastest = shape->n_kinds > 1 ? shape->n_kinds - 1 : 0;
    return f;
}

void tally_shape_free(struct tally_shape *f)
{
    if (f == NULL)
        return;
    free(f->place);
    free(f->core);
    for (unsigned k = 0; k < TALLY_N_KINDS; k++)
        free(f->sizes[k]);
    free(f);
}

void tally_open(struct tally *t,
                const struct topo_shape *shape,
                const struct tally_shape *fixed)
{
    unsigned n = shape->n_nodes;
    *t = (struct tally){.shape = shape,
                        .fixed = fixed,
                        .ranks = xcalloc(n, sizeof(*t->ranks)),
                        .used = xcalloc(n, sizeof(*t->used)),
                        .stamp = xcalloc(n, sizeof(*t->stamp))};
}

void tally_close(struct tally *t)
{
    free(t->ranks);
    free(t->used);
    free(t->stamp);
    *t = (struct tally){0};
}

/* A rank more (sign 1) or less (-1) in a domain. */
static void count_domain(struct tally *t, unsigned node, enum tally_kind kind, int sign)
{
    unsigned before = t->ranks[node];
    unsigned after = sign > 0 ? before + 1 : before - 1;
    t->ranks[node] = after;
    t->sums.crowd[kind] += (double)after * after - (double)before * before;
}

/* Up from a PU; domains that this seat has not been counted in yet are `touched`. */
static void count_pu(struct tally *t, unsigned place, int sign, unsigned *touched)
{
    const struct topo_node *nodes = t->shape->nodes;
    for (unsigned i = t->fixed->core[place];; i = nodes[i].parent) {
        enum tally_kind kind = tally_kind_of(&nodes[i]);
        t->used[i] = sign > 0 ? t->used[i] + 1 : t->used[i] - 1;
        if (kind < TALLY_N_KINDS && t->stamp[i] != t->n_stamps) {
            t->stamp[i] = t->n_stamps;
            touched[kind]++;
            count_domain(t, i, kind, sign);
        }
        if (i == 0)
            return;
    }
}

static double gpu_cost(const struct tally *t, const struct place_seat *seat)
{
    double cores = 0, pairs = 0;
    unsigned n = seat->gpus != NULL ? idset_count(seat->gpus) : 0;
    unsigned pus = idset_count(seat->pus);
    if (n == 0 || pus == 0)
        return 0;
    for (int64_t g = idset_next(seat->gpus, 0); g >= 0;
         g = idset_next(seat->gpus, (unsigned)g + 1)) {
        for (int64_t i = idset_next(seat->pus, 0); i >= 0;
             i = idset_next(seat->pus, (unsigned)i + 1))
            cores +=
                near_gpu_core(t->shape, (unsigned)g, t->fixed->core[t->fixed->place[i]]);
        for (int64_t h = idset_next(seat->gpus, (unsigned)g + 1); h >= 0;
             h = idset_next(seat->gpus, (unsigned)h + 1))
            pairs += near_gpus(t->shape, (unsigned)g, (unsigned)h);
    }
    cores /= (double)n * pus;
    if (n > 1)
        pairs /= (double)n * (n - 1) / 2;
    double lost = cores + pairs - t->fixed->gpu_least;
    return lost > 0 ? lost : 0;
}

static void count_seat(struct tally *t, const struct place_seat *seat, int sign)
{
    unsigned touched[TALLY_N_KINDS] = {0}, slowest = UINT32_MAX, fastest = 0, n = 0;
    double slow = 0;
    t->n_stamps++;
    for (int64_t i = idset_next(seat->pus, 0); i >= 0;
         i = idset_next(seat->pus, (unsigned)i + 1)) {
        unsigned place = t->fixed->place[i], core = t->fixed->core[place];
        unsigned trait = t->shape->nodes[core].trait;
        /* Cores whose PUs are shared out: the first is nobody's sibling. */
        bool sibling = sign > 0 ? t->used[core] > 0 : t->used[core] > 1;
        t->sums.siblings += sibling ? (uint64_t)(int64_t)sign : 0;
        count_pu(t, place, sign, touched);
        slow +=
            t->fixed->fastest - (trait < t->fixed->fastest ? trait : t->fixed->fastest);
        slowest = trait < slowest ? trait : slowest;
        fastest = trait > fastest ? trait : fastest;
        n++;
    }
    t->sums.pus += (uint64_t)(int64_t)sign * n;
    for (unsigned k = 0; k < TALLY_N_KINDS; k++) {
        unsigned need = tally_need(t->fixed, (enum tally_kind)k, n);
        if (touched[k] > need)
            t->sums.straddle += sign * straddle_cost[k] * (touched[k] - need);
    }
    if (n > 0 && t->fixed->fastest > 0)
        t->sums.slow +=
            sign * (slow / n / t->fixed->fastest + (slowest < fastest ? mixed_cost : 0));
    t->sums.gpu += sign * gpu_cost(t, seat);
}

void tally_add(struct tally *t, const struct place_seat *seat)
{
    count_seat(t, seat, 1);
}

void tally_remove(struct tally *t, const struct place_seat *seat)
{
    count_seat(t, seat, -1);
}

double tally_fragments(const struct tally *t, const struct occupancy *occ, unsigned host)
{
    double sum = 0;
    for (unsigned i = 0; i < t->shape->n_nodes; i++) {
        const struct topo_node *n = &t->shape->nodes[i];
        enum tally_kind kind = tally_kind_of(n);
        if (kind == TALLY_N_KINDS && n->kind != GM_CORE)
            continue;
        unsigned free = occupancy_free_pus(occ, host, i), used = t->used[i];
        free = used < free ? free - used : 0;
        if (free > 0 && free < n->n_pus)
            sum += n->kind == GM_CORE ? core_fragment_cost : fragment_cost[kind];
    }
    return sum;
}
