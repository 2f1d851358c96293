/* launch/launch.h: the line that a plan becomes; and, with the real mpirun, that every
 * rank is bound to the very PUs of the plan, as the kernel says. */
#include "base/clock.h"
#include "base/file.h"
#include "base/proc.h"
#include "base/str.h"
#include "launch/launch.h"
#include "topo/bind.h"
#include "topo/restree.h"

#include <criterion/criterion.h>
#include <sys/stat.h>

extern char **environ;

enum { MOST = 8 };

/* A plan with the fields that a launch looks at. */
struct sample {
    struct plan plan;
    struct plan_rank ranks[MOST];
    struct plan_host hosts[2];
};

static struct plan *sample(struct sample *s, unsigned n, const char *const *cpus)
{
    *s = (struct sample){.plan = {.id = "0123456789abcdef0123456789abcdef",
                                  .folder = "/tmp/a b/x.h5.gm",
                                  .binder = PLAN_BOUND_BY_LAUNCHER,
                                  .n_ranks = n,
                                  .n_hosts = 1}};
    s->hosts[0].name = "n0";
    s->hosts[1].name = "n1";
    for (unsigned r = 0; r < n; r++)
        s->ranks[r] =
            (struct plan_rank){.host = "n0", .cpus = cpus[r], .gpus = "", .reason = ""};
    s->plan.ranks = s->ranks;
    s->plan.hosts = s->hosts;
    return &s->plan;
}

static struct launch_line *line_of(const struct launch_backend *b,
                                   const struct plan *plan)
{
    struct launch_line *line = NULL;
    struct gm_error err = {0};
    int rc = b->line(plan, "/opt/gm/gridmill-runner", &line, &err);
    if (rc == -ENOENT)
        cr_skip_test("%s", err.text);
    cr_assert_eq(rc, 0, "%s", err.text);
    return line;
}

static bool has_word(const char *const *list, const char *word)
{
    for (; *list != NULL; list++) {
        if (strcmp(*list, word) == 0)
            return true;
    }
    return false;
}

static bool has_flag(const struct launch_line *l, const char *text)
{
    for (unsigned i = 0; i < l->n_flags; i++) {
        if (strcmp(l->flags[i].text, text) == 0)
            return true;
    }
    return false;
}

static const char *const two[] = {"1", "0,2-3"};

Test(launch, a_bound_plan_becomes_a_rankfile_of_the_kernels_numbers)
{
    struct sample s;
    AUTO(launch_line) l = line_of(&launch_mpirun, sample(&s, 2, two));
    cr_expect_str_eq(l->rankfile,
                     "rank 0=localhost slot=1\nrank 1=localhost slot=0,2-3\n");
    cr_expect(has_flag(l, "-n 2") && has_flag(l, "--mca pml ob1"));
    cr_expect(has_word(l->argv, "/tmp/a b/x.h5.gm/rankfile"),
              "blanks do not cut the folder");
    cr_expect_not(has_word(l->argv, "--oversubscribe"));
    cr_expect(has_word(l->env, "GRIDMILL_LAUNCH_RANKS=2"));
    cr_expect(has_word(l->env, "GRIDMILL_LAUNCH_ID=0123456789abcdef0123456789abcdef"));
}

Test(launch, the_runner_comes_last_with_the_plan)
{
    struct sample s;
    AUTO(launch_line) l = line_of(&launch_mpirun, sample(&s, 2, two));
    size_t n = 0;
    while (l->argv[n] != NULL)
        n++;
    cr_assert_geq(n, 5);
    cr_expect_str_eq(l->argv[n - 4], "/opt/gm/gridmill-runner");
    cr_expect_str_eq(l->argv[n - 3], "--plan");
    cr_expect_str_eq(l->argv[n - 2], "/tmp/a b/x.h5.gm/plan.json");
    cr_expect_str_eq(l->argv[n - 1], "--events");
}

Test(launch, every_flag_and_variable_has_a_reason)
{
    struct sample s;
    AUTO(launch_line) l = line_of(&launch_mpirun, sample(&s, 2, two));
    size_t words = 0;
    for (unsigned i = 0; i < l->n_flags; i++) {
        cr_expect_gt(strlen(l->flags[i].reason), 5, "%s", l->flags[i].text);
        if (strchr(l->flags[i].text, '=') == NULL || l->flags[i].text[0] == '-')
            words += 1;
    }
    for (size_t i = 0; l->env[i] != NULL; i++)
        cr_expect(has_flag(l, l->env[i]), "%s", l->env[i]);
    for (size_t i = 1; l->argv[i] != NULL && strstr(l->argv[i], "runner") == NULL; i++) {
        bool explained = l->argv[i][0] != '-';
        for (unsigned k = 0; k < l->n_flags && !explained; k++)
            explained = strstr(l->flags[k].text, l->argv[i]) != NULL;
        cr_expect(explained, "%s", l->argv[i]);
    }
    cr_expect_gt(words, 3);
}

