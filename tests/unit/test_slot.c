/* sched/slot.h, what synthetic machines do not tell by themselves: classes of cores,
 * links between GPUs, memory, HBM, threads. Shapes are made by hand where they must be.
 */
#include "base/str.h"
#include "sched/slot.h"

#include "gridmill/kernel.h"
#include <criterion/criterion.h>

struct bench {
    struct restree *tree;
    struct occupancy *occ;
    unsigned *placed;
};

static struct bench open_bench(const char *text)
{
    struct bench b = {0};
    struct gm_error err = {0};
    cr_assert_eq(restree_load_synthetic(text, &b.tree, &err), 0, "%s", err.text);
    b.occ = occupancy_make(b.tree);
    b.placed = calloc(b.tree->shapes[0].n_nodes, sizeof(*b.placed));
    return b;
}

static void close_bench(struct bench *b)
{
    free(b->placed);
    occupancy_free(b->occ);
    restree_free(b->tree);
}

/* Takes a slot and compares it: "cpu 0-1 gpu 2 mem 0". */
static void
take(struct bench *b, const struct slot_request *req, const char *want, const char *why)
{
    struct place_seat seat;
    AUTO_STR got = {0};
    slot_take(b->occ, b->tree, 0, req, b->placed, &seat);
    AUTO_FREE(char) pus = idset_format(seat.pus);
    AUTO_FREE(char) gpus = idset_format(seat.gpus);
    AUTO_FREE(char) mems = idset_format(seat.mems);
    str_printf(&got, "cpu %s", pus);
    str_printf(&got, *gpus != '\0' ? " gpu %s" : "%s", gpus);
    str_printf(&got, *mems != '\0' ? " mem %s" : "%s", mems);
    cr_expect_str_eq(got.text, want, "%s, and not %s", got.text, want);
    if (why != NULL)
        cr_expect_not_null(strstr(seat.reason, why), "%s", seat.reason);
    idset_free(seat.pus);
    idset_free(seat.gpus);
    idset_free(seat.mems);
    free(seat.reason);
}

/* The last n cores are the fast ones. */
static void make_hybrid(struct bench *b, unsigned n)
{
    struct topo_shape *s = &b->tree->shapes[0];
    s->n_kinds = 2;
    for (unsigned i = s->n_nodes; i-- > 0 && n > 0;) {
        if (s->nodes[i].kind == GM_CORE) {
            s->nodes[i].trait = 1;
            n--;
        }
    }
}

Test(slot, the_fastest_cores_go_first_and_a_rank_has_one_class)
{
    struct bench b = open_bench("pack:1 numa:1 l3:1 core:8 pu:1");
    make_hybrid(&b, 5);
    const struct slot_request two = {.cores = 2};
    take(&b, &two, "cpu 3-4 mem 0", NULL);
    take(&b, &two, "cpu 5-6 mem 0", NULL);
    take(&b, &two, "cpu 0-1 mem 0", "slower cores, since");
    take(&b, &two, "cpu 2,7 mem 0", "cores of several speeds, since");
    close_bench(&b);
}

Test(slot, no_slot_straddles_a_cache_for_faster_cores)
{
    struct bench b = open_bench("pack:1 numa:1 l3:2 core:4 pu:1");
    make_hybrid(&b, 2);
    const struct slot_request three = {.cores = 3};
    take(&b, &three, "cpu 0-2 mem 0", NULL);
    close_bench(&b);
}

Test(slot, of_gpus_equally_near_the_best_linked_are_taken)
{
    struct bench b = open_bench("pack:1 numa:1 gpu:4 core:4 pu:1");
    struct topo_shape *s = &b.tree->shapes[0];
    static const unsigned pairs[][2] = {{0, 2}, {1, 3}};
    free(s->gpu_links);
    s->gpu_links = calloc(16, sizeof(*s->gpu_links));
    for (unsigned i = 0; i < 2; i++) {
        s->gpu_links[pairs[i][0] * 4 + pairs[i][1]] = 50000;
        s->gpu_links[pairs[i][1] * 4 + pairs[i][0]] = 50000;
    }
    const struct slot_request two = {.cores = 1, .gpus = 2, .gpu_first = true};
    take(&b, &two, "cpu 0 gpu 0,2 mem 0", NULL);
    take(&b, &two, "cpu 1 gpu 1,3 mem 0", NULL);
    close_bench(&b);
}

