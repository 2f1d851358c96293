/* See refine.h. Branch and bound over the ranks of one host: each rank tries every slot
 * that there is (its cores out of the free ones, its GPUs out of the free ones), and a
 * branch ends where what its ranks lose already, and the least that the others can lose,
 * is no better than the best placement known. That one is, at first, what fill.c made.
 *
 * Ranks that speak to nobody are alike: they take slots in ascending order. Hosts with
 * more slots to try than MOST_SLOTS are left as they are, and a search that takes more
 * than MOST_STEPS ends with the best that it has.
 *
 * Invariant: no rank cuts a domain that has room for it, once those before it stand; and
 * the score never gets worse, by score_placement's own word. */
#include "refine.h"
#include "base/memory.h"
#include "slot.h"
#include "terms.h"
#include <assert.h>

enum { MOST_UNITS = 16, MOST_GPUS = 8, MOST_RANKS = 16, MOST_SLOTS = 500 };
enum { MOST_STEPS = 8000 };

struct candidate {
    uint32_t units, gpus; /* bits */
    struct place_seat seat;
};

struct search {
    const struct restree *tree;
    const struct occupancy *occ;
    const struct place_request *req;
    const struct topo_shape *shape;
    unsigned host, n_ranks, need;
    unsigned n_units;
    unsigned core[MOST_UNITS];        /* the node of a unit: a core, or a PU's core */
    struct idset *pus_of[MOST_UNITS]; /* of a unit */
    unsigned gpus[MOST_GPUS], n_gpus;
    struct candidate *slots;
    unsigned n_slots;
    struct comm_graph *groups; /* or NULL: ranks are alike */
    double weight;             /* of its edges */
    double between[MOST_UNITS][MOST_UNITS];
    struct terms terms;
    struct tally_shape *fixed;
    struct tally tally;
    struct tally_sums least; /* of one slot, the best in each */
    unsigned now[MOST_RANKS], best[MOST_RANKS];
    double best_total;
    unsigned steps;
    bool found;
};

/* ---- what there is ---- */

/* A core's: it as a whole, or each of its free PUs. False: they are too many. */
static bool add_units(struct search *s, unsigned core)
{
    const struct topo_node *n = &s->shape->nodes[core];
    bool whole = s->req->threads == 0;
    for (unsigned k = 0; k < n->n_pus; k++) {
        unsigned pu = s->shape->pus[n->first_pu + k];
        if (!occupancy_pu_free(s->occ, s->host, pu))
            continue;
        if (!whole || k == 0) {
            if (s->n_units == MOST_UNITS)
                return false;
            s->core[s->n_units] = core;
            s->pus_of[s->n_units++] = idset_make();
        }
        idset_add(s->pus_of[s->n_units - 1], pu);
    }
    return true;
}

static bool list_units(struct search *s)
{
    for (unsigned i = 0; i < s->shape->n_nodes; i++) {
        bool held = s->req->threads == 0 && occupancy_free_cores(s->occ, s->host, i) == 0;
        if (s->shape->nodes[i].kind == GM_CORE && !held && !add_units(s, i))
            return false;
    }
    for (unsigned g = 0; s->req->gpus > 0 && g < s->shape->n_gpus; g++) {
        if (!occupancy_gpu_free(s->occ, s->host, g))
            continue;
        if (s->n_gpus == MOST_GPUS)
            return false;
        s->gpus[s->n_gpus++] = g;
    }
    return true;
}

static unsigned ways(unsigned n, unsigned k)
{
    uint64_t c = 1;
    for (unsigned i = 0; i < k; i++)
        c = c * (n - i) / (i + 1);
    return k > n ? 0 : (unsigned)c;
}