Test(launch, ranks_that_share_cores_are_not_bound)
{
    static const char *const all[] = {"0-1", "0-1", "0-1"};
    struct sample s;
    struct plan *plan = sample(&s, 3, all);
    plan->oversubscribe = true;
    plan->binder = PLAN_UNBOUND;
    AUTO(launch_line) l = line_of(&launch_mpirun, plan);
    cr_expect_null(l->rankfile);
    cr_expect(has_flag(l, "--bind-to none"));
    cr_expect(has_word(l->env, "OMP_NUM_THREADS=1"));
}

Test(launch, several_hosts_are_named_and_keep_their_network)
{
    struct sample s;
    struct plan *plan = sample(&s, 2, two);
    plan->n_hosts = 2;
    s.ranks[1].host = "n1";
    AUTO(launch_line) l = line_of(&launch_mpirun, plan);
    cr_expect_str_eq(l->rankfile, "rank 0=n0 slot=1\nrank 1=n1 slot=0,2-3\n");
    cr_expect(has_flag(l, "--host n0:1,n1:1"));
    cr_expect_not(has_flag(l, "--mca pml ob1"));
    cr_expect(has_word(l->argv, "-x"));
}

Test(launch, threads_are_those_of_the_poorest_rank)
{
    struct sample s;
    struct plan *plan = sample(&s, 2, two);
    s.ranks[0].threads = 3;
    s.ranks[1].threads = 2;
    plan->binder = PLAN_BOUND_BY_RUNNER; /* they share a slot: so much is each one's */
    AUTO(launch_line) shared = line_of(&launch_mpirun, plan);
    cr_expect(has_word(shared->env, "OMP_NUM_THREADS=2"));
    plan->binder = PLAN_BOUND_BY_LAUNCHER;
    AUTO(launch_line) l = line_of(&launch_mpirun, plan);
    cr_expect(has_word(l->env, "OMP_NUM_THREADS=2"));
    cr_expect(has_word(l->env, "OPENBLAS_NUM_THREADS=2"));
    AUTO(launch_line) srun = line_of(&launch_srun, plan);
    cr_expect(has_word(srun->env, "OMP_NUM_THREADS=2"));
}

Test(launch, what_the_user_set_stands)
{
    cr_assert_eq(setenv("OMPI_MCA_pml", "cm", 1), 0);
    struct sample s;
    AUTO(launch_line) l = line_of(&launch_mpirun, sample(&s, 2, two));
    cr_expect_not(has_flag(l, "--mca pml ob1"));
}

Test(launch, a_launcher_that_is_not_there_is_named)
{
    struct sample s;
    struct launch_line *l = NULL;
    struct gm_error err;
    cr_assert_eq(setenv("GRIDMILL_MPIRUN", "/no/such/mpirun", 1), 0);
    cr_expect_eq(launch_mpirun.line(sample(&s, 2, two), "r", &l, &err), -ENOENT);
    cr_expect_not_null(strstr(err.text, "/no/such/mpirun"));
    cr_assert_eq(unsetenv("GRIDMILL_MPIRUN"), 0);
    cr_assert_eq(setenv("PATH", "/no/such/folder", 1), 0);
    cr_expect_eq(launch_mpirun.line(sample(&s, 2, two), "r", &l, &err), -ENOENT);
    cr_expect_not_null(strstr(err.text, "openmpi-bin"));
    cr_expect_null(l);
}

/* Two ranks of a core with two hardware threads each, which the kernel numbers 0 and 4, 1
 * and 5. */
static struct plan *
smt_sample(struct sample *s, struct plan_topology *topology, struct restree **tree)
{
    static const char *const cpus[] = {"0,4", "1,5"};
    cr_assert_eq(
        restree_load_synthetic("pack:2 core:2 pu:2(indexes=2*4:4*1)", tree, NULL), 0);
    *topology = (struct plan_topology){.digest = "", .xml = (*tree)->shapes[0].xml};
    struct plan *plan = sample(s, 2, cpus);
    plan->topologies = topology;
    plan->n_topologies = 1;
    return plan;
}

/* The words of a line with the variables left out: what is golden here. */
static char *words_of(const struct launch_line *l)
{
    struct str out = {0};
    for (size_t i = 0; l->argv[i] != NULL; i++)
        str_printf(&out, "%s%s", i > 0 ? " " : "", l->argv[i]);
    return str_steal(&out);
}

