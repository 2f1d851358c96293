/* sched/comm.h: graphs of patterns, distances, and seats given to ranks: held against
 * brute force where that can be had, and against what came in everywhere. */
#include "base/memory.h"
#include "sched/comm_assign.h"
#include "sched/comm_swap.h"

#include <criterion/criterion.h>
#include <math.h>

static const char *const machines[] = {
    "pack:2 core:2 pu:1",
    "pack:2 numa:2 core:2 pu:1",
    "numa:2 l3:2 core:2 pu:1",
    "host:2 pack:2 core:2 pu:1",
    "host:4 core:2 pu:2",
    "host:2 l3:1 numa:2 l2:2 core:1 pu:2",
    "host:3 pack:1 core:3 pu:1",
};
enum { N_MACHINES = sizeof(machines) / sizeof(machines[0]) };

static struct restree *load(const char *text)
{
    struct restree *tree = NULL;
    struct gm_error err = {0};
    cr_assert_eq(restree_load_synthetic(text, &tree, &err), 0, "%s", err.text);
    return tree;
}

/* ranks 0: as many as there are cores */
static struct placement *place(const struct restree *tree, unsigned ranks, unsigned cores)
{
    AUTO(occupancy) occ = occupancy_make(tree);
    struct place_request req = {.ranks = ranks, .cores = cores, .mapping = "pack"};
    struct placement *p = NULL;
    struct gm_error err = {0};
    cr_assert_eq(place_map(tree, occ, &req, &p, &err), 0, "%s", err.text);
    return p;
}

static struct comm_graph *graph(const struct pattern *p, unsigned n)
{
    struct comm_graph *g = NULL;
    struct gm_error err = {0};
    cr_assert_eq(comm_graph_make(p, n, &g, &err), 0, "%s", err.text);
    return g;
}

static uint64_t draw(uint64_t *seed)
{
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return *seed >> 33;
}

static void shuffle(struct placement *p, uint64_t *seed)
{
    for (unsigned i = p->n_ranks; i > 1; i--) {
        unsigned k = (unsigned)(draw(seed) % i);
        struct place_seat seat = p->seats[i - 1];
        p->seats[i - 1] = p->seats[k];
        p->seats[k] = seat;
    }
}

static struct comm_graph *random_graph(unsigned n, unsigned pairs, uint64_t *seed)
{
    AUTO_FREE(struct pattern_pair) all = xcalloc(pairs, sizeof(*all));
    for (unsigned i = 0; i < pairs; i++)
        all[i] = (struct pattern_pair){(uint32_t)(draw(seed) % n),
                                       (uint32_t)(draw(seed) % n),
                                       (float)(draw(seed) % 100)};
    struct pattern p = {
        .kind = PATTERN_MATRIX, .written = "m", .pairs = all, .n_pairs = pairs};
    return graph(&p, n);
}

static float weight_between(const struct comm_graph *g, uint32_t a, uint32_t b)
{
    for (uint32_t e = g->first[a]; e < g->first[a + 1]; e++) {
        if (g->edges[e].to == b)
            return g->edges[e].weight;
    }
    return 0;
}

/* Rows in order, each neighbour once, nobody oneself, the same from both ends. */
static void check_rows(const struct comm_graph *g)
{
    cr_assert_eq(g->first[0], 0);
    for (uint32_t r = 0; r < g->n; r++) {
        for (uint32_t e = g->first[r]; e < g->first[r + 1]; e++) {
            uint32_t to = g->edges[e].to;
            cr_assert(to < g->n && to != r && g->edges[e].weight > 0);
            cr_assert(e == g->first[r] || g->edges[e - 1].to < to);
            cr_assert_eq(weight_between(g, to, r), g->edges[e].weight);
        }
    }
}

Test(comm, rows_are_sorted_and_the_same_from_both_ends)
{
    const struct pattern patterns[] = {
        {.kind = PATTERN_NONE},
        {.kind = PATTERN_RING},
        {.kind = PATTERN_TREE},
        {.kind = PATTERN_TREE, .group = 5},
        {.kind = PATTERN_STENCIL_2D, .rows = 4, .columns = 6},
        {.kind = PATTERN_STENCIL_2D, .rows = 1, .columns = 24},
        {.kind = PATTERN_ALL_TO_ALL, .group = 7},
    };
    static const unsigned pairs[] = {0, 24, 23, 19, 38, 23, 3 * 21 + 3};
    uint64_t seed = 1;
    for (unsigned i = 0; i < sizeof(patterns) / sizeof(patterns[0]); i++) {
        AUTO(comm_graph) g = graph(&patterns[i], 24);
        check_rows(g);
        cr_expect_eq(g->first[24], 2 * pairs[i], "pattern %u: %u", i, g->first[24]);
    }
    for (unsigned i = 0; i < 100; i++) {
        AUTO(comm_graph) g = random_graph(1 + i % 17, 3 * i, &seed);
        check_rows(g);
    }
}

