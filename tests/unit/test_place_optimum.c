/* sched/refine.h: what `auto` finds on one host is the best that there is, by the score
 * of sched/score.h: every placement is tried on small random machines (up to 8 cores,
 * GPUs, caches, cores left out, cores held). */
#include "sched/place.h"
#include "sched/score.h"

#include "gridmill/kernel.h"
#include <criterion/criterion.h>

enum { MOST_SEATS = 8, MOST_PLACEMENTS = 700 };

struct small {
    struct restree *tree;
    struct occupancy *occ;
    struct place_request req;
    char text[160];
};

static unsigned below(unsigned *seed, unsigned n)
{
    return (unsigned)rand_r(seed) % n;
}

/* Some of the PUs are left out, so that no two domains need be alike. */
static struct restree *
load(const char *text, unsigned *seed, bool holes, struct gm_error *err)
{
    struct restree *all = NULL, *tree = NULL;
    if (restree_load_synthetic(text, &all, err) != 0 || !holes)
        return all;
    const struct topo_shape *s = restree_shape(all, 0);
    AUTO(idset) cpus = idset_make();
    for (unsigned i = 0; i < s->n_pus; i++) {
        if (below(seed, 4) > 0 || i == 0)
            idset_add(cpus, s->pus[i]);
    }
    cr_assert_eq(restree_load_xml(s->xml, strlen(s->xml), "n0", cpus, &tree, err), 0);
    restree_free(all);
    return tree;
}

static void make_small(unsigned seed, struct small *ret)
{
    static const uint32_t traits[] = {
        0, GM_BOUND_COMPUTE, GM_BOUND_MEMORY, GM_BOUND_COMM};
    struct small c = {0};
    struct gm_error err = {0};
    unsigned packages = 1 + below(&seed, 2), caches = 1 + below(&seed, 2);
    unsigned cores = 1 + below(&seed, 8 / packages / caches), smt = 1 + below(&seed, 2);
    unsigned gpus = below(&seed, 3) == 0 ? 1 + below(&seed, 2) : 0;
    (void)snprintf(c.text,
                   sizeof(c.text),
                   "pack:%u numa:1 %sl3:%u core:%u pu:%u",
                   packages,
                   gpus == 2   ? "gpu:2 "
                   : gpus == 1 ? "gpu:1 "
                               : "",
                   caches,
                   cores,
                   smt);
    c.tree = load(c.text, &seed, gpus == 0 && below(&seed, 3) == 0, &err);
    cr_assert_not_null(c.tree, "%s: %s", c.text, err.text);
    c.occ = occupancy_make(c.tree);
    const struct topo_shape *s = restree_shape(c.tree, 0);
    for (unsigned k = below(&seed, 3); k > 0; k--) {
        AUTO(idset) one = idset_make();
        idset_add(one, s->pus[below(&seed, s->n_pus)]);
        (void)occupancy_claim(c.occ, 0, one, NULL, NULL);
    }
    c.req.mapping = "auto";
    c.req.ranks = 1 + below(&seed, 5);
    if (below(&seed, 3) == 0)
        c.req.threads = 1 + below(&seed, 3);
    else
        c.req.cores = 1 + below(&seed, 4);
    c.req.gpus = s->n_gpus > 0 ? below(&seed, 3) : 0;
    c.req.grouped = below(&seed, 3) == 0;
    c.req.group = c.req.grouped ? below(&seed, 3) : 0;
    c.req.traits = traits[below(&seed, 4)];
    *ret = c;
}

/* ---- every placement there is ---- */

struct every {
    const struct small *c;
    const struct topo_shape *shape;
    struct idset *units[16];
    unsigned n_units, n_ranks, need, n_tried;
    struct place_seat seats[MOST_SEATS];
    uint32_t masks[MOST_SEATS];
    double best;
};

static void list_units(struct every *e)
{
    const struct topo_shape *s = e->shape;
    for (unsigned i = 0; i < s->n_nodes; i++) {
        const struct topo_node *n = &s->nodes[i];
        uint32_t kind = e->c->req.threads > 0 ? GM_PU : GM_CORE;
        struct idset *pus = idset_make();
        for (unsigned k = 0; n->kind == kind && k < n->n_pus; k++) {
            if (occupancy_pu_free(e->c->occ, 0, s->pus[n->first_pu + k]))
                idset_add(pus, s->pus[n->first_pu + k]);
        }
        if (n->kind == kind && idset_count(pus) == n->n_pus)
            e->units[e->n_units++] = pus;
        else
            idset_free(pus);
    }
}

/* Does this seat cut a domain with room for it, beside those in `now`? */
static bool cuts(const struct every *e, struct occupancy *now, const struct place_seat *a)
{
    unsigned all = idset_count(a->pus);
    for (unsigned i = 0; i < e->shape->n_nodes; i++) {
        const struct topo_node *n = &e->shape->nodes[i];
        unsigned in = 0;
        for (unsigned k = 0; k < n->n_pus; k++)
            in += idset_has(a->pus, e->shape->pus[n->first_pu + k]);
        if (in > 0 && in < all && occupancy_free_cores(now, 0, i) >= e->need)
            return true;
    }
    return false;
}