Test(launch, each_version_of_open_mpi_gets_its_own_words)
{
    static const struct {
        const char *name, *line, *rankfile;
    } cases[] = {
        {"ompi4",
         "mpirun -n 2 --enable-recovery --rankfile /f/rankfile --mca "
         "rmaps_rank_file_physical 1 "
         "--use-hwthread-cpus --mca pml ob1 --mca btl self,vader --mca plm isolated "
         "--mca ras ^slurm /r --plan /f/plan.json --events",
         "rank 0=localhost slot=0,4\nrank 1=localhost slot=1,5\n"},
        {"ompi5",
         "mpirun -n 2 --runtime-options recoverable --map-by "
         "rankfile:file=/f/rankfile:hwtcpus --mca pml ob1 --mca "
         "btl self,sm --prtemca plm ssh --prtemca ras ^slurm /r --plan /f/plan.json "
         "--events",
         "rank 0=localhost slot=0-1\nrank 1=localhost slot=2-3\n"},
    };
    AUTO(restree) tree = NULL;
    struct sample s;
    struct plan_topology topology;
    struct plan *plan = smt_sample(&s, &topology, &tree);
    plan->folder = "/f";
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct launch_line *l = NULL;
        struct gm_error err = {0};
        const struct launch_backend *b = launch_find(cases[i].name);
        cr_assert_not_null(b);
        cr_assert_eq(b->line(plan, "/r", &l, &err), 0, "%s", err.text);
        AUTO_STR want = {0};
        const char *rest = strstr(cases[i].line, i == 0 ? "--rankfile" : "--map-by");
        str_printf(&want,
                   "%.*s%s%s",
                   (int)(rest - cases[i].line),
                   cases[i].line,
                   geteuid() == 0 ? "--allow-run-as-root " : "",
                   rest);
        AUTO_FREE(char) line = words_of(l);
        cr_expect_str_eq(line, want.text);
        cr_expect_str_eq(l->rankfile, cases[i].rankfile);
        launch_line_free(l);
    }
}

Test(launch, a_cpu_that_open_mpi_5_could_not_count_is_named)
{
    AUTO(restree) tree = NULL;
    struct sample s;
    struct plan_topology topology;
    struct plan *plan = smt_sample(&s, &topology, &tree);
    struct launch_line *l = NULL;
    struct gm_error err = {0};
    s.ranks[1].cpus = "9";
    cr_expect_eq(launch_ompi5.line(plan, "/r", &l, &err), -EINVAL);
    cr_expect_str_eq(err.text, "rank 1: CPU 9 is not in the topology of n0");
    s.ranks[1].cpus = "1";
    plan->n_topologies = 0;
    cr_expect_eq(launch_ompi5.line(plan, "/r", &l, &err), -EINVAL);
    cr_expect_null(l);
}

Test(launch, every_name_is_found_and_no_other)
{
    for (const char *const *n = launch_names(); *n != NULL; n++)
        cr_expect_not_null(launch_find(*n), "%s", *n);
    cr_expect_null(launch_find("ompi6"));
    cr_expect_null(launch_find(""));
}

Test(launch, the_line_is_quoted_for_a_shell)
{
    static const char *const argv[] = {
        "run", "plain-1.0", "a b", "it's", "", "$x", "*", NULL};
    static const char *const env[] = {"A=b c", "B=1", NULL};
    struct launch_line l = {.argv = argv, .env = env};
    AUTO_FREE(char) text = launch_line_format(&l);
    cr_expect_str_eq(text, "A='b c' B=1 run plain-1.0 'a b' 'it'\\''s' '' '$x' '*'");
}

Test(launch, the_model_backend_starts_nothing_with_the_same_words)
{
    struct sample s;
    AUTO(launch_line) l = line_of(&launch_dryrun, sample(&s, 2, two));
    AUTO_FREE(char) text = launch_line_format(l);
    cr_expect_str_eq(
        text,
        "GRIDMILL_LAUNCH_RANKS=2 GRIDMILL_LAUNCH_ID=0123456789abcdef0123456789abcdef "
        "true /opt/gm/gridmill-runner --plan '/tmp/a b/x.h5.gm/plan.json' --events");
    launch_line_free(NULL);
}

/* ---- the real mpirun ---- */

static const char **with_environment(const char *const *add)
{
    size_t n = 0, m = 0;
    while (environ[n] != NULL)
        n++;
    while (add[m] != NULL)
        m++;
    const char **all = calloc(n + m + 1, sizeof(*all));
    memcpy(all, add, m * sizeof(*all));
    memcpy(all + m, environ, n * sizeof(*all));
    return all;
}

