/* sched/remedy.h, by place_map's refusals: what a refusal names is tried here once more,
 * and one number nearer to what was asked for does not fit. */
#include "base/str.h"
#include "sched/place.h"
#include "sched/remedy.h"

#include <criterion/criterion.h>

static struct restree *load(const char *text)
{
    struct restree *tree = NULL;
    struct gm_error err = {0};
    cr_assert_eq(restree_load_synthetic(text, &tree, &err), 0, "%s: %s", text, err.text);
    return tree;
}

static int try(const struct restree *tree, const struct place_request *req, char *text)
{
    AUTO(occupancy) occ = occupancy_make(tree);
    AUTO(placement) p = NULL;
    struct gm_error err = {0};
    int rc = place_map(tree, occ, req, &p, &err);
    (void)snprintf(text, sizeof(err.text), "%s", err.text);
    return rc;
}

static const struct {
    const char *machine;
    struct place_request req;
    const char *says; /* all of the refusal */
} refusals[] = {
    {"host:2 core:8 gpu:2",
     {.ranks = 2, .gpus = 4, .mapping = "auto"},
     "a rank of 4 GPUs fits on no host: the largest (n0) lets us use 2: ask for --gpus "
     "2"},
    {"host:2 core:8 gpu:2",
     {.ranks = 5, .gpus = 1, .mapping = "auto"},
     "5 ranks of 1 GPU need 5 GPUs, these 2 hosts let us use 4: ask for --ranks 4, or "
     "--gpus 0"},
    {"host:2 core:8",
     {.ranks = 3, .cores = 6, .mapping = "pack"},
     "3 ranks of 6 cores need 18 cores, these 2 hosts let us use 16: ask for --ranks 2, "
     "or --cores 4, or --oversubscribe"},
    {"host:2 core:8",
     {.ranks = 4, .cores = 4, .nodes = 1, .mapping = "pack"},
     "4 ranks of 4 cores cannot be cut to fit the hosts: ask for --ranks 2, or --nodes "
     "2, or --cores 2"},
    {"host:2 core:4 pu:2",
     {.ranks = 4, .threads = 6, .mapping = "pack"},
     "4 ranks of 6 PUs need 24 PUs, these 2 hosts let us use 16: ask for --threads 4, or "
     "--ranks 2, or --oversubscribe"},
    {"host:4 core:4",
     {.ranks = 8, .ranks_per_node = 1, .mapping = "pack"},
     "8 ranks of 1 core cannot be cut to fit the hosts: ask for --ranks 4, or "
     "--ranks-per-node 2"},
    {"pack:2 numa:1 core:4",
     {.ranks = 1, .cores = 6, .mapping = "numa"},
     "a rank of 6 cores fits in no NUMA node: the largest (of n0) lets us use 4: ask for "
     "--cores 4, or --mapping auto, or --oversubscribe"},
    {"host:3 core:2",
     {.nodes = 5, .ranks_per_node = 2, .mapping = "pack"},
     "nodes: 5 hosts are wanted, and there are 3: ask for --nodes 3"},
    {"host:4 core:8",
     {.nodes = 4, .ranks_per_node = 9, .mapping = "pack"},
     "36 ranks of 1 core need 36 cores, these 4 hosts let us use 32: ask for "
     "--ranks-per-node 8, or --oversubscribe"},
    {"host:4 core:8", /* a stencil of 4 x 10 is of no fewer */
     {.ranks = 40, .least_ranks = 40, .mapping = "pack"},
     "40 ranks of 1 core need 40 cores, these 4 hosts let us use 32: ask for "
     "--oversubscribe"},
    {"host:4 core:8",
     {.nodes = 8, .ranks_per_node = 1, .least_ranks = 8, .mapping = "pack"},
     "nodes: 8 hosts are wanted, and there are 4, and no change of one or two "
     "numbers helps"},
    {"[numa(memory=0)] core:4",
     {.ranks = 1, .memory = 1 << 20, .mapping = "auto"},
     "a rank of 1.0 MiB fits on no host: none tells its memory: leave memory out"},
    {"pack:2 core:4 gpu:1",
     {.ranks = 5, .gpus = 1, .least_ranks = 5, .mapping = "auto"},
     "5 ranks of 1 GPU need 5 GPUs, this machine lets us use 2: ask for --gpus 0, or 3 "
     "such hosts"},
    {"host:2 core:4 gpu:1",
     {.ranks = 8, .cores = 3, .gpus = 2, .mapping = "pack"},
     "a rank of 2 GPUs fits on no host: the largest (n0) lets us use 1: ask for --ranks "
     "2 "
     "with --gpus 1"},
    {"core:4",
     {.ranks = 2, .gpus = 1, .mapping = "gpu-near"},
     "a rank of 1 GPU fits on no host: there is no GPU that we may use: ask for "
     "--mapping auto with --gpus 0"},
};

Test(remedy, a_refusal_names_the_least_changes_that_fit)
{
    for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
        AUTO(restree) tree = load(refusals[i].machine);
        char text[sizeof(((struct gm_error *)0)->text)];
        cr_expect_eq(try(tree, &refusals[i].req, text), -EOVERFLOW);
        cr_expect_str_eq(text, refusals[i].says, "%zu: %s", i, text);
    }
}

