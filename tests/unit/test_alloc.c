/* launch/alloc.h: the environments that launchers make, as tables. */
#include "launch/alloc.h"

#include <criterion/criterion.h>
#include <stdlib.h>

/* Only what a row sets is in the environment. */
static void set_environment(const char *const *env)
{
    cr_assert_eq(clearenv(), 0);
    for (; *env != NULL; env += 2)
        cr_assert_eq(setenv(env[0], env[1], 1), 0);
}

struct row {
    const char *what;
    const char *const env[20];
    enum alloc_launcher launcher;
    int n_ranks, rank, world; /* world: what MPI sees */
    const char *refuses;      /* a word of the sentence, or NULL: fine */
};

static const struct row rows[] = {
    {"a plain process", {NULL}, ALLOC_NONE, -1, -1, 1, NULL},
    {"mpirun",
     {"OMPI_COMM_WORLD_SIZE", "4", "OMPI_COMM_WORLD_RANK", "2"},
     ALLOC_MPIRUN,
     4,
     2,
     4,
     NULL},
    {"mpirun of another MPI",
     {"OMPI_COMM_WORLD_SIZE", "4", "OMPI_COMM_WORLD_RANK", "0"},
     ALLOC_MPIRUN,
     4,
     0,
     1,
     "built against"},
    {"gridmill run",
     {"OMPI_COMM_WORLD_SIZE",
      "2",
      "OMPI_COMM_WORLD_RANK",
      "1",
      "GRIDMILL_LAUNCH_RANKS",
      "2"},
     ALLOC_OURS,
     2,
     1,
     2,
     NULL},
    {"gridmill run, the wrong mpirun",
     {"PMI_SIZE", "2", "PMI_RANK", "1", "GRIDMILL_LAUNCH_RANKS", "2"},
     ALLOC_OURS,
     2,
     1,
     1,
     "GRIDMILL_MPIRUN"},
    {"srun --mpi=pmix",
     {"SLURM_JOB_ID",
      "7",
      "SLURM_STEP_ID",
      "0",
      "SLURM_STEP_NUM_TASKS",
      "4",
      "SLURM_PROCID",
      "3"},
     ALLOC_SRUN,
     4,
     3,
     4,
     NULL},
    {"srun without PMIx",
     {"SLURM_JOB_ID",
      "7",
      "SLURM_STEP_ID",
      "0",
      "SLURM_STEP_NUM_TASKS",
      "4",
      "SLURM_PROCID",
      "0"},
     ALLOC_SRUN,
     4,
     0,
     1,
     "srun --mpi=pmix"},
    {"srun of one task",
     {"SLURM_JOB_ID",
      "7",
      "SLURM_STEP_ID",
      "3",
      "SLURM_STEP_NUM_TASKS",
      "1",
      "SLURM_PROCID",
      "0"},
     ALLOC_SRUN,
     1,
     0,
     1,
     NULL},
    {"an sbatch shell",
     {"SLURM_JOB_ID", "7", "SLURM_NTASKS", "4", "SLURM_PROCID", "0"},
     ALLOC_SLURM_SHELL,
     -1,
     -1,
     1,
     NULL},
    {"an sbatch shell that names its step",
     {"SLURM_JOB_ID",
      "7",
      "SLURM_NTASKS",
      "4",
      "SLURM_STEP_ID",
      "4294967291",
      "SLURM_STEP_NUM_TASKS",
      "4"},
     ALLOC_SLURM_SHELL,
     -1,
     -1,
     1,
     NULL},
    {"an salloc shell in a step of its own",
     {"SLURM_JOB_ID", "7", "SLURM_STEP_ID", "4294967290", "SLURM_STEP_NUM_TASKS", "4"},
     ALLOC_SLURM_SHELL,
     -1,
     -1,
     1,
     NULL},
    {"a terminal in a step",
     {"SLURM_JOB_ID",
      "7",
      "SLURM_STEP_ID",
      "0",
      "SLURM_STEP_NUM_TASKS",
      "4",
      "SLURM_PTY_PORT",
      "4711"},
     ALLOC_SLURM_SHELL,
     -1,
     -1,
     1,
     NULL},
    {"mpirun in a step",
     {"SLURM_JOB_ID",
      "7",
      "SLURM_STEP_ID",
      "0",
      "SLURM_STEP_NUM_TASKS",
      "1",
      "SLURM_PROCID",
      "0",
      "OMPI_COMM_WORLD_SIZE",
      "4",
      "OMPI_COMM_WORLD_RANK",
      "1"},
     ALLOC_MPIRUN,
     4,
     1,
     4,
     NULL},
    {"MPICH's mpiexec",
     {"PMI_SIZE", "3", "PMI_RANK", "2"},
     ALLOC_PMI,
     3,
     2,
     1,
     "Open MPI"},
    {"two jobs in one",
     {"OMPI_COMM_WORLD_SIZE", "4", "OMPI_COMM_WORLD_RANK", "0"},
     ALLOC_MPIRUN,
     4,
     0,
     2,
     "not one job"},
    {"numbers that are none",
     {"OMPI_COMM_WORLD_SIZE",
      "x4",
      "GRIDMILL_LAUNCH_RANKS",
      "-2",
      "PMI_SIZE",
      "99999999999999999999"},
     ALLOC_NONE,
     -1,
     -1,
     1,
     NULL},
};