static char *output_of(const struct launch_line *l)
{
    const char **env = with_environment(l->env);
    int out[2];
    cr_assert_eq(proc_pipe(out, NULL), 0);
    struct proc_spec spec = {
        .argv = l->argv, .env = env, .in = -1, .out = out[1], .err = STDERR_FILENO};
    pid_t pid;
    struct gm_error err = {0};
    cr_assert_eq(proc_spawn(&spec, &pid, &err), 0, "%s", err.text);
    close(out[1]);
    free(env);
    struct str text = {0};
    char buf[512];
    for (ssize_t n; (n = read(out[0], buf, sizeof(buf))) > 0;)
        str_add_n(&text, buf, (size_t)n);
    close(out[0]);
    struct proc_end end;
    cr_assert_eq(proc_reap(pid, true, &end), 1);
    cr_assert_eq(end.status, 0, "mpirun: status %d, signal %d", end.status, end.signal);
    return str_steal(&text);
}

/* A "runner" that says which rank it is, how many were launched, and where it may run. */
static const char script[] =
    "#!/bin/sh\n"
    "cpus=$(sed -n 's/^Cpus_allowed_list:[[:space:]]*//p' /proc/self/status)\n"
    "echo \"[$OMPI_COMM_WORLD_RANK/$GRIDMILL_LAUNCH_RANKS $cpus]\"\n";

static char *run_plan(struct plan *plan)
{
    char folder[] = "/tmp/gridmill-launch-XXXXXX";
    cr_assert_not_null(mkdtemp(folder));
    plan->folder = folder;
    char runner[64], rankfile[64];
    (void)snprintf(runner, sizeof(runner), "%s/runner", folder);
    (void)snprintf(rankfile, sizeof(rankfile), "%s/rankfile", folder);
    struct gm_error err = {0};
    cr_assert_eq(file_write(runner, script, sizeof(script) - 1, &err), 0, "%s", err.text);
    cr_assert_eq(chmod(runner, 0755), 0);
    struct launch_line *l = NULL;
    int rc = launch_mpirun.line(plan, runner, &l, &err);
    if (rc == 0 && l->rankfile != NULL)
        rc = file_write(rankfile, l->rankfile, strlen(l->rankfile), &err);
    char *text = rc == 0 ? output_of(l) : NULL;
    launch_line_free(l);
    cr_assert_eq(file_remove_tree(folder, NULL), 0);
    if (rc == -ENOENT)
        cr_skip_test("%s", err.text);
    cr_assert_eq(rc, 0, "%s", err.text);
    return text;
}

Test(launch, real_ranks_are_bound_to_exactly_the_plans_cpus)
{
    AUTO(idset) mine = NULL;
    cr_assert_eq(bind_read(0, &mine, NULL), 0);
    if (idset_count(mine) < 2)
        cr_skip_test("needs two PUs");
    char first[16], second[16], both[40], want[2][64];
    int64_t a = idset_next(mine, 0), b = idset_next(mine, (unsigned)a + 1);
    (void)snprintf(first, sizeof(first), "%d", (int)a);
    (void)snprintf(second, sizeof(second), "%d", (int)b);
    AUTO_FREE(char) pair = NULL;
    AUTO(idset) set = idset_make();
    idset_add(set, (unsigned)a);
    idset_add(set, (unsigned)b);
    pair = idset_format(set);
    (void)snprintf(both, sizeof(both), "%s", pair);

    const char *const backwards[] = {second,
                                     first}; /* not what mpirun would do by itself */
    struct sample s;
    AUTO_FREE(char) text = run_plan(sample(&s, 2, backwards));
    (void)snprintf(want[0], sizeof(want[0]), "[0/2 %s]", second);
    (void)snprintf(want[1], sizeof(want[1]), "[1/2 %s]", first);
    cr_expect(strstr(text, want[0]) != NULL && strstr(text, want[1]) != NULL, "%s", text);

    const char *const wide[] = {both};
    AUTO_FREE(char) one = run_plan(sample(&s, 1, wide));
    (void)snprintf(want[0], sizeof(want[0]), "[0/1 %s]", both);
    cr_expect_not_null(strstr(one, want[0]), "%s", one);
}

Test(launch, real_ranks_that_share_are_left_as_they_are)
{
    AUTO(idset) mine = NULL;
    cr_assert_eq(bind_read(0, &mine, NULL), 0);
    AUTO_FREE(char) cpus = idset_format(mine);
    const char *const all[] = {cpus, cpus, cpus, cpus, cpus};
    struct sample s;
    struct plan *plan = sample(&s, 5, all);
    plan->oversubscribe = true;
    plan->binder = PLAN_UNBOUND;
    AUTO_FREE(char) text = run_plan(plan);
    for (int r = 0; r < 5; r++) {
        AUTO_STR want = {0};
        str_printf(&want, "[%d/5 %s]", r, cpus);
        cr_expect_not_null(strstr(text, want.text), "%s not in %s", want.text, text);
    }
}