Test(comm, who_speaks_to_whom)
{
    AUTO(comm_graph) alone = graph(&(struct pattern){.kind = PATTERN_RING}, 1);
    AUTO(comm_graph) two = graph(&(struct pattern){.kind = PATTERN_RING}, 2);
    AUTO(comm_graph) ring = graph(&(struct pattern){.kind = PATTERN_RING}, 5);
    cr_expect(alone->first[1] == 0 && two->first[2] == 2);
    cr_expect(weight_between(ring, 4, 0) == 1 && weight_between(ring, 4, 1) == 0);

    AUTO(comm_graph) tree = graph(&(struct pattern){.kind = PATTERN_TREE, .group = 4}, 8);
    cr_expect(weight_between(tree, 0, 1) == 1 && weight_between(tree, 0, 2) == 1);
    cr_expect(weight_between(tree, 2, 3) == 1 && weight_between(tree, 0, 3) == 0);
    cr_expect(weight_between(tree, 4, 6) == 1 && weight_between(tree, 3, 4) == 0);

    struct pattern grid = {.kind = PATTERN_STENCIL_2D, .rows = 2, .columns = 3};
    AUTO(comm_graph) stencil = graph(&grid, 6);
    cr_expect(weight_between(stencil, 0, 3) == 1 && weight_between(stencil, 1, 2) == 1);
    cr_expect(weight_between(stencil, 2, 3) == 0 && weight_between(stencil, 2, 0) == 0);

    /* Both ways, and twice, adds up; what one tells oneself goes nowhere. */
    const struct pattern_pair said[] = {{0, 1, 2}, {1, 0, 3}, {0, 1, 4}, {2, 2, 9}};
    struct pattern matrix = {
        .kind = PATTERN_MATRIX, .written = "m", .pairs = said, .n_pairs = 4};
    AUTO(comm_graph) sum = graph(&matrix, 3);
    cr_expect(weight_between(sum, 0, 1) == 9 && sum->first[3] == 2);
}

Test(comm, a_pattern_of_other_ranks_is_refused)
{
    const struct pattern_pair far[] = {{0, 9, 1}};
    const struct {
        struct pattern p;
        const char *why;
    } cases[] = {
        {{.kind = PATTERN_STENCIL_2D, .rows = 8, .columns = 16},
         "pattern: stencil-2d [8, 16] is of 128 ranks, and the job has 6"},
        {{.kind = PATTERN_ALL_TO_ALL, .group = 7},
         "pattern: all-to-all in groups of 7 ranks, and the job has 6"},
        {{.kind = PATTERN_MATRIX, .written = "m.txt", .n_ranks = 5},
         "pattern: m.txt is a matrix of 5 ranks, and the job has 6"},
        {{.kind = PATTERN_MATRIX, .written = "m.txt", .pairs = far, .n_pairs = 1},
         "pattern: m.txt names rank 9, and the job has 6 ranks (three numbers a line are "
         "`i j weight`)"},
    };
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct comm_graph *g = NULL;
        struct gm_error err = {0};
        cr_expect_eq(comm_graph_make(&cases[i].p, 6, &g, &err), -EINVAL);
        cr_expect_str_eq(err.text, cases[i].why);
        cr_expect_null(g);
    }
}

