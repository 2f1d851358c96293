/* topo/occupancy.h: random claims and releases against counts made anew from the bitmaps,
 * hosts found against a look at each, copies against a second occupancy that was never a
 * copy. */
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

static struct restree *load(const char *text)
{
    struct restree *tree = NULL;
    cr_assert_eq(restree_load_synthetic(text, &tree, NULL), 0, "%s", text);
    return tree;
}

/* All PUs of a host's first n cores. */
static struct idset *cores_of(const struct restree *t, unsigned host, unsigned n)
{
    const struct topo_shape *s = restree_shape(t, host);
    struct idset *set = idset_make();
    for (unsigned i = 0; i < s->n_nodes && n > 0; i++) {
        if (s->nodes[i].kind != GM_CORE)
            continue;
        for (unsigned k = 0; k < s->nodes[i].n_pus; k++)
            idset_add(set, s->pus[s->nodes[i].first_pu + k]);
        n--;
    }
    return set;
}

/* Of hosts [from, n) the first that has so many cores free, and fewer than `than`. */
static unsigned find_again(const struct occupancy *o,
                           const struct restree *t,
                           unsigned from,
                           unsigned cores,
                           unsigned than)
{
    for (; from < t->n_hosts; from++) {
        if (occupancy_free_cores(o, from, 0) >= cores &&
            occupancy_free_cores(o, from, 0) < than)
            break;
    }
    return from;
}

static void
check_finds(const struct occupancy *o, const struct restree *t, unsigned *seed)
{
    unsigned from = (unsigned)rand_r(seed) % (t->n_hosts + 1);
    unsigned cores = (unsigned)rand_r(seed) % 6;
    unsigned host = (unsigned)rand_r(seed) % t->n_hosts;
    cr_assert_eq(occupancy_find(o, from, cores, 0),
                 find_again(o, t, from, cores, UINT32_MAX));
    cr_assert_eq(occupancy_find(o, from, cores, 1), t->n_hosts, "there are no GPUs");
    cr_assert_eq(occupancy_find_tighter(o, from, cores, 0, host),
                 find_again(o, t, from, cores, occupancy_free_cores(o, host, 0)));
}

Test(occupancy, a_host_is_found_as_by_a_look_at_each_and_copies_are_apart)
{
    static const unsigned counts[] = {1, 63, 64, 65, 300};
    unsigned seed = 5;
    for (size_t c = 0; c < sizeof(counts) / sizeof(counts[0]); c++) {
        char text[64];
        (void)snprintf(text, sizeof(text), "host:%u core:4 pu:2", counts[c]);
        AUTO(restree) tree = load(text);
        AUTO(occupancy) o = occupancy_make(tree);
        AUTO(occupancy) same = occupancy_make(tree);
        for (unsigned step = 0; step < 300; step++) {
            unsigned host = (unsigned)rand_r(&seed) % tree->n_hosts;
            AUTO(idset) set = cores_of(tree, host, 1 + (unsigned)rand_r(&seed) % 4);
            AUTO(occupancy) copy = occupancy_dup(o);
            if (occupancy_claim(copy, host, set, NULL, NULL) == 0)
                cr_assert_neq(occupancy_free_cores(copy, host, 0), 4);
            check_finds(copy, tree, &seed);
            cr_assert_eq(occupancy_claim(o, host, set, NULL, NULL),
                         occupancy_claim(same, host, set, NULL, NULL));
            check_finds(o, tree, &seed);
            cr_assert_eq(occupancy_all_cores(o), occupancy_all_cores(same));
            if (step % 3 == 0 && !occupancy_pu_free(o, host, 0)) {
                unsigned n = 4 - occupancy_free_cores(o, host, 0);
                AUTO(idset) back = cores_of(tree, host, n);
                occupancy_release(o, host, back, NULL);
                occupancy_release(same, host, back, NULL);
                check_finds(o, tree, &seed);
            }
        }
        check_counts(o, tree);
    }
}

Test(occupancy, memory_is_counted_down_a_numa_node_and_never_below_nothing)
{
    AUTO(restree) tree = load("host:2 pack:2 numa:2(memory=1GB) core:2 pu:1");
    AUTO(occupancy) o = occupancy_make(tree);
    const struct topo_shape *s = restree_shape(tree, 1);
    unsigned numa = 0;
    for (unsigned i = s->n_nodes; i-- > 0;)
        numa = s->nodes[i].kind == GM_NUMA ? i : numa;
    uint64_t each = s->nodes[numa].bytes;
    cr_assert_gt(each, 0);
    cr_expect_eq(occupancy_free_memory(o, 1, 0), 4 * each);
    cr_expect_eq(occupancy_claim_memory(o, 1, numa, each + 1), -ENOSPC);
    AUTO(occupancy) copy = occupancy_dup(o);
    cr_expect_eq(occupancy_claim_memory(copy, 1, numa, each - 1), 0);
    cr_expect_eq(occupancy_claim_memory(copy, 1, numa, 2), -ENOSPC);
    cr_expect_eq(occupancy_free_memory(copy, 1, numa), 1);
    cr_expect_eq(occupancy_free_memory(copy, 1, s->nodes[numa].parent), each + 1);
    cr_expect_eq(occupancy_free_memory(copy, 1, numa + 1), 0, "below it there is none");
    cr_expect_eq(occupancy_free_memory(copy, 1, 0), 3 * each + 1);
    cr_expect_eq(occupancy_free_memory(copy, 0, 0), 4 * each, "the other host");
    cr_expect_eq(occupancy_free_memory(o, 1, 0), 4 * each, "what it was copied from");
    cr_expect_eq(occupancy_claim_memory(copy, 1, numa, 1), 0);
    cr_expect_eq(occupancy_free_memory(copy, 1, numa), 0);
}

Test(occupancy, free_pus_are_counted_where_half_a_core_is_held)
{
    AUTO(restree) tree = load("pack:2 core:40 pu:2");
    AUTO(occupancy) o = occupancy_make(tree);
    AUTO(idset) set = NULL;
    cr_assert_eq(idset_parse("1,3,70,100-121", &set, NULL), 0);
    cr_assert_eq(occupancy_claim(o, 0, set, NULL, NULL), 0);
    const struct topo_shape *s = restree_shape(tree, 0);
    unsigned second = s->n_nodes;
    for (unsigned i = s->n_nodes; i-- > 0;)
        second = s->nodes[i].kind == GM_PACKAGE && second == s->n_nodes ? i : second;
    cr_expect_eq(occupancy_free_pus(o, 0, 0), 160 - 25);
    cr_expect_eq(occupancy_free_pus(o, 0, second), 80 - 22);
    cr_expect_eq(occupancy_free_cores(o, 0, second), 40 - 11);
    cr_expect_eq(occupancy_free_cores(o, 0, 0), 80 - 14);
    cr_expect_eq(occupancy_all_cores(o), 80 - 14);
}
