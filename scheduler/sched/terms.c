/* See terms.h. The formulas and weights of docs/design/placement.md. */
#include "terms.h"
#include "base/memory.h"
#include "gridmill/kernel.h"
#include "near.h"

const double terms_weights[SCORE_N_TERMS] = {
    [SCORE_STRADDLE] = 8,
    [SCORE_GPU] = 4,
    [SCORE_MEMORY] = 2,
    [SCORE_COMM] = 2,
    [SCORE_SMT] = 2,
    [SCORE_KIND] = 1,
    [SCORE_FRAGMENT] = 0.25,
};

/* Memory-bound ranks are slowed by whoever shares their controller. Those that speak to
 * each other do not want to be apart. All others gain a little by having more to
 * themselves. */
static void want_apart(const struct place_request *req, double *ret)
{
    if ((req->traits & GM_BOUND_MEMORY) != 0) {
        ret[TALLY_NUMA] = 1;
        ret[TALLY_PACKAGE] = ret[TALLY_L3] = ret[TALLY_L2] = 0.25;
    } else if ((req->traits & GM_BOUND_COMM) == 0 && !req->grouped) {
        ret[TALLY_NUMA] = ret[TALLY_PACKAGE] = 0.25;
        ret[TALLY_L3] = ret[TALLY_L2] = 0.25;
    }
}

static double square(double x)
{
    return x * x;
}

/* The least sum of squares of n over k domains. */
static double even(uint64_t n, uint64_t k)
{
    if (k == 0)
        return 0;
    uint64_t q = n / k, r = n % k;
    return (double)r * square((double)q + 1) + (double)(k - r) * square((double)q);
}

/* PUs of one speed, all in all, and what each of them loses. */
struct speed {
    double lost;
    uint64_t pus;
};

static int by_loss(const void *a, const void *b)
{
    double x = ((const struct speed *)a)->lost, y = ((const struct speed *)b)->lost;
    return x < y ? -1 : x > y;
}

static void add_speeds(const struct topo_shape *s, uint64_t hosts, struct speed *speeds)
{
    for (unsigned i = 0; i < s->n_nodes; i++) {
        if (s->nodes[i].kind != GM_CORE)
            continue;
        unsigned top = s->n_kinds > 1 ? s->n_kinds - 1 : 0, trait = s->nodes[i].trait;
        trait = trait < top ? trait : top;
        speeds[trait].lost = top > 0 ? (double)(top - trait) / top : 0;
        speeds[trait].pus += hosts * s->nodes[i].n_pus;
    }
}

/* Ranks with the fastest PUs of all, `each` of them: the sum of their means. */
static double least_slow(const struct restree *tree,
                         const uint64_t *hosts,
                         uint64_t n_ranks,
                         uint64_t each)
{
    unsigned n = 0, at = 0;
    for (unsigned i = 0; i < tree->n_shapes; i++)
        n += tree->shapes[i].n_kinds > 1 ? tree->shapes[i].n_kinds : 1;
    AUTO_FREE(struct speed) speeds = xcalloc(n, sizeof(*speeds));
    for (unsigned i = 0; i < tree->n_shapes; i++) {
        add_speeds(&tree->shapes[i], hosts[i], &speeds[at]);
        at += tree->shapes[i].n_kinds > 1 ? tree->shapes[i].n_kinds : 1;
    }
    qsort(speeds, n, sizeof(*speeds), by_loss);
    double sum = 0;
    uint64_t left = n_ranks * each;
    for (unsigned i = 0; i < n && left > 0; i++) {
        uint64_t part = speeds[i].pus < left ? speeds[i].pus : left;
        sum += speeds[i].lost * (double)part;
        left -= part;
    }
    return each > 0 ? sum / (double)each : 0;
}

/* PUs that a rank has at least. */
static unsigned least_pus(const struct restree *tree,
                          const struct place_request *req,
                          const struct placement *p)
{
    unsigned least = UINT32_MAX;
    if (req->threads > 0)
        return req->threads;
    for (unsigned r = 0; req->cores == 0 && r < p->n_ranks; r++) {
        unsigned n = idset_count(p->seats[r].pus);
        least = n < least ? n : least;
    }
    for (unsigned i = 0; req->cores > 0 && i < tree->n_shapes; i++) {
        const struct topo_shape *s = &tree->shapes[i];
        for (unsigned k = 0; k < s->n_nodes; k++) {
            if (s->nodes[k].kind == GM_CORE && s->nodes[k].n_pus * req->cores < least)
                least = s->nodes[k].n_pus * req->cores;
        }
    }
    return least;
}