/* In some order of ranks (in this one, where they differ) none cuts. */
static bool allowed(const struct every *e, struct occupancy *now, unsigned done)
{
    if (e->c->req.gpus > 0 || e->c->req.threads > 0 || done == (1u << e->n_ranks) - 1)
        return true;
    for (unsigned r = 0; r < e->n_ranks; r++) {
        if ((done >> r & 1) != 0 || cuts(e, now, &e->seats[r])) {
            if (e->c->req.grouped && (done >> r & 1) == 0)
                return false;
            continue;
        }
        (void)occupancy_claim(now, 0, e->seats[r].pus, NULL, NULL);
        return allowed(e, now, done | 1u << r); /* later is never harder for others */
    }
    return false;
}

static void score_one(struct every *e)
{
    struct placement p = {.seats = e->seats, .n_ranks = e->n_ranks, .mapping = "auto"};
    struct score score;
    AUTO(occupancy) now = occupancy_dup(e->c->occ);
    e->n_tried++;
    if (!allowed(e, now, 0))
        return;
    score_placement(e->c->tree, e->c->occ, &e->c->req, NULL, &p, &score);
    e->best = score.total < e->best ? score.total : e->best;
}

static void try_rank(struct every *e, unsigned r, uint32_t used, uint32_t used_gpus)
{
    const struct place_request *req = &e->c->req;
    if (r == e->n_ranks) {
        score_one(e);
        return;
    }
    for (uint32_t m = 1; m < 1u << e->n_units && e->n_tried <= MOST_PLACEMENTS; m++) {
        bool again = !req->grouped && req->gpus == 0 && r > 0 && m < e->masks[r - 1];
        if ((m & used) != 0 || (unsigned)__builtin_popcount(m) != e->need || again)
            continue;
        for (uint32_t g = 0; g < 1u << e->shape->n_gpus; g++) {
            if ((g & used_gpus) != 0 || (unsigned)__builtin_popcount(g) != req->gpus)
                continue;
            struct place_seat *seat = &e->seats[r];
            *seat = (struct place_seat){.pus = idset_make(), .gpus = idset_make()};
            for (unsigned i = 0; i < e->n_units; i++) {
                if ((m >> i & 1) != 0)
                    idset_unite(seat->pus, e->units[i]);
            }
            for (unsigned i = 0; i < e->shape->n_gpus; i++) {
                if ((g >> i & 1) != 0)
                    idset_add(seat->gpus, i);
            }
            e->masks[r] = m;
            try_rank(e, r + 1, used | m, used_gpus | g);
            idset_free(seat->pus);
            idset_free(seat->gpus);
        }
    }
}

/* False: more placements than are tried. */
static bool best_of_all(const struct small *c, unsigned n_ranks, double *ret)
{
    struct every e = {.c = c, .shape = restree_shape(c->tree, 0), .n_ranks = n_ranks};
    e.need = c->req.threads > 0 ? c->req.threads : c->req.cores;
    e.best = 1e300;
    list_units(&e);
    try_rank(&e, 0, 0, 0);
    for (unsigned i = 0; i < e.n_units; i++)
        idset_free(e.units[i]);
    *ret = e.best;
    return e.n_tried <= MOST_PLACEMENTS;
}

Test(place_optimum, auto_is_as_good_as_the_best_of_all_placements)
{
    unsigned compared = 0, grouped = 0, gpus = 0, threads = 0, several = 0;
    for (unsigned seed = 1; seed <= 1500; seed++) {
        struct small c;
        make_small(seed, &c);
        AUTO(placement) p = NULL;
        double best;
        if (place_map(c.tree, c.occ, &c.req, &p, NULL) == 0 &&
            best_of_all(&c, p->n_ranks, &best)) {
            struct score got;
            AUTO_STR said = {0};
            score_placement(c.tree, c.occ, &c.req, NULL, p, &got);
            score_explain(&got, &said);
            cr_expect_leq(got.total,
                          best + 1e-6,
                          "seed %u: %s ranks %u cores %u threads %u gpus %u grouped %d "
                          "group %u traits %u: %s, and %.4f is there",
                          seed,
                          c.text,
                          p->n_ranks,
                          c.req.cores,
                          c.req.threads,
                          c.req.gpus,
                          c.req.grouped,
                          c.req.group,
                          c.req.traits,
                          said.text,
                          best);
            cr_expect_geq(got.total,
                          best - 1e-6,
                          "seed %u: %s: a placement that brute force does not know",
                          seed,
                          c.text);
            compared++;
            grouped += c.req.grouped;
            gpus += c.req.gpus > 0;
            threads += c.req.threads > 0;
            several += p->n_ranks > 1;
        }
        occupancy_free(c.occ);
        restree_free(c.tree);
    }
    cr_log_info(
        "%u compared: %u grouped, %u with GPUs, %u by threads, %u of several ranks",
        compared,
        grouped,
        gpus,
        threads,
        several);
    cr_expect(compared > 400 && grouped > 50 && gpus > 20 && threads > 50 &&
              several > 200);
}
