/* See comm_swap.h. For every rank and class it is known what the rank's bytes would cost
 * there, and for every two classes which rank gains most by going from the one to the
 * other. Two ranks that say nothing to each other then gain together what each gains
 * alone, so the best swap is found by looking at pairs of classes; only where the best
 * two do speak are the others of those classes looked at. A swap changes its two ranks'
 * neighbours alone.
 *
 * Invariant: cost[r][c] is the sum over r's neighbours of weight x distance from c. */
#include "base/memory.h"
#include "comm_swap.h"
#include <math.h>
#include <string.h>

#define NONE UINT32_MAX

struct tabu {
    const struct comm_swap *s;
    const struct comm_graph *g;
    unsigned n, n_classes;
    uint32_t *at, *slot;       /* [n]: the class, and the place among its members */
    uint32_t *members, *first; /* class c's ranks: members[first[c] .. first[c + 1]) */
    double *cost;              /* [n][n_classes] */
    uint32_t *barred;          /* [n][n_classes]: not there before this swap */
    struct best {
        double gain; /* what the cost changes by: the lower, the better */
        uint32_t rank;
    } * best; /* [n_classes][n_classes] */
    unsigned now;
    uint64_t seed;
};

struct swap {
    uint32_t a, b;
    double gain;
};

static const double *row(const struct tabu *t, uint32_t class)
{
    return &t->s->distance[(size_t) class * t->n_classes];
}

static double *costs(const struct tabu *t, uint32_t rank)
{
    return &t->cost[(size_t)rank * t->n_classes];
}

static bool may(const struct tabu *t, uint32_t rank, uint32_t class)
{
    return t->barred[(size_t)rank * t->n_classes + class] <= t->now;
}

static double weight_of(const struct comm_graph *g, uint32_t a, uint32_t b)
{
    uint32_t from = g->first[a], end = g->first[a + 1];
    while (from < end) {
        uint32_t mid = from + (end - from) / 2;
        if (g->edges[mid].to == b)
            return (double)g->edges[mid].weight;
        if (g->edges[mid].to < b)
            from = mid + 1;
        else
            end = mid;
    }
    return 0;
}

/* What a swap gains less for its two ranks' own bytes, which stay as far as they were. */
static double shared(const struct tabu *t, uint32_t a, uint32_t b)
{
    uint32_t p = t->at[a], q = t->at[b];
    return weight_of(t->g, a, b) * (2 * row(t, p)[q] - row(t, p)[p] - row(t, q)[q]);
}

/* Of all members of a class, the one that gains most by going to another. */
static void find_one(struct tabu *t, uint32_t from, uint32_t to)
{
    struct best found = {INFINITY, NONE};
    for (uint32_t i = t->first[from]; i < t->first[from + 1]; i++) {
        uint32_t r = t->members[i];
        double gain = costs(t, r)[to] - costs(t, r)[from];
        if (gain < found.gain && may(t, r, to))
            found = (struct best){gain, r};
    }
    t->best[(size_t)from * t->n_classes + to] = found;
}

static void find_all(struct tabu *t, uint32_t from)
{
    struct best *best = &t->best[(size_t)from * t->n_classes];
    for (unsigned c = 0; c < t->n_classes; c++)
        best[c] = (struct best){INFINITY, NONE};
    for (uint32_t i = t->first[from]; i < t->first[from + 1]; i++) {
        uint32_t r = t->members[i];
        const double *cost = costs(t, r);
        for (unsigned c = 0; c < t->n_classes; c++) {
            if (cost[c] - cost[from] < best[c].gain && may(t, r, c))
                best[c] = (struct best){cost[c] - cost[from], r};
        }
    }
}

/* A rank's costs have changed, and no other's of its class. */
static void look_again(struct tabu *t, uint32_t rank)
{
    uint32_t from = t->at[rank];
    struct best *best = &t->best[(size_t)from * t->n_classes];
    const double *cost = costs(t, rank);
    double here = cost[from];
    for (unsigned c = 0; c < t->n_classes; c++) {
        double gain = cost[c] - here;
        if (gain <= best[c].gain && may(t, rank, c))
            best[c] = (struct best){gain, rank};
        else if (best[c].rank == rank)
            find_one(t, from, c);
    }
}

/* The best swap between the members of two classes, one by one. */
static void look_closely(const struct tabu *t, uint32_t p, uint32_t q, struct swap *ret)
{
    for (uint32_t i = t->first[p]; i < t->first[p + 1]; i++) {
        uint32_t a = t->members[i];
        double out = costs(t, a)[q] - costs(t, a)[p];
        if (!may(t, a, q))
            continue;
        for (uint32_t k = t->first[q]; k < t->first[q + 1]; k++) {
            uint32_t b = t->members[k];
            double gain = out + costs(t, b)[p] - costs(t, b)[q];
            if (gain < ret->gain && may(t, b, p)) {
                gain += shared(t, a, b);
                if (gain < ret->gain)
                    *ret = (struct swap){a, b, gain};
            }
        }
    }
}

