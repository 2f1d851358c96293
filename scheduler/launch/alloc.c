/* See alloc.h. What each launcher sets, and why some of it is not believed, is written
 * down in docs/design/launch.md. */
#include "alloc.h"
#include "base/hostlist.h"
#include "base/memory.h"
#include <arpa/inet.h>
#include <ctype.h>
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

/* Slurm numbers the steps of a job from 0; the highest values of 32 bits stand for what
 * is no step: the batch script, the shell of salloc, the external step, a step that is
 * pending. */
static const long long first_special_step = 0xfffffff0, batch_step = 0xfffffffb;

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
    a.local_size = count("OMPI_COMM_WORLD_LOCAL_SIZE");
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
    int restarts = count("SLURM_RESTART_COUNT");
    a.restarts = restarts > 0 ? (unsigned)restarts : 0;
    *ret = a;
}

static const char *launcher_name(enum alloc_launcher l)
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

void alloc_hosts_free(struct alloc_hosts *h)
{
    for (unsigned i = 0; i < h->n; i++)
        free(h->items[i].name);
    free(h->items);
    *h = (struct alloc_hosts){0};
}

/* "72(x3),36": a count for each of n hosts, in order. */
static int read_counts(const char *name, unsigned n, unsigned *ret, struct gm_error *err)
{
    const char *text = getenv(name), *p = text;
    unsigned used = 0;
    while (p != NULL && *p >= '0' && *p <= '9') {
        char *end;
        errno = 0;
        unsigned long count = strtoul(p, &end, 10), times = 1;
        if (strncmp(end, "(x", 2) == 0 && end[2] >= '1' && end[2] <= '9') {
            times = strtoul(end + 2, &end, 10);
            if (*end++ != ')')
                break;
        }
        if (errno != 0 || count == 0 || count > INT_MAX || times > n - used)
            break;
        for (unsigned long i = 0; i < times; i++)
            ret[used++] = (unsigned)count;
        if (*end == '\0' && used == n)
            return 0;
        if (*end != ',')
            break;
        p = end + 1;
    }
    return gm_fail(err,
                   -EINVAL,
                   "%s: '%.80s' is no list of %u counts as Slurm writes them, such as "
                   "2(x3),1",
                   name,
                   text,
                   n);
}

/* Did the user ask for tasks on the job's hosts? The shell of a step on a terminal, and
 * salloc's where it is a step, have the step's own counts instead. */
static bool asked_for_tasks(void)
{
    long long step = number("SLURM_STEP_ID");
    return (step < 0 || step == batch_step) &&
           (getenv("SLURM_NTASKS") != NULL || getenv("SLURM_NTASKS_PER_NODE") != NULL);
}

/* The counts that Slurm tells of its hosts; a variable that is absent tells nothing. */
static int add_counts(struct alloc_hosts *h, struct gm_error *err)
{
    AUTO_FREE(unsigned) counts = xcalloc(h->n, sizeof(*counts));
    int rc = 0;
    if (getenv("SLURM_JOB_CPUS_PER_NODE") != NULL) {
        rc = read_counts("SLURM_JOB_CPUS_PER_NODE", h->n, counts, err);
        for (unsigned i = 0; rc == 0 && i < h->n; i++)
            h->items[i].cpus = counts[i];
    }
    if (rc == 0 && asked_for_tasks() && getenv("SLURM_TASKS_PER_NODE") != NULL) {
        rc = read_counts("SLURM_TASKS_PER_NODE", h->n, counts, err);
        for (unsigned i = 0; rc == 0 && i < h->n; i++)
            h->items[i].slots = counts[i];
    }
    return rc;
}

static double at_least_0(const char *name)
{
    long long n = number(name);
    return n > 0 ? (double)n : 0;
}

/* "4(x2),3": added up. */
static double sum_counts(const char *name)
{
    const char *p = getenv(name);
    double sum = 0;
    while (p != NULL && isdigit((unsigned char)*p)) {
        char *end;
        double count = (double)strtoul(p, &end, 10), times = 1;
        if (strncmp(end, "(x", 2) == 0) {
            times = (double)strtoul(end + 2, &end, 10);
            if (*end++ != ')')
                return 0;
        }
        sum += count * times;
        if (*end == '\0')
            return sum;
        p = *end == ',' ? end + 1 : NULL;
    }
    return 0;
}

/* "2", "a100:2", "a100:2,v100:1". */
static double sum_types(const char *name)
{
    const char *p = getenv(name);
    double sum = 0;
    while (p != NULL && *p != '\0') {
        size_t n = strcspn(p, ",");
        const char *colon = memchr(p, ':', n), *digits = colon != NULL ? colon + 1 : p;
        if (!isdigit((unsigned char)*digits))
            return 0;
        sum += (double)strtoul(digits, NULL, 10);
        p += n + (p[n] == ',');
    }
    return sum;
}

