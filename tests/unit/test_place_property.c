/* sched/place.h on 10^4 random machines (GRIDMILL_TEST_TREES: so many;
 * GRIDMILL_TEST_SEED: that one alone), partly forbidden and partly held, with requests of
 * every mapping. What has room is counted anew here, from single PUs, so that a plan,
 * -ENOSPC and -EOVERFLOW are each held against a second opinion. A failure names its
 * seed. */
#include "base/memory.h"
#include "base/str.h"
#include "sched/place.h"

#include <criterion/criterion.h>

struct world {
    unsigned seed, first_seed;
    struct restree *tree;
    struct occupancy *occ;
    struct place_request req;
    struct idset *only; /* hosts that the job may use, or NULL */
    char text[160];
};

static unsigned below(struct world *w, unsigned n)
{
    return (unsigned)rand_r(&w->seed) % n;
}

static bool one_in(struct world *w, unsigned n)
{
    return below(w, n) == 0;
}

/* ---- random machines ---- */

/* Behind a third of the levels, once in a text. */
static void add_gpus(struct world *w, struct str *text)
{
    if (one_in(w, 3) && strstr(text->text, "gpu") == NULL)
        str_printf(text, " gpu:%u", 1 + below(w, 3));
}

static void write_machine(struct world *w)
{
    AUTO_STR text = {0};
    str_printf(&text, "host:%u pack:%u", 1 + below(w, 4), 1 + below(w, 3));
    add_gpus(w, &text);
    if (!one_in(w, 4)) {
        str_printf(&text, " numa:%u(memory=%uMB)", 1 + below(w, 3), 64 << below(w, 4));
        add_gpus(w, &text);
    }
    if (one_in(w, 2))
        str_printf(&text, " l3:%u", 1 + below(w, 3));
    str_printf(&text, " core:%u pu:%u", 1 + below(w, 5), 1 + below(w, 3));
    (void)snprintf(w->text, sizeof(w->text), "%s", text.text);
}

/* The first host's machine again, with some of its PUs forbidden; joined to the others.
 */
static void forbid_some(struct world *w)
{
    const struct topo_shape *s = restree_shape(w->tree, 0);
    AUTO(idset) allowed = idset_make();
    for (unsigned i = 0; i < s->n_pus; i++) {
        if (i == 0 || !one_in(w, 3))
            idset_add(allowed, s->pus[i]);
    }
    struct restree *narrow = NULL;
    struct gm_error err = {0};
    cr_assert_eq(
        restree_load_xml(s->xml, strlen(s->xml), "narrow", allowed, &narrow, &err),
        0,
        "seed %u: %s: %s",
        w->first_seed,
        w->text,
        err.text);
    restree_join(w->tree, narrow);
}

static void hold_some(struct world *w)
{
    unsigned n = below(w, 3) * below(w, 12);
    for (; n > 0; n--) {
        unsigned host = below(w, w->tree->n_hosts);
        const struct topo_shape *s = restree_shape(w->tree, host);
        AUTO(idset) pus = idset_make();
        AUTO(idset) gpus = idset_make();
        if (s->n_gpus > 0 && one_in(w, 3))
            idset_add(gpus, below(w, s->n_gpus));
        else
            idset_add(pus, s->pus[below(w, s->n_pus)]);
        (void)occupancy_claim(w->occ, host, pus, gpus, NULL);
        unsigned node = below(w, s->n_nodes);
        if (s->nodes[node].kind == GM_NUMA)
            (void)occupancy_claim_memory(
                w->occ, host, node, s->nodes[node].bytes / (1 + below(w, 4)));
    }
}

