/* See alloc.h. What each launcher sets, and why some of it is not believed, is written
 * down in docs/design/launch.md. */
#include "alloc.h"
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

/* Slurm numbers the steps of a job from 0; the highest values of 32 bits stand for what
 * is no step: the batch script, the shell of salloc, the external step, a step that is
 * pending. */
static const long long first_special_step = 0xfffffff0;

/* A number of at least 0 from the environment, or -1. */
static long long number(const char *name)
{
    const char *text = getenv(name);
    if (text == NULL || *text < '0' || *text > '9')
        return -1;
    char *end;
    errno = 0;
    long long n = strtoll(text, &end, 10);
    return errno == 0 && *end == '\0' ? n : -1;
}

static int count(const char *name)
{
    long long n = number(name);
    return n <= INT_MAX ? (int)n : -1;
}

/* A terminal in a step (srun --pty) is one shell, however many tasks the step counts. */
static bool in_numbered_step(void)
{
    long long step = number("SLURM_STEP_ID");
    return step >= 0 && step < first_special_step && count("SLURM_STEP_NUM_TASKS") > 0 &&
           getenv("SLURM_PTY_PORT") == NULL;
}

void alloc_read(struct alloc *ret)
{
    static const struct {
        enum alloc_launcher launcher;
        const char *size, *rank, *local_rank;
    } words[] = {
        {ALLOC_MPIRUN,
         "OMPI_COMM_WORLD_SIZE",
         "OMPI_COMM_WORLD_RANK",
         "OMPI_COMM_WORLD_LOCAL_RANK"},
        {ALLOC_SRUN, "SLURM_STEP_NUM_TASKS", "SLURM_PROCID", "SLURM_LOCALID"},
        {ALLOC_PMI, "PMI_SIZE", "PMI_RANK", "MPI_LOCALRANKID"},
    };
    struct alloc a = {
        .launcher = ALLOC_NONE, .n_ranks = -1, .rank = -1, .local_rank = -1};
    a.job_id = getenv("SLURM_JOB_ID");
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (count(words[i].size) <= 0 ||
            (words[i].launcher == ALLOC_SRUN && !in_numbered_step()))
            continue;
        a.launcher = words[i].launcher;
        a.n_ranks = count(words[i].size);
        a.rank = count(words[i].rank);
        a.local_rank = count(words[i].local_rank);
        break;
    }
    if (count("GRIDMILL_LAUNCH_RANKS") > 0) {
        a.launcher = ALLOC_OURS;
        a.n_ranks = count("GRIDMILL_LAUNCH_RANKS");
        a.launch_id = getenv("GRIDMILL_LAUNCH_ID");
    } else if (a.launcher == ALLOC_NONE && a.job_id != NULL) {
        a.launcher = ALLOC_SLURM_SHELL;
    }
    long long end = number("SLURM_JOB_END_TIME");
    a.end = end > 0 ? (double)end : 0;
    *ret = a;
}

const char *alloc_launcher_name(enum alloc_launcher l)
{
    switch (l) {
    case ALLOC_OURS:
        return "gridmill";
    case ALLOC_MPIRUN:
        return "mpirun";
    case ALLOC_SRUN:
        return "srun";
    case ALLOC_SLURM_SHELL:
        return "a Slurm shell";
    case ALLOC_PMI:
        return "mpiexec";
    default:
        return "nobody";
    }
}

static const char *cure(enum alloc_launcher l)
{
    switch (l) {
    case ALLOC_OURS:
        return "its mpirun belongs to another MPI than this build: name the right one in "
               "GRIDMILL_MPIRUN";
    case ALLOC_SRUN:
        return "start it with srun --mpi=pmix";
    case ALLOC_PMI:
        return "start it with the mpirun of the Open MPI it was built against";
    default:
        return "start it with the mpirun it was built against";
    }
}

/* PMIx, or PMI 1 or 2: what an MPI program finds its launcher by. */
static bool have_pmi(void)
{
    static const char *const names[] = {
        "PMIX_RANK", "PMIX_NAMESPACE", "PMI_RANK", "PMI_FD"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (getenv(names[i]) != NULL)
            return true;
    }
    return false;
}

int alloc_check_start(const struct alloc *a, struct gm_error *err)
{
    if (a->launcher != ALLOC_SRUN || a->n_ranks <= 1 || have_pmi())
        return 0;
    return gm_fail(
        err,
        -EINVAL,
        "srun started %d ranks without PMIx, so each would see 1 and compute the "
        "whole job: %s",
        a->n_ranks,
        cure(a->launcher));
}

int alloc_check(const struct alloc *a, int world, struct gm_error *err)
{
    if (a->n_ranks < 0 || a->n_ranks == world)
        return 0;
    const char *what =
        world == 1 ? "each would compute the whole job" : "they are not one job";
    return gm_fail(err,
                   -EINVAL,
                   "%s started %d rank%s, but MPI sees %d, so %s: %s",
                   alloc_launcher_name(a->launcher),
                   a->n_ranks,
                   a->n_ranks == 1 ? "" : "s",
                   world,
                   what,
                   cure(a->launcher));
}

int alloc_check_alone(const struct alloc *a, const char *program, struct gm_error *err)
{
    if (a->n_ranks <= 1 || a->launcher == ALLOC_OURS)
        return 0;
    return gm_fail(
        err,
        -EINVAL,
        "%s started %d of %s, and each would run the whole job: start it once (it "
        "starts the ranks itself), or start gridmill-runner with %s",
        alloc_launcher_name(a->launcher),
        a->n_ranks,
        program,
        alloc_launcher_name(a->launcher));
}

bool alloc_speaks(const struct alloc *a)
{
    return a->rank <= 0;
}

bool alloc_is_private(const char *name)
{
    static const char *const prefixes[] = {
        "OMPI_",
        "PMIX_",
        "PMI_",
        "ORTE_",
        "PRTE_",
        "HYDRA_",
        "GRIDMILL_LAUNCH_",
        "SLURM_STEP",
        "SLURM_SRUN_COMM_",
        "SLURM_CPU_BIND",
        "SLURM_PTY_",
        "FLUX_TASK_",
    };
    /* What srun tells one task of a step; the job's own words (SLURM_JOB_ID) stay, so
     * that a command may call srun. */
    static const char *const names[] = {"HWLOC_PLUGINS_PATH",
                                        "SLURM_PROCID",
                                        "SLURM_LOCALID",
                                        "SLURM_NODEID",
                                        "SLURM_TASK_PID",
                                        "SLURM_GTIDS",
                                        "SLURM_LAUNCH_NODE_IPADDR",
                                        "MPI_LOCALRANKID",
                                        "MPI_LOCALNRANKS"};
    for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
        if (strncmp(name, prefixes[i], strlen(prefixes[i])) == 0)
            return true;
    }
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(name, names[i]) == 0)
            return true;
    }
    return false;
}

const char *alloc_mpirun(void)
{
    const char *path = getenv("GRIDMILL_MPIRUN");
    return path != NULL && *path != '\0' ? path : NULL;
}

bool alloc_user_set(const char *parameter)
{
    char name[128];
    int n = snprintf(name, sizeof(name), "OMPI_MCA_%s", parameter);
    return n > 0 && (size_t)n < sizeof(name) && getenv(name) != NULL;
}