static void add_slot(struct search *s, uint32_t units, uint32_t gpus)
{
    struct candidate *c = &s->slots[s->n_slots++];
    *c = (struct candidate){.units = units, .gpus = gpus};
    c->seat =
        (struct place_seat){.host = s->host, .pus = idset_make(), .gpus = idset_make()};
    for (unsigned i = 0; i < s->n_units; i++) {
        if ((units >> i & 1) != 0)
            idset_unite(c->seat.pus, s->pus_of[i]);
    }
    for (unsigned i = 0; i < s->n_gpus; i++) {
        if ((gpus >> i & 1) != 0)
            idset_add(c->seat.gpus, s->gpus[i]);
    }
}

static unsigned bits(uint32_t mask)
{
    return (unsigned)__builtin_popcount(mask);
}

static void list_slots(struct search *s)
{
    s->slots = xcalloc(MOST_SLOTS, sizeof(*s->slots));
    for (uint32_t u = 1; u < 1u << s->n_units; u++) {
        for (uint32_t g = 0; bits(u) == s->need && g < 1u << s->n_gpus; g++) {
            if (bits(g) == s->req->gpus)
                add_slot(s, u, g);
        }
    }
}

/* The least that any slot loses, each thing by itself. */
static void measure_least(struct search *s)
{
    struct tally_sums least = {.straddle = 1e300, .gpu = 1e300, .slow = 1e300};
    for (unsigned i = 0; i < s->n_slots; i++) {
        tally_add(&s->tally, &s->slots[i].seat);
        const struct tally_sums *own = &s->tally.sums;
        least.straddle = own->straddle < least.straddle ? own->straddle : least.straddle;
        least.gpu = own->gpu < least.gpu ? own->gpu : least.gpu;
        least.slow = own->slow < least.slow ? own->slow : least.slow;
        for (unsigned k = 0; k < TALLY_N_KINDS; k++) /* of one rank: domains it is in */
            least.crowd[k] =
                i == 0 || own->crowd[k] < least.crowd[k] ? own->crowd[k] : least.crowd[k];
        tally_remove(&s->tally, &s->slots[i].seat);
        s->tally.sums = (struct tally_sums){0};
    }
    s->least = least;
}

static void measure_between(struct search *s)
{
    for (unsigned a = 0; a < s->n_units; a++) {
        for (unsigned b = 0; b < a; b++) {
            const struct place_seat x = {.host = s->host, .pus = s->pus_of[a]};
            const struct place_seat y = {.host = s->host, .pus = s->pus_of[b]};
            s->between[a][b] = s->between[b][a] = comm_distance(s->tree, &x, &y);
        }
    }
    for (unsigned r = 0; r < s->groups->n; r++) {
        for (uint32_t e = s->groups->first[r]; e < s->groups->first[r + 1]; e++)
            s->weight +=
                s->groups->edges[e].to > r ? (double)s->groups->edges[e].weight : 0;
    }
}

/* ---- bounds ---- */

/* The cost of the smallest domain around both: the greatest of any two units in it. */
static double distance(const struct search *s, uint32_t a, uint32_t b)
{
    uint32_t all = a | b;
    double most = 0;
    for (unsigned i = 0; i < s->n_units; i++) {
        for (unsigned k = 0; (all >> i & 1) != 0 && k < i; k++) {
            if ((all >> k & 1) != 0 && s->between[i][k] > most)
                most = s->between[i][k];
        }
    }
    return most;
}

/* What rank k adds by the edges to those before it, as part of the total. */
static double comm_of(const struct search *s, unsigned k)
{
    double sum = 0;
    if (s->weight <= 0)
        return 0;
    const struct candidate *own = &s->slots[s->now[k]];
    for (uint32_t e = s->groups->first[k]; e < s->groups->first[k + 1]; e++) {
        unsigned to = s->groups->edges[e].to;
        if (to >= k)
            continue;
        const struct candidate *other = &s->slots[s->now[to]];
        double way = distance(s, own->units, other->units) / TERMS_PACKAGES;
        double link = TERMS_LINKS * terms_gpus_apart(s->tree, &own->seat, &other->seat);
        sum += (double)s->groups->edges[e].weight *
               (terms_weights[SCORE_COMM] * way + terms_weights[SCORE_GPU] * link);
    }
    return sum / s->weight;
}