static struct swap choose(const struct tabu *t)
{
    struct swap found = {NONE, NONE, INFINITY};
    for (uint32_t p = 0; p < t->n_classes; p++) {
        const struct best *out = &t->best[(size_t)p * t->n_classes];
        for (uint32_t q = p + 1; q < t->n_classes; q++) {
            const struct best *in = &t->best[(size_t)q * t->n_classes + p];
            if (!(out[q].gain + in->gain < found.gain) ||
                t->s->classes[p].kind != t->s->classes[q].kind)
                continue;
            double less = shared(t, out[q].rank, in->rank);
            if (less == 0)
                found = (struct swap){out[q].rank, in->rank, out[q].gain + in->gain};
            else
                look_closely(t, p, q, &found);
        }
    }
    return found;
}

/* A rank's neighbours see it go from p to q. */
static void tell(struct tabu *t, uint32_t rank, uint32_t p, uint32_t q)
{
    const struct comm_graph *g = t->g;
    const double *from = row(t, p), *to = row(t, q);
    for (uint32_t e = g->first[rank]; e < g->first[rank + 1]; e++) {
        double weight = (double)g->edges[e].weight, *cost = costs(t, g->edges[e].to);
        for (unsigned c = 0; c < t->n_classes; c++)
            cost[c] += weight * (to[c] - from[c]);
    }
}

/* Its neighbours, where their class is not looked at as a whole. */
static void look_around(struct tabu *t, uint32_t rank, uint32_t p, uint32_t q)
{
    const struct comm_graph *g = t->g;
    for (uint32_t e = g->first[rank]; e < g->first[rank + 1]; e++) {
        uint32_t at = t->at[g->edges[e].to];
        if (at != p && at != q)
            look_again(t, g->edges[e].to);
    }
}

static uint64_t draw(uint64_t *seed)
{
    *seed ^= *seed << 13; /* xorshift64 */
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

static void apply(struct tabu *t, const struct swap *s)
{
    uint32_t p = t->at[s->a], q = t->at[s->b], slot = t->slot[s->a];
    tell(t, s->a, p, q);
    tell(t, s->b, q, p);
    t->at[s->a] = q;
    t->at[s->b] = p;
    t->slot[s->a] = t->slot[s->b];
    t->slot[s->b] = slot;
    t->members[t->slot[s->a]] = s->a;
    t->members[t->slot[s->b]] = s->b;
    uint64_t tenure = 3 + t->n / 16;
    t->barred[(size_t)s->a * t->n_classes + p] =
        t->now + (uint32_t)(tenure + draw(&t->seed) % (2 * tenure));
    t->barred[(size_t)s->b * t->n_classes + q] =
        t->now + (uint32_t)(tenure + draw(&t->seed) % (2 * tenure));
    look_around(t, s->a, p, q);
    look_around(t, s->b, p, q);
    find_all(t, p);
    find_all(t, q);
}

static void make(struct tabu *t)
{
    const struct comm_graph *g = t->g;
    for (uint32_t r = 0; r < t->n; r++)
        t->first[t->at[r] + 1]++;
    for (unsigned c = 0; c < t->n_classes; c++)
        t->first[c + 1] += t->first[c];
    AUTO_FREE(uint32_t) next = xcalloc(t->n_classes, sizeof(*next));
    for (uint32_t r = 0; r < t->n; r++) {
        t->slot[r] = t->first[t->at[r]] + next[t->at[r]]++;
        t->members[t->slot[r]] = r;
        double *cost = costs(t, r);
        for (uint32_t e = g->first[r]; e < g->first[r + 1]; e++) {
            const double *there = row(t, t->at[g->edges[e].to]);
            for (unsigned c = 0; c < t->n_classes; c++)
                cost[c] += (double)g->edges[e].weight * there[c];
        }
    }
    for (uint32_t c = 0; c < t->n_classes; c++)
        find_all(t, c);
}

void comm_swap_tabu(const struct comm_swap *s,
                    unsigned n_swaps,
                    uint64_t seed,
                    uint32_t *at)
{
    unsigned n = s->graph->n, k = s->n_classes;
    AUTO_FREE(uint32_t) mine = xcalloc(n, sizeof(*mine));
    AUTO_FREE(uint32_t) slot = xcalloc(n, sizeof(*slot));
    AUTO_FREE(uint32_t) members = xcalloc(n, sizeof(*members));
    AUTO_FREE(uint32_t) first = xcalloc((size_t)k + 1, sizeof(*first));
    AUTO_FREE(double) cost = xcalloc(xmul(n, k), sizeof(*cost));
    AUTO_FREE(uint32_t) barred = xcalloc(xmul(n, k), sizeof(*barred));
    AUTO_FREE(struct best) best = xcalloc(xmul(k, k), sizeof(*best));
    struct tabu t = {
        s, s->graph, n, k, mine, slot, members, first, cost, barred, best, 1, seed};
    double sum = 0, least = 0;
    memcpy(mine, at, n * sizeof(*mine));
    make(&t);
    for (; t.now <= n_swaps; t.now++) {
        struct swap found = choose(&t);
        if (found.a == NONE)
            break;
        apply(&t, &found);
        sum += found.gain;
        if (sum < least - s->least) {
            least = sum;
            memcpy(at, mine, n * sizeof(*at));
        }
    }
}