Test(remedy, slots_of_hosts_are_a_reason_of_their_own)
{
    AUTO(restree) tree = load("host:2 core:8");
    struct place_request req = {.ranks = 7, .mapping = "auto"};
    char text[sizeof(((struct gm_error *)0)->text)];
    tree->hosts[0].slots = tree->hosts[1].slots = 3;
    cr_expect_eq(try(tree, &req, text), -EOVERFLOW);
    cr_expect_str_eq(text,
                     "7 ranks, but the hosts take 6 by their slots: ask for --ranks 6",
                     "%s",
                     text);
    tree->hosts[1].slots = 0;
    cr_expect_eq(try(tree, &req, text), 0, "%s", text);
}

Test(remedy, memory_is_offered_in_whole_mebibytes)
{
    AUTO(restree) tree = load("numa:1(memory=1GB) core:4");
    struct place_request req = {
        .ranks = 4, .memory = UINT64_C(300) << 20, .mapping = "auto"};
    AUTO_STR out = {0};
    remedy_add(tree, &req, &out);
    cr_expect_str_eq(str_text(&out), "--memory 238MiB, or --ranks 3, or 2 such hosts");
    char text[sizeof(((struct gm_error *)0)->text)];
    req.memory = UINT64_C(238) << 20;
    cr_expect_eq(try(tree, &req, text), 0, "%s", text);
    req.memory = UINT64_C(239) << 20;
    cr_expect_eq(try(tree, &req, text), -EOVERFLOW);
}

Test(remedy, nothing_is_said_where_nothing_helps_and_where_all_fits)
{
    AUTO(restree) tree = load("core:4");
    AUTO(idset) none = idset_make();
    struct place_request req = {.ranks = 1, .mapping = "auto", .hosts = none};
    AUTO_STR out = {0};
    remedy_add(tree, &req, &out);
    cr_expect_str_eq(str_text(&out), "");
    char text[sizeof(((struct gm_error *)0)->text)];
    cr_expect_eq(try(tree, &req, text), -EOVERFLOW);
    cr_expect_str_eq(text, "there is no host that the job may use");
}

/* Applies one change of the text to the request; false: there is none left. */
static bool apply_next(const char **at, struct place_request *r)
{
    const struct {
        const char *option;
        unsigned *to;
    } numbers[] = {
        {"--ranks ", &r->ranks},
        {"--nodes ", &r->nodes},
        {"--ranks-per-node ", &r->ranks_per_node},
        {"--cores ", &r->cores},
        {"--gpus ", &r->gpus},
    };
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        size_t n = strlen(numbers[i].option);
        char *end;
        if (strncmp(*at, numbers[i].option, n) != 0)
            continue;
        *numbers[i].to = (unsigned)strtoul(*at + n, &end, 10);
        *at = end;
        return true;
    }
    if (strncmp(*at, "--oversubscribe", 15) == 0) {
        r->oversubscribe = true;
        *at += 15;
        return true;
    }
    return false;
}

/* "10 such hosts": it fits on so many, and not on one less. */
static bool try_hosts(const char **at, const char *machine, struct place_request *r)
{
    char *end, more[80], text[sizeof(((struct gm_error *)0)->text)];
    unsigned long n = strtoul(*at, &end, 10);
    if (n == 0 || strncmp(end, " such hosts", 11) != 0)
        return false;
    *at = end + 11;
    for (unsigned k = 0; k < 2; k++) {
        (void)snprintf(more, sizeof(more), "host:%lu%s", n - k, machine + 6);
        AUTO(restree) tree = load(more);
        cr_assert_eq(try(tree, r, text), k == 0 ? 0 : -EOVERFLOW, "%s: %s", more, text);
    }
    return true;
}

Test(remedy, what_is_named_fits)
{
    unsigned seed = 3, named = 0;
    for (unsigned k = 0; k < 400; k++) {
        char machine[80];
        (void)snprintf(machine,
                       sizeof(machine),
                       "host:%d core:%d gpu:%d",
                       1 + rand_r(&seed) % 4,
                       1 + rand_r(&seed) % 6,
                       1 + rand_r(&seed) % 3);
        AUTO(restree) tree = load(machine);
        struct place_request req = {.ranks = 1 + (unsigned)rand_r(&seed) % 12,
                                    .cores = 1 + (unsigned)rand_r(&seed) % 8,
                                    .gpus = (unsigned)rand_r(&seed) % 5,
                                    .mapping = "auto"};
        if (rand_r(&seed) % 2 == 0)
            req.nodes = 1 + (unsigned)rand_r(&seed) % req.ranks;
        char text[sizeof(((struct gm_error *)0)->text)];
        int rc = try(tree, &req, text);
        cr_assert(rc == 0 || rc == -EOVERFLOW);
        AUTO_STR out = {0};
        if (rc != 0)
            remedy_add(tree, &req, &out);
        for (const char *at = str_text(&out); *at != '\0'; named++) {
            struct place_request changed = req;
            if (try_hosts(&at, machine, &req))
                continue;
            bool read = apply_next(&at, &changed);
            if (read && strncmp(at, " with ", 6) == 0) {
                at += 6;
                read = apply_next(&at, &changed);
            }
            cr_assert(read, "%s: '%s'", machine, out.text);
            cr_assert_eq(
                try(tree, &changed, text), 0, "%s: %s: %s", machine, out.text, text);
            at += strncmp(at, ", or ", 5) == 0 ? 5 : 0;
        }
    }
    cr_expect_gt(named, 100);
}
