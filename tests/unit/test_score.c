/* sched/score.h: each term is 0 where nothing is lost, and as docs/design/placement.md
 * says where something is. */
#include "base/str.h"
#include "sched/score.h"

#include "gridmill/kernel.h"
#include <criterion/criterion.h>
#include <math.h>

/* Seats as text: "0-1;4-5/0;..." (PUs, after / GPUs). */
static void score_of(const char *machine,
                     const struct place_request *req,
                     const char *text,
                     struct score *ret)
{
    struct restree *tree = NULL;
    struct gm_error err = {0};
    struct place_seat seats[16] = {{0}};
    struct placement p = {.seats = seats, .mapping = "auto"};
    AUTO_FREE(char) copy = strdup(text);
    char *rest = copy, *one;
    cr_assert_eq(restree_load_synthetic(machine, &tree, &err), 0, "%s", err.text);
    while ((one = strsep(&rest, ";")) != NULL) {
        char *gpus = strchr(one, '/');
        if (gpus != NULL)
            *gpus++ = '\0';
        cr_assert_eq(idset_parse(one, &seats[p.n_ranks].pus, NULL), 0);
        cr_assert_eq(
            idset_parse(gpus != NULL ? gpus : "", &seats[p.n_ranks++].gpus, NULL), 0);
    }
    struct occupancy *occ = occupancy_make(tree);
    score_placement(tree, occ, req, NULL, &p, ret);
    for (unsigned r = 0; r < p.n_ranks; r++) {
        idset_free(seats[r].pus);
        idset_free(seats[r].gpus);
    }
    occupancy_free(occ);
    restree_free(tree);
}

static void expect_term(const char *machine,
                        const struct place_request *req,
                        const char *seats,
                        enum score_term term,
                        double want)
{
    struct score s;
    score_of(machine, req, seats, &s);
    cr_expect(fabs(s.term[term] - want) < 1e-9,
              "%s of %s on %s: %g, not %g",
              score_term_name(term),
              seats,
              machine,
              s.term[term],
              want);
}

static const char four[] = "pack:2 numa:1 l3:2 core:2 pu:2"; /* PUs 0-15, 4 an L3 */

Test(score, a_slot_loses_by_each_domain_that_it_need_not_touch)
{
    const struct place_request two = {.cores = 2}, three = {.cores = 3};
    expect_term(four, &two, "0-3", SCORE_STRADDLE, 0);
    expect_term(four, &two, "2-5", SCORE_STRADDLE, 1);             /* an L3 more */
    expect_term(four, &two, "0-1,8-9", SCORE_STRADDLE, 1 + 2 + 4); /* NUMA, package too */
    expect_term(four, &two, "0-3;2-5", SCORE_STRADDLE, 0.5);       /* the mean of ranks */
    expect_term(four, &three, "0-5", SCORE_STRADDLE, 0);           /* two L3 are needed */
}

Test(score, ranks_on_one_controller_are_as_crowded_as_they_are)
{
    const struct place_request memory = {.cores = 1, .traits = GM_BOUND_MEMORY};
    const struct place_request comm = {.cores = 1, .traits = GM_BOUND_COMM};
    expect_term(four, &memory, "0-1;8-9", SCORE_MEMORY, 0);
    /* 4 / 2 - 1 for the NUMA node, a quarter of it for the package. */
    expect_term(four, &memory, "0-1;4-5", SCORE_MEMORY, 1.25);
    expect_term(four, &memory, "0-1;2-3", SCORE_MEMORY, 1.5); /* and the L3 */
    expect_term(four, &comm, "0-1;2-3", SCORE_MEMORY, 0);
}

Test(score, gpus_lose_by_their_way_to_the_cores)
{
    const struct place_request one = {.cores = 1, .gpus = 1};
    const char *machine = "pack:2 numa:1 gpu:1 core:2 pu:1";
    expect_term(machine, &one, "0/0;2/1", SCORE_GPU, 0);
    expect_term(machine, &one, "0/0;1/1", SCORE_GPU, 1); /* 2 away, for one of two */
}

Test(score, groups_lose_by_the_way_between_their_ranks)
{
    const struct place_request all = {.cores = 1, .grouped = true};
    struct score near, far;
    score_of(four, &all, "0-1;2-3", &near);
    score_of(four, &all, "0-1;8-9", &far);
    cr_expect_lt(near.term[SCORE_COMM], far.term[SCORE_COMM]);
    cr_expect(fabs(far.term[SCORE_COMM] - 1) < 1e-9, "between packages: 1");
}

Test(score, compute_bound_threads_lose_by_siblings_that_need_not_be)
{
    const struct place_request one = {.threads = 1, .traits = GM_BOUND_COMPUTE};
    const struct place_request unknown = {.threads = 1};
    expect_term(four, &one, "0;2", SCORE_SMT, 0);
    expect_term(four, &one, "0;1", SCORE_SMT, 0.5);
    expect_term(four, &unknown, "0;1", SCORE_SMT, 0);
    /* Nine on eight cores: one sibling is forced. */
    expect_term(four, &one, "0;1;2;4;6;8;10;12;14", SCORE_SMT, 0);
}

Test(score, what_is_left_in_pieces_counts_for_little)
{
    const struct place_request two = {.cores = 2};
    expect_term(four, &two, "0-3", SCORE_FRAGMENT, 2); /* package and NUMA node */
    expect_term(four, &two, "0-3;4-7", SCORE_FRAGMENT, 0);
    expect_term(four, &two, "2-5", SCORE_FRAGMENT, 3); /* and two L3 of a half each */
}

Test(score, who_stands_nowhere_loses_nothing)
{
    struct restree *tree = NULL;
    struct score s;
    const struct place_request req = {
        .ranks = 9, .mapping = "auto", .oversubscribe = true};
    AUTO(placement) p = NULL;
    cr_assert_eq(restree_load_synthetic("core:2 pu:1", &tree, NULL), 0);
    struct occupancy *occ = occupancy_make(tree);
    cr_assert_eq(place_map(tree, occ, &req, &p, NULL), 0);
    score_placement(tree, occ, &req, NULL, p, &s);
    cr_expect_eq(s.total, 0);
    occupancy_free(occ);
    restree_free(tree);
}

Test(score, the_total_is_told_term_by_term)
{
    const struct place_request two = {.cores = 2};
    struct score s;
    AUTO_STR text = {0};
    double sum = 0;
    score_of(four, &two, "2-5", &s);
    score_explain(&s, &text);
    for (unsigned i = 0; i < SCORE_N_TERMS; i++) {
        sum += score_term_weight((enum score_term)i) * s.term[i];
        cr_expect(*score_term_help((enum score_term)i) != '\0');
    }
    cr_expect(fabs(sum - s.total) < 1e-9);
    cr_expect_str_eq(
        text.text,
        "9.250 = straddle 8 x 1.000 + memory 2 x 0.250 + fragment 0.25 x 3.000");
}
