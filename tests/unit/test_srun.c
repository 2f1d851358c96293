/* launch/srun.c: what one srun line can say of a plan, and what it cannot. */
#include "base/str.h"
#include "launch/ask.h"
#include "launch/launch.h"

#include <criterion/criterion.h>

enum { MOST = 8 };

/* "HOST CPUS" a rank. */
struct sample {
    struct plan plan;
    struct plan_rank ranks[MOST];
    struct plan_host hosts[2];
};

static struct plan *sample(struct sample *s, unsigned n, const char *const (*ranks)[2])
{
    *s = (struct sample){.hosts = {{.name = "n0"}, {.name = "n1"}},
                         .plan = {.id = "id",
                                  .folder = "/f",
                                  .binder = PLAN_BOUND_BY_LAUNCHER,
                                  .n_ranks = n,
                                  .n_hosts = 2}};
    for (unsigned r = 0; r < n; r++)
        s->ranks[r] = (struct plan_rank){
            .host = ranks[r][0], .cpus = ranks[r][1], .gpus = "", .reason = ""};
    s->plan.ranks = s->ranks;
    s->plan.hosts = s->hosts;
    return &s->plan;
}

static char *words_of(const struct launch_line *l)
{
    struct str out = {0};
    for (size_t i = 0; l->argv[i] != NULL; i++)
        str_printf(&out, "%s%s", i > 0 ? " " : "", l->argv[i]);
    return str_steal(&out);
}

static void expect_line(const struct plan *plan, const char *binding, const char *hosts)
{
    AUTO(launch_line) l = NULL;
    struct gm_error err = {0};
    cr_assert_eq(launch_srun.line(plan, "/r", &l, &err), 0, "%s", err.text);
    AUTO_STR want = {0};
    str_printf(&want,
               "srun --mpi=pmix --ntasks=%u --distribution=arbitrary %s --overlap "
               "--kill-on-bad-exit=0 --no-kill --wait=0 --export=ALL --input=none /r "
               "--plan /f/plan.json "
               "--events",
               plan->n_ranks,
               binding);
    AUTO_FREE(char) got = words_of(l);
    cr_expect_str_eq(got, want.text);
    cr_expect_str_eq(l->rankfile, hosts);
    for (unsigned i = 0; i < l->n_flags; i++)
        cr_expect_gt(strlen(l->flags[i].reason), 5, "%s has a reason", l->flags[i].text);
    unsigned told = 0;
    for (size_t i = 0; l->env[i] != NULL; i++)
        told += strcmp(l->env[i], "SLURM_HOSTFILE=/f/rankfile") == 0 ||
                strcmp(l->env[i], "SLURM_PMIX_FENCE=ring") == 0;
    cr_expect_eq(told, 2, "srun is told where the hosts are, and how to wait");
}

Test(srun, hosts_alike_get_a_mask_for_each_of_their_ranks)
{
    /* interleaved, and the second host has a rank less */
    static const char *const ranks[][2] = {
        {"n0", "0-1"}, {"n1", "0-1"}, {"n0", "2,4"}, {"n1", "2,4"}, {"n0", "7"}};
    struct sample s;
    expect_line(sample(&s, 5, ranks),
                "--cpu-bind=mask_cpu:0x3,0x14,0x80 --mem-bind=local",
                "n0\nn1\nn0\nn1\nn0\n");
}

Test(srun, masks_go_beyond_64_cpus)
{
    static const char *const ranks[][2] = {{"n0", "0,64,127"}, {"n0", "255"}};
    struct sample s;
    expect_line(
        sample(&s, 2, ranks),
        "--cpu-bind=mask_cpu:0x80000000000000010000000000000001,0x8000000000000000"
        "000000000000000000000000000000000000000000000000 --mem-bind=local",
        "n0\nn0\n");
}