Test(alloc, every_launcher_is_known_and_a_mislaunch_is_refused_with_its_cure)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct row *r = &rows[i];
        set_environment(r->env);
        struct alloc a;
        alloc_read(&a);
        cr_expect(a.launcher == r->launcher && a.n_ranks == r->n_ranks &&
                      a.rank == r->rank,
                  "%s: launcher %d, %d ranks, rank %d",
                  r->what,
                  (int)a.launcher,
                  a.n_ranks,
                  a.rank);
        struct gm_error err = {0};
        int rc = alloc_check(&a, r->world, &err);
        cr_expect_eq(rc, r->refuses != NULL ? -EINVAL : 0, "%s: %s", r->what, err.text);
        if (r->refuses != NULL)
            cr_expect_not_null(strstr(err.text, r->refuses), "%s: %s", r->what, err.text);
        cr_expect_null(strchr(err.text, '\n'), "one line");
    }
}

Test(alloc, the_sentence_names_launcher_and_both_counts)
{
    static const char *const env[] = {
        "SLURM_STEP_ID", "0", "SLURM_STEP_NUM_TASKS", "4", NULL};
    set_environment(env);
    struct alloc a;
    struct gm_error err;
    alloc_read(&a);
    cr_assert_eq(alloc_check(&a, 1, &err), -EINVAL);
    cr_expect_str_eq(
        err.text,
        "srun started 4 ranks, but MPI sees 1, so each would compute the whole "
        "job: start it with srun --mpi=pmix");
}

Test(alloc, srun_without_any_pmi_is_refused_before_mpi_starts)
{
    static const struct {
        const char *const env[8];
        bool fine;
    } cases[] = {
        {{NULL}, true},
        {{"SLURM_STEP_ID", "0", "SLURM_STEP_NUM_TASKS", "4", NULL}, false},
        {{"SLURM_STEP_ID", "0", "SLURM_STEP_NUM_TASKS", "1", NULL}, true},
        {{"SLURM_STEP_ID", "0", "SLURM_STEP_NUM_TASKS", "4", "PMIX_RANK", "0", NULL},
         true},
        {{"OMPI_COMM_WORLD_SIZE", "4", NULL}, true},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        set_environment(cases[i].env);
        struct alloc a;
        struct gm_error err = {0};
        alloc_read(&a);
        cr_expect_eq(
            alloc_check_start(&a, &err) == 0, cases[i].fine, "%zu: %s", i, err.text);
        cr_expect(
            cases[i].fine || strstr(err.text, "--mpi=pmix") != NULL, "%s", err.text);
    }
}

Test(alloc, only_the_first_of_many_speaks)
{
    for (int rank = -1; rank < 4; rank++) {
        struct alloc a = {.launcher = ALLOC_MPIRUN, .n_ranks = 4, .rank = rank};
        cr_expect_eq(alloc_speaks(&a), rank <= 0);
    }
}