Test(comm, distance_is_the_smallest_common_domain)
{
    AUTO(restree) tree = load("host:2 pack:2 numa:2 l3:2 l2:2 core:2 pu:2");
    AUTO(placement) p = place(tree, 0, 1); /* 32 cores a host, in order */
    static const struct {
        unsigned seat;
        double distance;
    } from_0[] = {{0, 0}, {1, 0.5}, {2, 1}, {4, 2}, {8, 3}, {16, 5}, {32, 20}, {63, 20}};
    for (unsigned i = 0; i < sizeof(from_0) / sizeof(from_0[0]); i++) {
        double is = comm_distance(tree, &p->seats[0], &p->seats[from_0[i].seat]);
        cr_expect_eq(is, from_0[i].distance, "seat %u: %g", from_0[i].seat, is);
    }
    /* Levels in another order: a NUMA node around packages, an L3 cache around NUMA. */
    AUTO(restree) outer = load("pack:2 core:2 pu:1");
    AUTO(placement) q = place(outer, 4, 1);
    cr_expect_eq(comm_distance(outer, &q->seats[0], &q->seats[1]), 3);
    cr_expect_eq(comm_distance(outer, &q->seats[0], &q->seats[2]), 5);
    AUTO(restree) turned = load("l3:2 numa:2 core:2 pu:1");
    AUTO(placement) t = place(turned, 8, 1);
    cr_expect_eq(comm_distance(turned, &t->seats[0], &t->seats[1]), 2);
    cr_expect_eq(comm_distance(turned, &t->seats[0], &t->seats[2]), 3);
    cr_expect_eq(comm_distance(turned, &t->seats[0], &t->seats[4]), 5);
    /* Threads of one core. */
    struct place_seat a = p->seats[0], b = a;
    AUTO(idset) first = idset_make();
    AUTO(idset) second = idset_make();
    idset_add(first, 0);
    idset_add(second, 1);
    a.pus = first;
    b.pus = second;
    cr_expect_eq(comm_distance(tree, &a, &b), 0);
}

Test(comm, distances_are_those_of_an_ultrametric)
{
    uint64_t seed = 2;
    for (unsigned m = 0; m < N_MACHINES; m++) {
        AUTO(restree) tree = load(machines[m]);
        AUTO(placement) p = place(tree, 0, 1);
        for (unsigned i = 0; i < 200; i++) {
            const struct place_seat *a = &p->seats[draw(&seed) % p->n_ranks];
            const struct place_seat *b = &p->seats[draw(&seed) % p->n_ranks];
            const struct place_seat *c = &p->seats[draw(&seed) % p->n_ranks];
            double ab = comm_distance(tree, a, b), bc = comm_distance(tree, b, c);
            double ac = comm_distance(tree, a, c);
            cr_assert_eq(ab, comm_distance(tree, b, a));
            cr_assert_eq(comm_distance(tree, a, a), 0);
            cr_assert(ac <= fmax(ab, bc), "%s: %g, %g, %g", machines[m], ab, bc, ac);
        }
    }
}

/* What hop-bytes are by definition. */
static double
sum_of(const struct restree *tree, const struct placement *p, const struct comm_graph *g)
{
    double sum = 0;
    for (uint32_t a = 0; a < g->n; a++) {
        for (uint32_t b = a + 1; b < g->n; b++)
            sum += (double)weight_between(g, a, b) *
                   comm_distance(tree, &p->seats[a], &p->seats[b]);
    }
    return sum;
}

struct brute {
    unsigned n;
    double distance[8][8], weight[8][8];
    unsigned at[8];
    double least;
};

static void try_rank(struct brute *b, unsigned rank, unsigned taken, double sum)
{
    if (sum >= b->least)
        return;
    if (rank == b->n) {
        b->least = sum;
        return;
    }
    for (unsigned s = 0; s < b->n; s++) {
        double more = 0;
        if ((taken & 1u << s) != 0)
            continue;
        for (unsigned r = 0; r < rank; r++)
            more += b->weight[rank][r] * b->distance[s][b->at[r]];
        b->at[rank] = s;
        try_rank(b, rank + 1, taken | 1u << s, sum + more);
    }
}

static double
optimum(const struct restree *tree, const struct placement *p, const struct comm_graph *g)
{
    struct brute b = {.n = g->n, .least = INFINITY};
    for (unsigned i = 0; i < b.n; i++) {
        for (unsigned k = 0; k < b.n; k++) {
            b.distance[i][k] = comm_distance(tree, &p->seats[i], &p->seats[k]);
            b.weight[i][k] = (double)weight_between(g, i, k);
        }
    }
    try_rank(&b, 0, 0, 0);
    return b.least;
}