static void write_request(struct world *w)
{
    static const char *const words[] = {"auto", "pack", "spread", "numa", "gpu-near"};
    struct place_request r = {.mapping = words[below(w, 5)]};
    if (!one_in(w, 4))
        r.ranks = 1 + below(w, 12);
    if (one_in(w, 4)) {
        r.nodes = 1 + below(w, 4);
        r.ranks = r.ranks > 0 && r.ranks < r.nodes ? r.nodes : r.ranks;
    }
    if (one_in(w, 5))
        r.ranks_per_node = 1 + below(w, 4);
    if (r.nodes > 0 && r.ranks_per_node > 0 && r.ranks > 0)
        r.ranks = r.nodes * r.ranks_per_node;
    if (!one_in(w, 3))
        r.cores = 1 + below(w, 4);
    else if (one_in(w, 2))
        r.threads = 1 + below(w, 4);
    if (one_in(w, 3))
        r.gpus = 1 + below(w, 3);
    if (one_in(w, 4))
        r.memory = UINT64_C(1000000) * (1 + below(w, 400));
    r.grouped = one_in(w, 2);
    r.group = r.grouped ? below(w, 4) : 0;
    r.traits = below(w, 8);
    r.oversubscribe = one_in(w, 6);
    if (one_in(w, 6)) {
        w->only = idset_make();
        for (unsigned h = 0; h < w->tree->n_hosts; h++) {
            if (one_in(w, 2))
                idset_add(w->only, h);
        }
        r.hosts = w->only;
    }
    w->req = r;
}

static struct world make_world(unsigned seed)
{
    struct world w = {.seed = seed * 2654435761u + 1, .first_seed = seed};
    struct gm_error err = {0};
    write_machine(&w);
    cr_assert_eq(restree_load_synthetic(w.text, &w.tree, &err),
                 0,
                 "seed %u: %s: %s",
                 seed,
                 w.text,
                 err.text);
    if (one_in(&w, 5))
        forbid_some(&w);
    for (unsigned h = 0; h < w.tree->n_hosts; h++)
        w.tree->hosts[h].slots = one_in(&w, 6) ? 1 + below(&w, 4) : 0;
    w.occ = occupancy_make(w.tree);
    hold_some(&w);
    write_request(&w);
    return w;
}

static void end_world(struct world *w)
{
    occupancy_free(w->occ);
    restree_free(w->tree);
    idset_free(w->only);
}

/* What a failure says. */
static char *told(const struct world *w)
{
    struct str s = {0};
    const struct place_request *r = &w->req;
    AUTO_FREE(char) only = w->only != NULL ? idset_format(w->only) : NULL;
    str_printf(&s,
               "seed %u: '%s' mapping=%s ranks=%u nodes=%u ranks-per-node=%u cores=%u "
               "threads=%u gpus=%u memory=%llu grouped=%d group=%u traits=%u "
               "oversubscribe=%d hosts=%s",
               w->first_seed,
               w->text,
               r->mapping,
               r->ranks,
               r->nodes,
               r->ranks_per_node,
               r->cores,
               r->threads,
               r->gpus,
               (unsigned long long)r->memory,
               r->grouped,
               r->group,
               r->traits,
               r->oversubscribe,
               only != NULL ? only : "all");
    return str_steal(&s);
}

/* ---- the second opinion ---- */

static bool is(const struct world *w, const char *word)
{
    return strcmp(w->req.mapping, word) == 0;
}

static bool numa_whole(const struct world *w)
{
    return is(w, "numa") && w->req.ranks == 0 && w->req.ranks_per_node == 0 &&
           w->req.cores == 0 && w->req.threads == 0;
}

/* Cores of a rank; 0: PUs are counted, or a NUMA node's. */
static unsigned cores_a_rank(const struct world *w)
{
    unsigned share = UINT32_MAX, gpus = w->req.gpus > 0 ? w->req.gpus : 1;
    if (w->req.threads > 0 || numa_whole(w))
        return 0;
    if (w->req.cores > 0 || !is(w, "gpu-near"))
        return w->req.cores > 0 ? w->req.cores : 1;
    for (unsigned h = 0; h < w->tree->n_hosts; h++) {
        const struct topo_shape *s = restree_shape(w->tree, h);
        for (unsigned g = 0; g < s->n_gpus; g++) {
            unsigned around = 0;
            for (unsigned i = 0; i < s->n_nodes; i++) {
                if (s->nodes[i].kind == GM_NUMA && s->nodes[i].n_cores > 0 &&
                    s->gpus[g].node > i && s->gpus[g].node < s->nodes[i].end)
                    around = i;
            }
            unsigned n = s->nodes[around].n_cores / s->nodes[around].n_gpus;
            share = n < share ? n : share;
        }
    }
    return (share == UINT32_MAX || share == 0 ? 1 : share) * gpus;
}