struct terms terms_make(const struct restree *tree,
                        const struct place_request *req,
                        const struct placement *p)
{
    unsigned n_ranks = p->n_ranks, pus_each = least_pus(tree, req, p);
    struct terms t = {.req = req, .n_ranks = n_ranks};
    AUTO_FREE(uint64_t) hosts = xcalloc(tree->n_shapes, sizeof(*hosts));
    uint64_t domains[TALLY_N_KINDS] = {0}, cores = 0;
    unsigned need[TALLY_N_KINDS];
    bool hybrid = false;
    for (unsigned h = 0; h < tree->n_hosts; h++)
        hosts[tree->hosts[h].shape]++;
    for (unsigned k = 0; k < TALLY_N_KINDS; k++)
        need[k] = UINT32_MAX;
    for (unsigned i = 0; i < tree->n_shapes; i++) {
        const struct topo_shape *s = &tree->shapes[i];
        struct tally_shape *f = tally_shape_make(s, req);
        for (unsigned k = 0; k < TALLY_N_KINDS; k++) {
            unsigned n = tally_need(f, (enum tally_kind)k, pus_each);
            domains[k] += hosts[i] * tally_domains(f, (enum tally_kind)k);
            need[k] = n < need[k] ? n : need[k];
        }
        tally_shape_free(f);
        cores += hosts[i] * s->n_cores;
        hybrid = hybrid || s->n_kinds > 1;
    }
    want_apart(req, t.apart);
    for (unsigned k = 0; k < TALLY_N_KINDS; k++)
        t.crowd[k] = even((uint64_t)n_ranks * need[k], domains[k]);
    uint64_t pus = (uint64_t)n_ranks * req->threads;
    t.siblings = pus > cores ? (double)(pus - cores) / (double)pus : 0;
    t.slow = hybrid ? least_slow(tree, hosts, n_ranks, pus_each) : 0;
    return t;
}

static double above(double x, double least)
{
    return x > least ? x - least : 0;
}

void terms_fill(const struct terms *t, const struct tally_sums *sums, struct score *ret)
{
    double n = t->n_ranks;
    ret->term[SCORE_STRADDLE] = sums->straddle / n;
    ret->term[SCORE_GPU] = sums->gpu / n;
    ret->term[SCORE_KIND] = above(sums->slow, t->slow) / n;
    ret->term[SCORE_MEMORY] = 0;
    for (unsigned k = 0; k < TALLY_N_KINDS; k++) {
        if (t->crowd[k] > 0)
            ret->term[SCORE_MEMORY] +=
                t->apart[k] * above(sums->crowd[k] / t->crowd[k], 1);
    }
    ret->term[SCORE_SMT] = 0;
    if (t->req->threads > 0 && (t->req->traits & GM_BOUND_COMPUTE) != 0 && sums->pus > 0)
        ret->term[SCORE_SMT] =
            above((double)sums->siblings / (double)sums->pus, t->siblings);
    ret->total = 0;
    for (unsigned i = 0; i < SCORE_N_TERMS; i++)
        ret->total += terms_weights[i] * ret->term[i];
}

struct comm_graph *terms_groups(const struct place_request *req, unsigned n_ranks)
{
    struct comm_graph *g = NULL;
    const struct pattern tree = {.kind = PATTERN_TREE, .group = req->group};
    if (req->grouped && n_ranks > 1)
        (void)comm_graph_make(&tree, n_ranks, &g, NULL);
    return g;
}

double terms_gpus_apart(const struct restree *tree,
                        const struct place_seat *a,
                        const struct place_seat *b)
{
    double sum = 0;
    if (a->gpus == NULL || b->gpus == NULL)
        return 0;
    unsigned n = idset_count(a->gpus) * idset_count(b->gpus);
    if (n == 0 || a->host != b->host)
        return n == 0 ? 0 : 3; /* no link, and not in one machine */
    for (int64_t g = idset_next(a->gpus, 0); g >= 0;
         g = idset_next(a->gpus, (unsigned)g + 1)) {
        for (int64_t h = idset_next(b->gpus, 0); h >= 0;
             h = idset_next(b->gpus, (unsigned)h + 1))
            sum +=
                g == h
                    ? 0
                    : near_gpus(restree_shape(tree, a->host), (unsigned)g, (unsigned)h);
    }
    return sum / n;
}