/* `left` more ranks in domains of a kind: the least sum of squares. */
static double crowd_with(const struct search *s, enum tally_kind kind, unsigned left)
{
    unsigned counts[64], n = 0;
    double sum = s->tally.sums.crowd[kind];
    for (unsigned i = 0; i < s->shape->n_nodes && n < 64; i++) {
        if (tally_kind_of(&s->shape->nodes[i]) == kind)
            counts[n++] = s->tally.ranks[i];
    }
    if (n == 64)
        return sum; /* still below what it will be */
    for (; left > 0 && n > 0; left--) {
        unsigned least = 0;
        for (unsigned i = 1; i < n; i++)
            least = counts[i] < counts[least] ? i : least;
        sum += 2.0 * counts[least]++ + 1;
    }
    return sum;
}

/* No placement that begins as this one does is better. */
static double bound(const struct search *s, unsigned k, double comm)
{
    struct tally_sums sums = s->tally.sums;
    unsigned left = s->n_ranks - k;
    sums.straddle += left * s->least.straddle;
    sums.gpu += left * s->least.gpu;
    sums.slow += left * s->least.slow;
    sums.pus = (uint64_t)s->n_ranks * s->req->threads;
    for (unsigned i = 0; i < TALLY_N_KINDS; i++) {
        unsigned more = left * (unsigned)s->least.crowd[i];
        if (s->terms.apart[i] > 0 && more > 0)
            sums.crowd[i] = crowd_with(s, (enum tally_kind)i, more);
    }
    struct score score = {0};
    terms_fill(&s->terms, &sums, &score);
    return score.total + comm;
}

/* ---- the search ---- */

/* Does a seat cut a domain that has room for it now? */
static bool cuts(const struct search *s, const struct occupancy *now, uint32_t units)
{
    for (unsigned i = 0; i < s->shape->n_nodes; i++) {
        unsigned in = 0;
        for (unsigned u = 0; u < s->n_units; u++)
            in += (units >> u & 1) != 0 && s->core[u] >= i &&
                  s->core[u] < s->shape->nodes[i].end;
        unsigned free = s->req->threads > 0 ? occupancy_free_pus(now, s->host, i)
                                            : occupancy_free_cores(now, s->host, i);
        if (in > 0 && in < s->need && free >= s->need)
            return true;
    }
    return false;
}

/* Puts those that cut last, where ranks are alike; false: some cut all the same. */
static bool settle(const struct search *s, unsigned *order)
{
    AUTO(occupancy) now = occupancy_dup(s->occ);
    bool done[MOST_RANKS] = {false};
    if (s->req->gpus > 0 || s->req->threads > 0)
        return true;
    for (unsigned k = 0; k < s->n_ranks; k++) {
        unsigned pick = s->n_ranks;
        for (unsigned i = 0; i < s->n_ranks && pick == s->n_ranks; i++) {
            bool may = !done[i] && (s->groups == NULL || i == k);
            if (may && !cuts(s, now, s->slots[s->now[i]].units))
                pick = i;
        }
        if (pick == s->n_ranks)
            return false;
        done[pick] = true;
        order[k] = s->now[pick];
        (void)occupancy_claim(now, s->host, s->slots[order[k]].seat.pus, NULL, NULL);
    }
    return true;
}

static void finish(struct search *s, double total)
{
    unsigned order[MOST_RANKS];
    total += terms_weights[SCORE_FRAGMENT] * tally_fragments(&s->tally, s->occ, s->host) /
             s->n_ranks;
    memcpy(order, s->now, sizeof(order));
    if (total >= s->best_total - 1e-9 || !settle(s, order))
        return;
    memcpy(s->best, order, sizeof(order));
    s->best_total = total;
    s->found = true;
}

