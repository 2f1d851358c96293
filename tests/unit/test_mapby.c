/* Open MPI's words on machines of many slots: counts that no unsigned holds. */
#include "base/memory.h"
#include "sched/mapby.h"
#include <criterion/criterion.h>
#include <errno.h>

/* So many hosts, each with a million slots: together 32,704 more than 2^32. */
static struct restree *make_tree(void)
{
    struct restree *tree = NULL;
    struct gm_error err = {0};
    int rc = restree_load_synthetic("host:4295 pack:1 core:2 pu:1", &tree, &err);
    cr_assert_eq(rc, 0, "%s", err.text);
    for (unsigned h = 0; h < tree->n_hosts; h++)
        tree->hosts[h].slots = 1000000;
    return tree;
}

static int map(const struct restree *tree,
               const struct mapby_app *app,
               struct placement **ret,
               struct gm_error *err)
{
    AUTO(occupancy) occ = occupancy_make(tree);
    return mapby_map(tree, occ, app, 1, ret, err);
}

Test(mapby, slots_of_all_hosts_are_added_up_in_full)
{
    AUTO(restree) tree = make_tree();
    AUTO(placement) p = NULL;
    struct gm_error err = {0};
    struct mapby_app app = {.words = {.map_by = "slot", .bind_to = "none"},
                            .n_ranks = 40000};
    cr_assert_eq(map(tree, &app, &p, &err), 0, "%s", err.text);
    cr_expect_eq(p->n_ranks, 40000);
}

Test(mapby, a_count_that_is_too_large_is_told_as_it_is)
{
    AUTO(restree) tree = make_tree();
    AUTO(placement) p = NULL;
    struct gm_error err = {0};
    struct mapby_app app = {.words = {.map_by = "ppr:999999:node"}};
    cr_expect_eq(map(tree, &app, &p, &err), -EOVERFLOW);
    cr_expect_str_eq(err.text,
                     "mapping ppr:999999:node: 4294995705 ranks are more than 1000000");
}
