/* topo/occupancy.h: random claims and releases against counts made anew from the bitmaps.
 */
#include "topo/occupancy.h"

#include <criterion/criterion.h>

static const char machine[] = "host:2 pack:2 numa:1 l3:2 core:3 pu:2";

/* Free cores below a node, counted the slow way. */
static unsigned count_again(const struct occupancy *o,
                            const struct restree *t,
                            unsigned host,
                            unsigned node)
{
    const struct topo_shape *s = restree_shape(t, host);
    unsigned n = 0;
    for (unsigned i = node; i < s->nodes[node].end; i++) {
        const struct topo_node *c = &s->nodes[i];
        bool is_free = c->kind == GM_CORE;
        for (unsigned k = 0; is_free && k < c->n_pus; k++)
            is_free = occupancy_pu_free(o, host, s->pus[c->first_pu + k]);
        n += is_free;
    }
    return n;
}

static void check_counts(const struct occupancy *o, const struct restree *t)
{
    for (unsigned h = 0; h < t->n_hosts; h++) {
        for (unsigned i = 0; i < restree_shape(t, h)->n_nodes; i++)
            cr_assert_eq(occupancy_free_cores(o, h, i), count_again(o, t, h, i));
    }
}

Test(occupancy, counts_follow_random_claims_and_releases)
{
    AUTO(restree) tree = NULL;
    cr_assert_eq(restree_load_synthetic(machine, &tree, NULL), 0);
    AUTO(occupancy) o = occupancy_make(tree);
    enum { N = 40 };
    struct idset *held[N] = {0};
    unsigned host[N] = {0}, seed = 11;
    for (int step = 0; step < 2000; step++) {
        unsigned k = (unsigned)rand_r(&seed) % N;
        if (held[k] != NULL) {
            occupancy_release(o, host[k], held[k], NULL);
            idset_free(held[k]);
            held[k] = NULL;
        } else {
            struct idset *want = idset_make();
            unsigned n = (unsigned)rand_r(&seed) % 5;
            for (unsigned i = 0; i < n; i++)
                idset_add(want, (unsigned)rand_r(&seed) % 24);
            host[k] = (unsigned)rand_r(&seed) % 2;
            bool is_free = true;
            for (int64_t i = idset_next(want, 0); i >= 0;
                 i = idset_next(want, (unsigned)i + 1))
                is_free = is_free && occupancy_pu_free(o, host[k], (unsigned)i);
            struct gm_error err;
            int rc = occupancy_claim(o, host[k], want, NULL, &err);
            cr_assert_eq(rc, is_free ? 0 : -EBUSY);
            if (rc == 0)
                held[k] = want;
            else
                idset_free(want);
        }
        check_counts(o, tree);
    }
    for (unsigned k = 0; k < N; k++) {
        if (held[k] != NULL)
            occupancy_release(o, host[k], held[k], NULL);
        idset_free(held[k]);
    }
    cr_expect(occupancy_free_cores(o, 0, 0) == 12 && occupancy_free_cores(o, 1, 0) == 12);
}

Test(occupancy, a_refused_claim_changes_nothing_and_says_why)
{
    AUTO(restree) tree = NULL;
    cr_assert_eq(restree_load_synthetic(machine, &tree, NULL), 0);
    AUTO(occupancy) o = occupancy_make(tree);
    AUTO(idset) one = NULL;
    AUTO(idset) more = NULL;
    AUTO(idset) beyond = NULL;
    AUTO(idset) gpu = NULL;
    cr_assert_eq(idset_parse("5", &one, NULL), 0);
    cr_assert_eq(idset_parse("0-5", &more, NULL), 0);
    cr_assert_eq(idset_parse("23-24", &beyond, NULL), 0);
    cr_assert_eq(idset_parse("0", &gpu, NULL), 0);
    cr_assert_eq(occupancy_claim(o, 0, one, NULL, NULL), 0);
    struct gm_error err;
    cr_expect_eq(occupancy_claim(o, 0, more, NULL, &err), -EBUSY);
    cr_expect_str_eq(err.text, "n0: PU 5 is held already");
    cr_expect(occupancy_pu_free(o, 0, 0) && occupancy_free_cores(o, 0, 0) == 11);
    cr_expect_eq(occupancy_claim(o, 0, beyond, NULL, &err), -EINVAL);
    cr_expect_str_eq(err.text, "n0: there is no PU 24");
    cr_expect_eq(occupancy_claim(o, 1, more, gpu, &err), -EINVAL);
    cr_expect_eq(occupancy_free_cores(o, 1, 0), 12, "the other host is as it was");
}

Test(occupancy, a_copy_goes_its_own_way)
{
    AUTO(restree) tree = NULL;
    cr_assert_eq(restree_load_synthetic(machine, &tree, NULL), 0);
    AUTO(occupancy) o = occupancy_make(tree);
    AUTO(idset) core = NULL;
    AUTO(idset) next = NULL;
    cr_assert_eq(idset_parse("0-1", &core, NULL), 0);
    cr_assert_eq(idset_parse("2-3", &next, NULL), 0);
    cr_assert_eq(occupancy_claim(o, 0, core, NULL, NULL), 0);
    AUTO(occupancy) copy = occupancy_dup(o);
    check_counts(copy, tree);
    cr_assert_eq(occupancy_claim(copy, 0, next, NULL, NULL), 0);
    cr_expect(occupancy_free_cores(copy, 0, 0) == 10 &&
              occupancy_free_cores(o, 0, 0) == 11);
    cr_expect_not(occupancy_pu_free(copy, 0, 0));
}