/* As deep as there are ranks. */
static void
go_on(struct search *s, unsigned k, uint32_t units, uint32_t gpus, double comm)
{
    if (k == s->n_ranks) {
        finish(s, bound(s, k, comm));
        return;
    }
    unsigned from = s->groups == NULL && k > 0 ? s->now[k - 1] + 1 : 0;
    for (unsigned i = from; i < s->n_slots && s->steps < MOST_STEPS; i++) {
        const struct candidate *c = &s->slots[i];
        if ((c->units & units) != 0 || (c->gpus & gpus) != 0)
            continue;
        s->steps++;
        s->now[k] = i;
        tally_add(&s->tally, &c->seat);
        double more = comm + comm_of(s, k);
        if (bound(s, k + 1, more) < s->best_total - 1e-9)
            go_on(s, k + 1, units | c->units, gpus | c->gpus, more);
        tally_remove(&s->tally, &c->seat);
    }
}

/* ---- the whole ---- */

static void take_over(const struct search *s, struct placement *p)
{
    for (unsigned r = 0; r < p->n_ranks; r++) {
        const struct candidate *c = &s->slots[s->best[r]];
        struct place_seat *seat = &p->seats[r];
        struct str reason = {0};
        idset_free(seat->pus);
        idset_free(seat->gpus);
        idset_free(seat->mems);
        free(seat->reason);
        slot_where(s->shape, slot_around(s->shape, c->seat.pus), &reason);
        if (p->n_ranks == 1)
            str_add(&reason, ": loses the least of all places");
        else
            str_printf(&reason, ": all %u ranks together lose the least so", p->n_ranks);
        if (s->req->gpus > 0) {
            AUTO_FREE(char) gpus = idset_format(c->seat.gpus);
            str_printf(&reason, "; GPU %s", gpus);
        }
        *seat = (struct place_seat){.host = s->host,
                                    .pus = idset_dup(c->seat.pus),
                                    .gpus = idset_dup(c->seat.gpus),
                                    .mems = slot_mems(s->shape, c->seat.pus),
                                    .reason = str_steal(&reason)};
    }
}

static void clear(struct search *s)
{
    for (unsigned i = 0; i < s->n_units; i++)
        idset_free(s->pus_of[i]);
    for (unsigned i = 0; i < s->n_slots; i++) {
        idset_free(s->slots[i].seat.pus);
        idset_free(s->slots[i].seat.gpus);
    }
    free(s->slots);
    comm_graph_free(s->groups);
    tally_shape_free(s->fixed);
    tally_close(&s->tally);
}

/* Everything on one host, and few enough of it. */
static bool is_small(struct search *s, const struct placement *p)
{
    if (p->n_ranks == 0 || p->n_ranks > MOST_RANKS || p->oversubscribed ||
        s->req->memory > 0)
        return false;
    s->host = p->seats[0].host;
    for (unsigned r = 1; r < p->n_ranks; r++) {
        if (p->seats[r].host != s->host)
            return false;
    }
    s->shape = restree_shape(s->tree, s->host);
    s->n_ranks = p->n_ranks;
    s->need = s->req->threads > 0 ? s->req->threads
              : s->req->cores > 0 ? s->req->cores
                                  : 1;
    return list_units(s) &&
           (uint64_t)ways(s->n_units, s->need) * ways(s->n_gpus, s->req->gpus) <=
               MOST_SLOTS;
}

void refine_placement(const struct restree *tree,
                      const struct occupancy *occ,
                      const struct place_request *req,
                      struct placement *p)
{
    struct search s = {.tree = tree, .occ = occ, .req = req};
    if (is_small(&s, p)) {
        struct score before;
        score_placement(tree, occ, req, NULL, p, &before);
        s.best_total = before.total;
        s.terms = terms_make(tree, req, p);
        s.fixed = tally_shape_make(s.shape, req);
        tally_open(&s.tally, s.shape, s.fixed);
        s.groups = terms_groups(req, p->n_ranks);
        list_slots(&s);
        measure_least(&s);
        if (s.groups != NULL)
            measure_between(&s);
        go_on(&s, 0, 0, 0, 0);
        if (s.found)
            take_over(&s, p);
    }
    clear(&s);
}