void alloc_read_given(struct alloc_given *ret)
{
    static const double mib = 1 << 20;
    double nodes = at_least_0("SLURM_JOB_NUM_NODES");
    double end = at_least_0("SLURM_JOB_END_TIME"),
           start = at_least_0("SLURM_JOB_START_TIME");
    *ret = (struct alloc_given){.cpus = sum_counts("SLURM_JOB_CPUS_PER_NODE"),
                                .gpus = sum_types("SLURM_GPUS")};
    if (ret->gpus <= 0)
        ret->gpus = nodes * at_least_0("SLURM_GPUS_ON_NODE");
    ret->memory = mib * nodes * at_least_0("SLURM_MEM_PER_NODE");
    if (ret->memory <= 0)
        ret->memory = mib * ret->cpus * at_least_0("SLURM_MEM_PER_CPU");
    ret->time = start > 0 && end > start ? end - start : 0;
}

static int
check_count(const struct hostlist *names, const char *list, struct gm_error *err)
{
    long long n = number("SLURM_JOB_NUM_NODES");
    if (names->n == 0)
        return gm_fail(err, -EINVAL, "SLURM_JOB_NODELIST: '%.80s' names no host", list);
    if (getenv("SLURM_JOB_NUM_NODES") != NULL && n != (long long)names->n)
        return gm_fail(err,
                       -EINVAL,
                       "SLURM_JOB_NUM_NODES is %s, but SLURM_JOB_NODELIST '%.80s' names "
                       "%zu: unset what is not this job's",
                       getenv("SLURM_JOB_NUM_NODES"),
                       list,
                       names->n);
    return 0;
}

int alloc_read_hosts(struct alloc_hosts *ret, struct gm_error *err)
{
    AUTO(hostlist) names = NULL;
    struct alloc_hosts h = {0};
    struct alloc a;
    const char *list = getenv("SLURM_JOB_NODELIST");
    alloc_read(&a);
    if (a.launcher != ALLOC_SLURM_SHELL || list == NULL) {
        *ret = h;
        return 0;
    }
    if (number("SLURM_HET_SIZE") > 1)
        return gm_fail(err,
                       -EINVAL,
                       "this is a heterogeneous Slurm job of %s components, which share "
                       "no MPI world: ask for one component, or name --hosts of one",
                       getenv("SLURM_HET_SIZE"));
    int rc = hostlist_parse(list, &names, err);
    if (rc < 0)
        (void)gm_prefix(err, "SLURM_JOB_NODELIST");
    if (rc == 0)
        rc = check_count(names, list, err);
    if (rc < 0)
        return rc;
    h.items = xcalloc(names->n, sizeof(*h.items));
    for (; h.n < names->n; h.n++)
        h.items[h.n].name = xstrdup(names->names[h.n]);
    rc = add_counts(&h, err);
    if (rc < 0)
        alloc_hosts_free(&h);
    else
        *ret = h;
    return rc;
}

static const char *slurm_node(void)
{
    const char *name = getenv("SLURMD_NODENAME");
    return name != NULL && *name != '\0' && getenv("SLURM_JOB_ID") != NULL ? name : NULL;
}

int alloc_node_name(char **ret, struct gm_error *err)
{
    char own[HOST_NAME_MAX + 1] = "";
    const char *name = slurm_node();
    if (name == NULL && gethostname(own, sizeof(own) - 1) != 0)
        return gm_fail(err, -errno, "gethostname: %s", strerror(errno));
    *ret = xstrdup(name != NULL ? name : own);
    return 0;
}

static bool is_address(const char *name)
{
    unsigned char binary[16];
    return inet_pton(AF_INET, name, binary) == 1 ||
           inet_pton(AF_INET6, name, binary) == 1;
}

bool alloc_same_host(const char *a, const char *b)
{
    size_t n = strcspn(a, "."), m = strcspn(b, ".");
    if (strcmp(a, b) == 0)
        return true;
    bool one_short = a[n] == '\0' || b[m] == '\0';
    return one_short && n == m && strncmp(a, b, n) == 0 && !is_address(a) &&
           !is_address(b);
}

bool alloc_is_here(const char *host)
{
    char own[HOST_NAME_MAX + 1] = "";
    const char *slurm = slurm_node();
    if (slurm != NULL && alloc_same_host(host, slurm))
        return true;
    return strcmp(host, "localhost") == 0 ||
           (gethostname(own, sizeof(own) - 1) == 0 && alloc_same_host(host, own));
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
                   launcher_name(a->launcher),
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
        launcher_name(a->launcher),
        a->n_ranks,
        program,
        launcher_name(a->launcher));
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

bool alloc_has_fence(void)
{
    return getenv("SLURM_PMIX_FENCE") != NULL;
}

bool alloc_user_set(const char *parameter)
{
    char name[128];
    int n = snprintf(name, sizeof(name), "OMPI_MCA_%s", parameter);
    return n > 0 && (size_t)n < sizeof(name) && getenv(name) != NULL;
}