/* Of all orders of at most 8 seats. */
static void check_optimum(const char *machine, const struct comm_graph *g, uint64_t *seed)
{
    AUTO(restree) tree = load(machine);
    AUTO(placement) p = place(tree, g->n, 1);
    shuffle(p, seed);
    double least = optimum(tree, p, g);
    comm_assign(tree, g, p);
    double is = comm_hop_bytes(tree, p, g);
    cr_expect_float_eq(is, sum_of(tree, p, g), 1e-9 * (1 + is));
    cr_expect_float_eq(is,
                       least,
                       1e-6 * (1 + least),
                       "%s: %u ranks: %g, not %g",
                       machine,
                       g->n,
                       is,
                       least);
}

Test(comm, the_optimum_of_small_cases_is_found)
{
    const struct pattern patterns[] = {
        {.kind = PATTERN_RING},
        {.kind = PATTERN_TREE},
        {.kind = PATTERN_TREE, .group = 2},
        {.kind = PATTERN_ALL_TO_ALL, .group = 2},
        {.kind = PATTERN_ALL_TO_ALL, .group = 3},
        {.kind = PATTERN_STENCIL_2D, .rows = 2},
    };
    uint64_t seed = 3;
    for (unsigned m = 0; m < N_MACHINES; m++) {
        AUTO(restree) tree = load(machines[m]);
        AUTO(placement) all = place(tree, 0, 1);
        unsigned most = all->n_ranks < 8 ? all->n_ranks : 8;
        for (unsigned i = 0; i < sizeof(patterns) / sizeof(patterns[0]); i++) {
            struct pattern p = patterns[i];
            unsigned n = p.kind == PATTERN_STENCIL_2D ? most & ~1u : most;
            p.columns = n / 2;
            AUTO(comm_graph) g = graph(&p, n);
            check_optimum(machines[m], g, &seed);
        }
        for (unsigned i = 0; i < 12; i++) {
            unsigned n = 2 + (unsigned)(draw(&seed) % (most - 1));
            AUTO(comm_graph) g = random_graph(n, 2 * n, &seed);
            check_optimum(machines[m], g, &seed);
        }
    }
}

/* The optimum of [8, 16] on 8 nodes x 2 packages x 8 cores: blocks of 4 x 4 on a node and
 * 4 x 2 on a package. Scotch finds it, too. */
Test(comm, a_shuffled_stencil_finds_its_blocks)
{
    AUTO(restree) tree = load("host:8 pack:2 core:8 pu:1");
    struct pattern p = {.kind = PATTERN_STENCIL_2D, .rows = 8, .columns = 16};
    struct comm_costs costs = {.package = 1, .numa = 6, .host = 6, .network = 26};
    AUTO(comm_graph) g = graph(&p, 128);
    uint64_t seed = 4;
    for (unsigned i = 0; i < 5; i++) {
        AUTO(placement) at = place(tree, 128, 1);
        if (i > 0)
            shuffle(at, &seed);
        struct comm_gain gain = comm_assign_by(tree, g, &costs, at);
        cr_expect(i > 0 || gain.before == 3072);
        cr_expect_eq(gain.after, 1392, "%g", gain.after);
    }
}

static unsigned kind_of(const struct place_seat *s)
{
    return idset_count(s->pus);
}

/* Seats of two kinds: ranks of one core, then of two. */
static struct placement *place_mixed(const struct restree *tree, unsigned n)
{
    struct placement *one = place(tree, n, 1);
    for (unsigned i = 0; i < n; i += 3)
        idset_add(one->seats[i].pus, (unsigned)idset_next(one->seats[i].pus, 0) ^ 1u);
    return one;
}

Test(comm, never_worse_than_what_came_in)
{
    uint64_t seed = 5;
    for (unsigned i = 0; i < 1000; i++) {
        AUTO(restree) tree = load(machines[i % N_MACHINES]);
        AUTO(placement) all = place(tree, 0, 1);
        unsigned n = 1 + (unsigned)(draw(&seed) % all->n_ranks);
        AUTO(comm_graph) g = random_graph(n, (unsigned)(draw(&seed) % (4 * n)), &seed);
        AUTO(placement) p = i % 5 == 4 ? place_mixed(tree, n) : place(tree, n, 1);
        if (i % 2 == 1)
            shuffle(p, &seed);
        AUTO_FREE(struct place_seat) before = xcalloc(n, sizeof(*before));
        memcpy(before, p->seats, n * sizeof(*before));
        double was = sum_of(tree, p, g);
        comm_assign(tree, g, p);
        double is = sum_of(tree, p, g);
        cr_assert(is <= was * (1 + 1e-9), "case %u: %g was %g", i, is, was);
        bool moved = false;
        for (unsigned r = 0; r < n; r++) {
            unsigned times = 0;
            for (unsigned k = 0; k < n; k++)
                times += p->seats[k].pus == before[r].pus; /* each seat is still there */
            cr_assert_eq(times, 1);
            cr_assert_eq(kind_of(&p->seats[r]), kind_of(&before[r]));
            moved = moved || p->seats[r].pus != before[r].pus;
        }
        cr_assert(!moved || is < was, "case %u: moved for nothing", i);
    }
}