Test(slot, cores_follow_the_gpus_and_say_what_those_nearer_lack)
{
    struct bench b = open_bench("pack:2 numa:1 gpu:1 core:2 pu:1");
    const struct slot_request one = {.cores = 1, .gpus = 1, .gpu_first = true};
    AUTO(idset) held = idset_make();
    idset_add_run(held, 2, 3); /* the cores of GPU 1 */
    cr_assert_eq(occupancy_claim(b.occ, 0, held, NULL, NULL), 0);
    take(&b, &one, "cpu 0 gpu 0 mem 0", "GPU 0 of NUMA 0");
    take(&b, &one, "cpu 1 gpu 1 mem 0", "GPU 1 of NUMA 1, which has 0 free cores");
    close_bench(&b);
}

Test(slot, threads_fill_a_core_or_keep_apart_by_what_binds_them)
{
    struct bench b = open_bench("pack:1 numa:1 l3:1 core:3 pu:2");
    struct bench c = open_bench("pack:1 numa:1 l3:1 core:3 pu:2");
    const struct slot_request memory = {.threads = 1, .traits = GM_BOUND_MEMORY};
    const struct slot_request compute = {.threads = 1, .traits = GM_BOUND_COMPUTE};
    static const char *const filled[] = {"cpu 0 mem 0", "cpu 1 mem 0", "cpu 2 mem 0"};
    static const char *const apart[] = {"cpu 0 mem 0", "cpu 2 mem 0", "cpu 4 mem 0"};
    for (unsigned i = 0; i < 3; i++) {
        take(&b, &memory, filled[i], NULL);
        take(&c, &compute, apart[i], NULL);
    }
    take(&c, &compute, "cpu 1 mem 0", "on siblings, since too few cores are free");
    close_bench(&b);
    close_bench(&c);
}

Test(slot, bytes_come_from_near_and_cores_stand_where_they_are)
{
    struct bench b = open_bench("pack:2 numa:1(memory=4GB) core:4 pu:1");
    const uint64_t each = b.tree->shapes[0].nodes[2].bytes;
    const struct slot_request half = {.cores = 1, .memory = each / 4 * 3};
    take(&b, &half, "cpu 0 mem 0", NULL);
    take(&b, &half, "cpu 4 mem 1", NULL); /* NUMA 0 has too little left */
    const struct slot_request rest = {.cores = 1, .memory = each / 2};
    take(&b, &rest, "cpu 1 mem 0-1", NULL); /* neither has so much alone */
    cr_expect_lt(occupancy_free_memory(b.occ, 0, 0), 4096);
    close_bench(&b);
}

/* More than a node has: apart ranks take nodes by twos, none a node that another has
 * drunk from, and say where the bytes come from. */
Test(slot, ranks_apart_stand_where_the_bytes_are)
{
    struct bench b = open_bench("pack:1 numa:4(memory=1GiB) core:2");
    struct slot_request req = {.cores = 1, .memory = UINT64_C(2) << 30, .spread = true};
    take(&b,
         &req,
         "cpu 0 mem 0-1",
         "; memory from NUMA 0-1, since its own has too little");
    take(&b,
         &req,
         "cpu 4 mem 2-3",
         "; memory from NUMA 2-3, since its own has too little");
    close_bench(&b);
}

Test(slot, a_rank_by_numa_never_leaves_its_node)
{
    struct bench b = open_bench("pack:2 numa:1 core:3 pu:1");
    const struct slot_request two = {.cores = 2, .numa = true, .spread = true};
    const struct slot_request whole = {.numa = true, .spread = true};
    cr_expect_eq(slot_room(b.tree, b.occ, 0, &two), 2, "three and three are two twos");
    take(&b, &two, "cpu 0-1 mem 0", NULL);
    take(&b, &two, "cpu 3-4 mem 1", NULL);
    cr_expect_eq(slot_room(b.tree, b.occ, 0, &two), 0);
    take(&b, &whole, "cpu 2 mem 0", "all that is free there");
    close_bench(&b);
}

Test(slot, pack_takes_the_fullest_domain_with_room)
{
    struct bench b = open_bench("pack:1 numa:1 l3:3 core:4 pu:1");
    const struct slot_request two = {.cores = 2};
    AUTO(idset) held = idset_make();
    idset_add_run(held, 4, 5);
    cr_assert_eq(occupancy_claim(b.occ, 0, held, NULL, NULL), 0);
    take(&b, &two, "cpu 6-7 mem 0", NULL);
    take(&b, &two, "cpu 0-1 mem 0", NULL);
    take(&b, &two, "cpu 2-3 mem 0", NULL);
    close_bench(&b);
}