/* Free PUs, or cores of which all PUs are free, among a node's; empty: as if none were
 * held. */
static unsigned count_free(const struct world *w,
                           const struct occupancy *occ,
                           unsigned host,
                           unsigned node,
                           bool pus)
{
    const struct topo_shape *s = restree_shape(w->tree, host);
    unsigned n = 0;
    for (unsigned i = node; i < s->nodes[node].end; i++) {
        if (s->nodes[i].kind != GM_CORE)
            continue;
        unsigned here = 0;
        for (unsigned k = 0; k < s->nodes[i].n_pus; k++)
            here += occupancy_pu_free(occ, host, s->pus[s->nodes[i].first_pu + k]);
        n += pus ? here : here == s->nodes[i].n_pus;
    }
    return n;
}

static uint64_t min(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t
count_slots(const struct world *w, const struct occupancy *occ, unsigned h, unsigned node)
{
    bool pus = w->req.threads > 0;
    unsigned each = pus ? w->req.threads : cores_a_rank(w);
    unsigned have = count_free(w, occ, h, node, pus);
    return each > 0 ? have / each : have > 0;
}

/* Ranks that have room on a host; shared: whatever cores they have. */
static uint64_t
room_again(const struct world *w, const struct occupancy *occ, unsigned h, bool shared)
{
    const struct topo_shape *s = restree_shape(w->tree, h);
    const struct place_request *r = &w->req;
    unsigned gpus = r->gpus > 0 ? r->gpus : is(w, "gpu-near") ? 1 : 0, free_gpus = 0;
    uint64_t n = 0, memory = 0;
    bool numas = false;
    if (w->only != NULL && !idset_has(w->only, h))
        return 0;
    for (unsigned i = 0; i < s->n_nodes; i++) {
        if (s->nodes[i].kind == GM_GPU)
            free_gpus += occupancy_gpu_free(occ, h, s->nodes[i].os_index);
        if (s->nodes[i].kind != GM_NUMA)
            continue;
        memory += occupancy_free_memory(occ, h, i);
        if (is(w, "numa") && s->nodes[i].n_cores > 0) {
            n += count_slots(w, occ, h, i);
            numas = true;
        }
    }
    n = numas ? n : count_slots(w, occ, h, 0);
    if (shared)
        n = UINT64_C(1024) * count_free(w, occ, h, 0, false);
    n = gpus > 0 ? min(n, free_gpus / gpus) : n;
    n = r->memory > 0 ? min(n, memory / r->memory) : n;
    n = w->tree->hosts[h].slots > 0 ? min(n, w->tree->hosts[h].slots) : n;
    n = r->ranks_per_node > 0 ? min(n, r->ranks_per_node) : n;
    return r->nodes > 0 && n < r->ranks_per_node ? 0 : n;
}

/* The most ranks that fit, counted host by host; the best `nodes` hosts, if so. */
static uint64_t
most_ranks(const struct world *w, const struct occupancy *occ, bool shared)
{
    uint64_t room[16], sum = 0;
    unsigned n = w->tree->n_hosts, nodes = w->req.nodes > 0 ? w->req.nodes : n;
    for (unsigned h = 0; h < n; h++)
        room[h] = room_again(w, occ, h, shared);
    for (unsigned k = 0; k < nodes; k++) {
        unsigned best = 0;
        for (unsigned h = 1; h < n; h++)
            best = room[h] > room[best] ? h : best;
        if (w->req.nodes > 0 && room[best] == 0)
            return 0;
        sum += room[best];
        room[best] = 0;
    }
    return sum;
}

static uint64_t ranks_asked(const struct world *w)
{
    uint64_t product = (uint64_t)w->req.nodes * w->req.ranks_per_node;
    return w->req.ranks > 0 ? w->req.ranks : product;
}

/* Ranks that the plan should have; 0: it does not fit. */
static uint64_t
expected(const struct world *w, const struct occupancy *occ, bool *ret_shared)
{
    uint64_t asked = ranks_asked(w), most = most_ranks(w, occ, false);
    bool may = w->req.oversubscribe && w->req.gpus == 0 && !is(w, "gpu-near");
    *ret_shared = false;
    if (most > 0 && asked <= most)
        return asked > 0 ? asked : most;
    *ret_shared = may;
    if (asked == 0)
        asked = w->req.nodes > 0 ? w->req.nodes : 1;
    return may && most_ranks(w, occ, true) >= asked ? asked : 0;
}

/* ---- a plan ---- */

/* The seat's PUs in a node. */
static unsigned inside(const struct topo_shape *s, unsigned node, const struct idset *pus)
{
    unsigned n = 0;
    for (unsigned i = 0; i < s->nodes[node].n_pus; i++)
        n += idset_has(pus, s->pus[s->nodes[node].first_pu + i]);
    return n;
}

static bool in_one_numa(const struct topo_shape *s, const struct idset *pus)
{
    unsigned numas = 0, all = idset_count(pus);
    for (unsigned i = 0; i < s->n_nodes; i++) {
        if (s->nodes[i].kind != GM_NUMA || s->nodes[i].n_cores == 0)
            continue;
        numas++;
        if (inside(s, i, pus) == all)
            return true;
    }
    return numas == 0;
}

static void
check_size(const struct world *w, const struct place_seat *seat, const char *text)
{
    const struct topo_shape *s = restree_shape(w->tree, seat->host);
    unsigned cores = 0;
    for (unsigned i = 0; i < s->n_nodes; i++) {
        unsigned n = s->nodes[i].kind == GM_CORE ? inside(s, i, seat->pus) : 0;
        if (w->req.threads == 0 && n > 0)
            cr_assert_eq(n, s->nodes[i].n_pus, "%s: part of a core", text);
        cores += n > 0;
    }
    if (w->req.threads > 0)
        cr_assert_eq(idset_count(seat->pus), w->req.threads, "%s", text);
    else if (!numa_whole(w))
        cr_assert_eq(cores, cores_a_rank(w), "%s: %u cores", text, cores);
    if (is(w, "numa"))
        cr_assert(in_one_numa(s, seat->pus), "%s: leaves its NUMA node", text);
    unsigned gpus = w->req.gpus > 0 ? w->req.gpus : is(w, "gpu-near") ? 1 : 0;
    cr_assert_eq(idset_count(seat->gpus), gpus, "%s", text);
}

static void
check_hosts(const struct world *w, const struct placement *p, const char *text)
{
    unsigned on[16] = {0}, used = 0, least = UINT32_MAX, most = 0;
    for (unsigned r = 0; r < p->n_ranks; r++)
        on[p->seats[r].host]++;
    for (unsigned h = 0; h < w->tree->n_hosts; h++) {
        cr_assert_leq(on[h],
                      room_again(w, w->occ, h, p->oversubscribed),
                      "%s: host %u has %u ranks",
                      text,
                      h,
                      on[h]);
        if (on[h] == 0)
            continue;
        used++;
        least = on[h] < least ? on[h] : least;
        most = on[h] > most ? on[h] : most;
    }
    if (w->req.nodes > 0)
        cr_assert_eq(used, w->req.nodes, "%s: on %u hosts", text, used);
    if (w->req.nodes > 0 && w->req.ranks_per_node > 0)
        cr_assert(least == w->req.ranks_per_node && most == least, "%s", text);
}

/* Claims all seats beside what is held, gives them back, and all is as it was. */
static void
check_claims(const struct world *w, const struct placement *p, const char *text)
{
    AUTO(occupancy) now = occupancy_dup(w->occ);
    struct gm_error err = {0};
    for (unsigned r = 0; r < p->n_ranks; r++) {
        const struct place_seat *s = &p->seats[r];
        cr_assert_eq(occupancy_claim(now, s->host, s->pus, s->gpus, &err),
                     0,
                     "%s: rank %u: %s",
                     text,
                     r,
                     err.text);
    }
    for (unsigned r = p->n_ranks; r-- > 0;)
        occupancy_release(now, p->seats[r].host, p->seats[r].pus, p->seats[r].gpus);
    cr_assert_eq(occupancy_all_cores(now), occupancy_all_cores(w->occ), "%s", text);
    for (unsigned h = 0; h < w->tree->n_hosts; h++) {
        const struct topo_shape *s = restree_shape(w->tree, h);
        for (unsigned i = 0; i < s->n_nodes; i++) {
            cr_assert_eq(occupancy_free_cores(now, h, i),
                         count_free(w, w->occ, h, i, false),
                         "%s",
                         text);
            cr_assert_eq(occupancy_free_pus(now, h, i),
                         occupancy_free_pus(w->occ, h, i),
                         "%s",
                         text);
            cr_assert_eq(occupancy_free_gpus(now, h, i),
                         occupancy_free_gpus(w->occ, h, i),
                         "%s",
                         text);
        }
    }
}

static bool same_set(const struct idset *a, const struct idset *b)
{
    return (a == NULL || b == NULL) ? a == b : idset_equal(a, b);
}

static void
check_again(const struct world *w, const struct placement *p, const char *text)
{
    AUTO(placement) q = NULL;
    cr_assert_eq(place_map(w->tree, w->occ, &w->req, &q, NULL), 0, "%s", text);
    cr_assert(
        q->n_ranks == p->n_ranks && strcmp(q->mapping, p->mapping) == 0, "%s", text);
    for (unsigned r = 0; r < p->n_ranks; r++) {
        const struct place_seat *a = &p->seats[r], *b = &q->seats[r];
        cr_assert(a->host == b->host && same_set(a->pus, b->pus) &&
                      same_set(a->gpus, b->gpus) && same_set(a->mems, b->mems) &&
                      strcmp(a->reason, b->reason) == 0,
                  "%s: rank %u differs the second time",
                  text,
                  r);
    }
}

static void check_world(unsigned seed)
{
    struct world w = make_world(seed);
    AUTO_FREE(char) text = told(&w);
    AUTO(placement) p = NULL;
    struct gm_error err = {0};
    bool shared;
    uint64_t ranks = expected(&w, w.occ, &shared);
    int rc = place_map(w.tree, w.occ, &w.req, &p, &err);
    if (ranks == 0) {
        struct occupancy *empty = occupancy_make(w.tree);
        bool ever = expected(&w, empty, &shared) > 0;
        occupancy_free(empty);
        cr_assert_eq(rc,
                     ever ? -ENOSPC : -EOVERFLOW,
                     "%s: %d, should %s fit: %s",
                     text,
                     rc,
                     ever ? "sometimes" : "never",
                     err.text);
        cr_assert(p == NULL && err.text[0] != '\0', "%s", text);
    } else {
        cr_assert_eq(rc, 0, "%s: %s", text, err.text);
        cr_assert_eq(p->n_ranks, ranks, "%s: %u ranks", text, p->n_ranks);
        cr_assert_eq(p->oversubscribed, shared, "%s", text);
        check_hosts(&w, p, text);
        for (unsigned r = 0; r < p->n_ranks && !shared; r++)
            check_size(&w, &p->seats[r], text);
        if (!shared)
            check_claims(&w, p, text);
        check_again(&w, p, text);
    }
    end_world(&w);
}

static unsigned number_from(const char *name, unsigned otherwise)
{
    const char *text = getenv(name);
    return text != NULL ? (unsigned)strtoul(text, NULL, 10) : otherwise;
}

Test(place_property, plans_and_refusals_on_random_machines_are_right)
{
    if (getenv("GRIDMILL_TEST_SEED") != NULL) {
        check_world(number_from("GRIDMILL_TEST_SEED", 0));
        return;
    }
    unsigned n = number_from("GRIDMILL_TEST_TREES", 10000);
    for (unsigned seed = 1; seed <= n; seed++)
        check_world(seed);
}