Test(alloc, a_program_that_starts_ranks_itself_refuses_to_be_several)
{
    static const struct {
        struct alloc a;
        bool fine;
    } cases[] = {
        {{.launcher = ALLOC_NONE, .n_ranks = -1}, true},
        {{.launcher = ALLOC_SLURM_SHELL, .n_ranks = -1}, true},
        {{.launcher = ALLOC_SRUN, .n_ranks = 1}, true},
        {{.launcher = ALLOC_SRUN, .n_ranks = 4}, false},
        {{.launcher = ALLOC_MPIRUN, .n_ranks = 2}, false},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct gm_error err = {0};
        cr_expect_eq(alloc_check_alone(&cases[i].a, "gridmill run", &err) == 0,
                     cases[i].fine,
                     "%zu: %s",
                     i,
                     err.text);
    }
}

Test(alloc, job_id_and_end_of_a_slurm_allocation_are_told)
{
    static const char *const env[] = {"SLURM_JOB_ID",
                                      "42",
                                      "SLURM_JOB_END_TIME",
                                      "1700000000",
                                      "GRIDMILL_LAUNCH_ID",
                                      "x",
                                      NULL};
    set_environment(env);
    struct alloc a;
    alloc_read(&a);
    cr_expect_str_eq(a.job_id, "42");
    cr_expect_eq(a.end, 1700000000.0);
    cr_expect_null(a.launch_id, "it belongs to GRIDMILL_LAUNCH_RANKS");
}

Test(alloc, a_command_does_not_inherit_what_is_said_to_its_rank)
{
    static const char *const private[] = {"SLURM_PROCID",
                                          "SLURM_STEP_ID",
                                          "SLURM_STEPID",
                                          "SLURM_CPU_BIND",
                                          "MPI_LOCALRANKID",
                                          "OMPI_COMM_WORLD_RANK",
                                          "PMIX_NAMESPACE",
                                          "PMI_FD",
                                          "GRIDMILL_LAUNCH_ID",
                                          "OMPI_MCA_pml",
                                          "HWLOC_PLUGINS_PATH"};
    static const char *const public[] = {
        "PATH", "SLURM_JOB_ID", "OMP_NUM_THREADS", "GRIDMILL_MPIRUN", "PMIC", "HOME"};
    for (size_t i = 0; i < sizeof(private) / sizeof(private[0]); i++)
        cr_expect(alloc_is_private(private[i]), "%s", private[i]);
    for (size_t i = 0; i < sizeof(public) / sizeof(public[0]); i++)
        cr_expect_not(alloc_is_private(public[i]), "%s", public[i]);
}

/* SLURM_JOB_ID is set in each. want: host:slots/cpus, or (refused) a part of the
 * sentence. */
struct hosts_row {
    const char *env[14];
    const char *want, *refused;
};