Test(srun, hosts_that_differ_are_more_than_one_line_can_say)
{
    static const char *const ranks[][2] = {{"n0", "0"}, {"n0", "1"}, {"n1", "1"}};
    struct sample s;
    struct plan *plan = sample(&s, 3, ranks);
    struct launch_line *l = NULL;
    struct gm_error err = {0};
    cr_expect_eq(launch_srun.line(plan, "/r", &l, &err), -ENOTSUP);
    cr_expect_null(l);
    cr_expect_str_eq(
        err.text,
        "srun binds the k-th rank of every host alike, but rank 0 has CPUs 0 "
        "of n0 and rank 2 CPUs 1 of n1");
    plan->binder = PLAN_BOUND_BY_RUNNER;
    expect_line(plan, "--cpu-bind=none --overcommit", "n0\nn0\nn1\n");
}

Test(srun, ranks_that_share_cores_are_bound_by_nobody)
{
    static const char *const ranks[][2] = {{"n0", "0-1"}, {"n0", "0-1"}, {"n1", "0-1"}};
    struct sample s;
    struct plan *plan = sample(&s, 3, ranks);
    plan->oversubscribe = true;
    plan->binder = PLAN_UNBOUND;
    expect_line(plan, "--cpu-bind=none --overcommit", "n0\nn0\nn1\n");
}

/* A host of ranks without GPUs could not give as many as the others. */
Test(srun, a_plan_with_gpus_asks_for_them_and_leaves_them_visible)
{
    static const char *const ranks[][2] = {{"n0", "0"}, {"n0", "1"}, {"n1", "0"}};
    static const struct {
        const char *gpus[3], *want;
    } of[] = {{{"1", "0", "0"}, " --gpus-per-node=2 --gpu-bind=none "},
              {{"0", "", "2-3"}, " --gpus-per-node=4 --gpu-bind=none "},
              {{"1", "0", ""}, " --mem-bind=local --gpu-bind=none "},
              {{"", "", ""}, " --mem-bind=local --overlap "}};
    for (size_t i = 0; i < sizeof(of) / sizeof(of[0]); i++) {
        struct sample s;
        struct plan *plan = sample(&s, 3, ranks);
        for (unsigned r = 0; r < 3; r++)
            s.ranks[r].gpus = of[i].gpus[r];
        plan->binder = PLAN_BOUND_BY_LAUNCHER;
        AUTO(launch_line) l = NULL;
        cr_assert_eq(launch_srun.line(plan, "/r", &l, NULL), 0);
        AUTO_FREE(char) got = words_of(l);
        cr_expect_not_null(strstr(got, of[i].want), "%s: %s", of[i].want, got);
    }
}

Test(srun, each_host_is_asked_once_by_a_process_that_nobody_binds)
{
    char names[][3] = {"n1", "n2", "x"};
    struct alloc_host hosts[] = {
        {.name = names[0]}, {.name = names[1]}, {.name = names[2]}};
    struct ask a = {.backend = &launch_srun,
                    .hosts = hosts,
                    .n_hosts = 3,
                    .runner = "/r",
                    .see = "/f/token",
                    .xml = true};
    AUTO(launch_line) l = NULL;
    cr_assert_eq(ask_hosts(&a, &l, NULL), 0);
    AUTO_FREE(char) got = words_of(l);
    cr_expect_str_eq(got,
                     "srun --mpi=none --overlap --cpu-bind=none --input=none "
                     "--ntasks-per-node=1 --nodes=3 --ntasks=3 --nodelist=n[1-2],x /r "
                     "--probe --see /f/token --xml");
    AUTO(launch_line) m = NULL;
    struct gm_error err = {0};
    a.backend = &launch_mpirun;
    a.see = NULL;
    a.xml = false;
    if (ask_hosts(&a, &m, &err) == -ENOENT)
        cr_skip_test("%s", err.text);
    AUTO_FREE(char) line = words_of(m);
    cr_expect_not_null(
        strstr(line, " --map-by ppr:1:node --bind-to none --host n1,n2,x /r --probe"));
}