/* Where swapping downhill stops, tabu search goes on; what it says to be better is. */
Test(comm, tabu_search_goes_below_a_valley)
{
    enum { RANKS = 32, CASES = 20 };
    AUTO(restree) tree = load("host:4 pack:2 core:4 pu:1");
    AUTO(placement) p = place(tree, RANKS, 1);
    AUTO(comm_tree) t = comm_tree_make(tree, p->seats, RANKS, &comm_costs);
    struct comm_class classes[8];
    double distance[8 * 8];
    for (unsigned c = 0; c < 8; c++) /* four seats each, in order */
        classes[c] = (struct comm_class){t->domain[4 * c], 0};
    for (unsigned i = 0; i < 64; i++)
        distance[i] = comm_tree_distance(t, classes[i / 8].domain, classes[i % 8].domain);
    uint64_t seed = 7;
    unsigned below = 0;
    for (unsigned i = 0; i < CASES; i++) {
        AUTO(comm_graph) g = random_graph(RANKS, 96, &seed);
        struct comm_swap s = {t, g, classes, 8, distance, 1e-9};
        uint32_t at[RANKS], domains[RANKS], members[8] = {0};
        double cost[3];
        for (unsigned r = 0; r < RANKS; r++)
            at[r] = r / 4;
        for (unsigned step = 0; step < 3; step++) {
            if (step == 1)
                comm_swap_down(&s, at);
            else if (step == 2)
                comm_swap_tabu(&s, 400, 1, at);
            for (unsigned r = 0; r < RANKS; r++)
                domains[r] = classes[at[r]].domain;
            cost[step] = comm_tree_hop_bytes(t, g, domains);
        }
        cr_assert(cost[1] < cost[0] && cost[2] <= cost[1]);
        below += cost[2] < cost[1];
        for (unsigned r = 0; r < RANKS; r++)
            members[at[r]]++;
        for (unsigned c = 0; c < 8; c++)
            cr_assert_eq(members[c], 4);
    }
    cr_expect(below > CASES / 2, "%u of %u", below, CASES);
}

Test(comm, the_same_input_gives_the_same_seats)
{
    uint64_t seed = 6;
    AUTO(restree) tree = load("host:4 pack:2 l3:2 core:4 pu:1");
    AUTO(comm_graph) g = random_graph(64, 200, &seed);
    AUTO(placement) a = place(tree, 64, 1);
    AUTO(placement) b = place(tree, 64, 1);
    comm_assign(tree, g, a);
    comm_assign(tree, g, b);
    for (unsigned r = 0; r < 64; r++) {
        cr_assert_eq(a->seats[r].host, b->seats[r].host);
        cr_assert(idset_equal(a->seats[r].pus, b->seats[r].pus));
        cr_assert_str_eq(a->seats[r].reason, b->seats[r].reason);
    }
}

Test(comm, a_rank_that_moved_says_why)
{
    const struct pattern_pair said[] = {{0, 3, 1}};
    struct pattern matrix = {
        .kind = PATTERN_MATRIX, .written = "m", .pairs = said, .n_pairs = 1};
    AUTO(restree) tree = load("pack:2 core:2 pu:1");
    AUTO(placement) p = place(tree, 4, 1);
    AUTO(comm_graph) g = graph(&matrix, 4);
    unsigned told = 0;
    comm_assign(tree, g, p);
    cr_expect_eq(comm_hop_bytes(tree, p, g), 3);
    for (unsigned r = 0; r < 4; r++)
        told += strstr(p->seats[r].reason, "near rank ") != NULL &&
                strstr(p->seats[r].reason, ", which it speaks to") != NULL;
    cr_expect_eq(told, 1, "%u", told); /* the other of the two had no need to move */
}