static const struct hosts_row hosts_rows[] = {
    {{"SLURM_JOB_NODELIST",
      "gn[0-2]",
      "SLURM_JOB_NUM_NODES",
      "3",
      "SLURM_NTASKS",
      "5",
      "SLURM_TASKS_PER_NODE",
      "2(x2),1",
      "SLURM_JOB_CPUS_PER_NODE",
      "72(x3)"},
     "gn0:2/72 gn1:2/72 gn2:1/72",
     NULL},
    /* tasks that nobody asked for are no limit */
    {{"SLURM_JOB_NODELIST", "a,b", "SLURM_TASKS_PER_NODE", "4(x2)"}, "a:0/0 b:0/0", NULL},
    {{"SLURM_JOB_NODELIST",
      "a",
      "SLURM_NTASKS_PER_NODE",
      "4",
      "SLURM_TASKS_PER_NODE",
      "4"},
     "a:4/0",
     NULL},
    {{"SLURM_JOB_NODELIST", "r[01-02]n[1-2]", "SLURM_JOB_CPUS_PER_NODE", "8,16(x2),4"},
     "r01n1:0/8 r01n2:0/16 r02n1:0/16 r02n2:0/4",
     NULL},
    {{NULL}, "", NULL}, /* an allocation without a list is no list */
    /* a rank of a step has its host; the step's shell on a terminal has the allocation */
    {{"SLURM_JOB_NODELIST", "a,b", "SLURM_STEP_ID", "0", "SLURM_STEP_NUM_TASKS", "1"},
     "",
     NULL},
    {{"SLURM_JOB_NODELIST",
      "a,b",
      "SLURM_STEP_ID",
      "0",
      "SLURM_STEP_NUM_TASKS",
      "1",
      "SLURM_PTY_PORT",
      "1"},
     "a:0/0 b:0/0",
     NULL},
    /* what a step says of its tasks is no word on the job's hosts; a batch script's is */
    {{"SLURM_JOB_NODELIST",
      "a,b",
      "SLURM_STEP_ID",
      "0",
      "SLURM_STEP_NUM_TASKS",
      "1",
      "SLURM_PTY_PORT",
      "1",
      "SLURM_NTASKS",
      "1",
      "SLURM_TASKS_PER_NODE",
      "1"},
     "a:0/0 b:0/0",
     NULL},
    {{"SLURM_JOB_NODELIST",
      "a,b",
      "SLURM_STEP_ID",
      "4294967290",
      "SLURM_NTASKS",
      "1",
      "SLURM_TASKS_PER_NODE",
      "1"},
     "a:0/0 b:0/0",
     NULL},
    {{"SLURM_JOB_NODELIST",
      "a,b",
      "SLURM_STEP_ID",
      "4294967291",
      "SLURM_NTASKS",
      "3",
      "SLURM_TASKS_PER_NODE",
      "2,1"},
     "a:2/0 b:1/0",
     NULL},
    {{"SLURM_JOB_NODELIST", "a[1"}, NULL, "SLURM_JOB_NODELIST: "},
    {{"SLURM_JOB_NODELIST", ""}, NULL, "names no host"},
    {{"SLURM_JOB_NODELIST", "a[0-999999999]"}, NULL, "more than"},
    {{"SLURM_JOB_NODELIST", "a", "SLURM_JOB_NUM_NODES", "2"}, NULL, "names 1"},
    {{"SLURM_JOB_NODELIST", "a", "SLURM_JOB_NUM_NODES", "x"}, NULL, "names 1"},
    {{"SLURM_JOB_NODELIST", "a", "SLURM_HET_SIZE", "2"}, NULL, "heterogeneous"},
    {{"SLURM_JOB_NODELIST", "a,b", "SLURM_JOB_CPUS_PER_NODE", ""}, NULL, "no list of 2"},
    {{"SLURM_JOB_NODELIST", "a,b", "SLURM_JOB_CPUS_PER_NODE", "4"}, NULL, "no list of 2"},
    {{"SLURM_JOB_NODELIST", "a,b", "SLURM_JOB_CPUS_PER_NODE", "4(x3)"},
     NULL,
     "no list of"},
    {{"SLURM_JOB_NODELIST", "a,b", "SLURM_JOB_CPUS_PER_NODE", "4(x2),1"},
     NULL,
     "no list"},
    {{"SLURM_JOB_NODELIST", "a,b", "SLURM_JOB_CPUS_PER_NODE", "4(x2"},
     NULL,
     "no list of"},
    {{"SLURM_JOB_NODELIST", "a,b", "SLURM_JOB_CPUS_PER_NODE", "4(x0),4,4"},
     NULL,
     "no list"},
    {{"SLURM_JOB_NODELIST", "a,b", "SLURM_JOB_CPUS_PER_NODE", "4,4,"},
     NULL,
     "no list of"},
    {{"SLURM_JOB_NODELIST", "a,b", "SLURM_JOB_CPUS_PER_NODE", "4,-4"},
     NULL,
     "no list of"},
    {{"SLURM_JOB_NODELIST", "a,b", "SLURM_JOB_CPUS_PER_NODE", "0(x2)"},
     NULL,
     "no list of"},
    {{"SLURM_JOB_NODELIST",
      "a,b",
      "SLURM_JOB_CPUS_PER_NODE",
      "99999999999999999999999(x2)"},
     NULL,
     "no list of"},
    {{"SLURM_JOB_NODELIST",
      "a,b",
      "SLURM_JOB_CPUS_PER_NODE",
      "4(x99999999999999999999999)"},
     NULL,
     "no list of"},
};

Test(alloc, slurm_s_allocation_is_its_hosts_with_what_we_were_given_there)
{
    for (size_t i = 0; i < sizeof(hosts_rows) / sizeof(hosts_rows[0]); i++) {
        const struct hosts_row *row = &hosts_rows[i];
        set_environment(row->env);
        cr_assert_eq(setenv("SLURM_JOB_ID", "7", 1), 0);
        struct alloc_hosts h = {0};
        struct gm_error err = {0};
        int rc = alloc_read_hosts(&h, &err);
        if (row->refused != NULL) {
            cr_expect_eq(rc, -EINVAL, "row %zu", i);
            cr_expect_not_null(
                strstr(err.text, row->refused), "row %zu: %s", i, err.text);
            cr_expect_eq(h.n, 0);
            continue;
        }
        char got[512] = "";
        for (unsigned k = 0; k < h.n; k++)
            (void)snprintf(got + strlen(got),
                           sizeof(got) - strlen(got),
                           "%s%s:%u/%u",
                           k > 0 ? " " : "",
                           h.items[k].name,
                           h.items[k].slots,
                           h.items[k].cpus);
        cr_expect_eq(rc, 0, "row %zu: %s", i, err.text);
        cr_expect_str_eq(got, row->want);
        alloc_hosts_free(&h);
    }
    cr_assert_eq(clearenv(), 0);
    struct alloc_hosts h = {.n = 7};
    cr_expect_eq(alloc_read_hosts(&h, NULL), 0);
    cr_expect_eq(h.n, 0, "nobody gave us any");
}

Test(alloc, short_and_full_names_are_one_host_addresses_are_themselves)
{
    cr_expect(alloc_same_host("gn1", "gn1"));
    cr_expect(alloc_same_host("gn1", "gn1.site.org"));
    cr_expect(alloc_same_host("gn1.site.org", "gn1"));
    cr_expect_not(alloc_same_host("gn1.site.org", "gn1.other.org"));
    cr_expect_not(alloc_same_host("gn1", "gn10"));
    cr_expect_not(alloc_same_host("gn1.site.org", "gn"));
    cr_expect(alloc_same_host("192.0.2.1", "192.0.2.1"));
    cr_expect_not(alloc_same_host("192.0.2.1", "192"));
}

Test(alloc, what_slurm_gave_is_added_up)
{
    static const struct {
        const char *const env[14];
        struct alloc_given want;
    } cases[] = {
        {{NULL}, {.cpus = 0}},
        {{"SLURM_JOB_CPUS_PER_NODE",
          "8(x3),4",
          "SLURM_JOB_NUM_NODES",
          "4",
          "SLURM_GPUS_ON_NODE",
          "2",
          "SLURM_MEM_PER_NODE",
          "1024",
          "SLURM_JOB_START_TIME",
          "1000",
          "SLURM_JOB_END_TIME",
          "4600"},
         {.cpus = 28, .gpus = 8, .memory = 4294967296, .time = 3600}},
        {{"SLURM_JOB_CPUS_PER_NODE",
          "6",
          "SLURM_GPUS",
          "a100:2,v100:1",
          "SLURM_MEM_PER_CPU",
          "512"},
         {.cpus = 6, .gpus = 3, .memory = 3221225472}},
        {{"SLURM_JOB_CPUS_PER_NODE",
          "6(x",
          "SLURM_GPUS",
          "many",
          "SLURM_MEM_PER_CPU",
          "-1",
          "SLURM_JOB_END_TIME",
          "5"},
         {.cpus = 0}},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct alloc_given given;
        set_environment(cases[i].env);
        alloc_read_given(&given);
        cr_expect_arr_eq(&given, &cases[i].want, sizeof(given), "case %zu", i);
    }
}
