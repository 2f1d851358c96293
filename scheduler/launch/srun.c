/* Slurm's srun inside an allocation: each rank on the host and the CPUs of the plan.
 *
 * Hosts: SLURM_HOSTFILE has a line a rank, and --distribution=arbitrary follows it. CPUs:
 * --cpu-bind=mask_cpu has a mask for each task of a node, by its number there; the same
 * list holds on every node. So ranks that are k-th on their hosts must have the same
 * CPUs; where they have not, no srun line says the plan (-ENOTSUP), and the runner binds.
 *
 * Invariant: the masks name the very PUs of the plan, by the kernel's numbers. */
#include "alloc.h"
#include "base/idset.h"
#include "base/memory.h"
#include "base/str.h"
#include "base/strmap.h"
#include "line.h"
#include "rankenv.h"
#include "which.h"

/* "0x5" of "0,2". */
static void add_mask(struct str *out, const struct idset *cpus)
{
    int64_t last = -1;
    for (int64_t c = idset_next(cpus, 0); c >= 0; c = idset_next(cpus, (unsigned)c + 1))
        last = c;
    str_add(out, "0x");
    for (int64_t digit = last / 4; digit >= 0; digit--) {
        unsigned v = 0;
        for (unsigned bit = 0; bit < 4; bit++)
            v |= (unsigned)idset_has(cpus, (unsigned)digit * 4 + bit) << bit;
        str_printf(out, "%x", v);
    }
}

/* Rank r is the k-th of its host: k, for all ranks; *ret_most: ranks on the fullest. */
static unsigned *local_numbers(const struct plan *plan, unsigned *ret_most)
{
    AUTO(strmap) index = strmap_make_for(plan->n_hosts);
    AUTO_FREE(unsigned) on = xcalloc(plan->n_ranks + 1, sizeof(*on));
    unsigned *local = xcalloc(plan->n_ranks + 1, sizeof(*local));
    size_t n = 0;
    *ret_most = 0;
    for (unsigned r = 0; r < plan->n_ranks; r++) {
        size_t at = n;
        n += strmap_add(index, plan->ranks[r].host, &at);
        local[r] = on[at]++;
        *ret_most = on[at] > *ret_most ? on[at] : *ret_most;
    }
    return local;
}

/* One mask for each number on a host. */
static int masks(const struct plan *plan, struct str *out, struct gm_error *err)
{
    unsigned most;
    AUTO_FREE(unsigned) local = local_numbers(plan, &most);
    AUTO_FREE(unsigned) first = xcalloc(most + 1, sizeof(*first)); /* rank + 1 */
    for (unsigned r = 0; r < plan->n_ranks; r++) {
        unsigned *of = &first[local[r]];
        if (*of == 0)
            *of = r + 1;
        const struct plan_rank *a = &plan->ranks[*of - 1], *b = &plan->ranks[r];
        if (strcmp(a->cpus, b->cpus) != 0)
            return gm_fail(err,
                           -ENOTSUP,
                           "srun binds the k-th rank of every host alike, but rank %u "
                           "has CPUs %s of %s and rank %u CPUs %s of %s",
                           *of - 1,
                           a->cpus,
                           a->host,
                           r,
                           b->cpus,
                           b->host);
    }
    for (unsigned k = 0; k < most; k++) {
        AUTO(idset) cpus = NULL;
        int rc = idset_parse(plan->ranks[first[k] - 1].cpus, &cpus, err);
        if (rc < 0)
            return rc;
        str_add(out, k > 0 ? "," : "");
        add_mask(out, cpus);
    }
    return 0;
}

static void add_flag(struct line *l, const char *text, const char *reason)
{
    line_word(l, text);
    line_explain(l, text, reason);
}

static int add_binding(struct line *l, const struct plan *plan, struct gm_error *err)
{
    AUTO_STR list = {0};
    if (plan->binder != PLAN_BOUND_BY_LAUNCHER || plan->oversubscribe) {
        add_flag(l,
                 "--cpu-bind=none",
                 plan->binder == PLAN_BOUND_BY_RUNNER
                     ? "each rank binds itself: no list of srun's says the plan"
                     : "ranks share the cores: the kernel schedules");
        add_flag(l, "--overcommit", "more ranks than cores are let start");
        return 0;
    }
    str_add(&list, "--cpu-bind=mask_cpu:");
    int rc = masks(plan, &list, err);
    if (rc < 0)
        return rc;
    add_flag(
        l, str_text(&list), "each rank of a host on the cores of the plan, in order");
    add_flag(l, "--mem-bind=local", "memory from where the cores are");
    return 0;
}

/* GPUs that a host must show so that the plan's numbers are there: the largest and those
 * before it; 0: some host's ranks have none, and srun asks every host for as many. */
static unsigned gpus_a_host(const struct plan *plan)
{
    AUTO(strmap) with = strmap_make_for(plan->n_hosts);
    unsigned n = 0;
    for (unsigned r = 0; r < plan->n_ranks; r++) {
        AUTO(idset) gpus = NULL;
        if (*plan->ranks[r].gpus == '\0' ||
            idset_parse(plan->ranks[r].gpus, &gpus, NULL) != 0)
            continue;
        strmap_put(with, plan->ranks[r].host, r);
        for (int64_t g = idset_next(gpus, n); g >= 0; g = idset_next(gpus, n))
            n = (unsigned)g + 1;
    }
    for (unsigned r = 0; n > 0 && r < plan->n_ranks; r++) {
        size_t of;
        if (!strmap_get(with, plan->ranks[r].host, &of))
            n = 0;
    }
    return n;
}

static bool has_gpus(const struct plan *plan)
{
    for (unsigned r = 0; r < plan->n_ranks; r++) {
        if (*plan->ranks[r].gpus != '\0')
            return true;
    }
    return false;
}

static void add_gpus(struct line *l, const struct plan *plan)
{
    unsigned n = gpus_a_host(plan);
    if (n > 0)
        add_flag(l,
                 arena_printf(line_arena(l), "--gpus-per-node=%u", n),
                 "so many of the job's GPUs are shown on every host");
    if (has_gpus(plan))
        add_flag(
            l, "--gpu-bind=none", "the plan says which of its host's GPUs a rank has");
}

static void add_environment(struct line *l, const struct plan *plan)
{
    line_env(l,
             "the host of each rank, a line a rank",
             "SLURM_HOSTFILE=%s/rankfile",
             plan->folder);
    if (!alloc_has_fence()) /* measured: docs/design/hosts.md */
        line_env(
            l,
            "Slurm's default lets some ranks out of MPI_Init before others are in it",
            "SLURM_PMIX_FENCE=ring");
    rankenv_add(l, plan);
}

static const char *host_file(struct arena *a, const struct plan *plan)
{
    AUTO_STR text = {0};
    for (unsigned r = 0; r < plan->n_ranks; r++)
        str_printf(&text, "%s\n", plan->ranks[r].host);
    return arena_strdup(a, str_text(&text));
}

static int srun_line(const struct plan *plan,
                     const char *runner,
                     struct launch_line **ret,
                     struct gm_error *err)
{
    AUTO(line) l = line_make();
    struct arena *a = line_arena(l);
    line_word(l, "srun");
    add_flag(l, "--mpi=pmix", "how the ranks find each other");
    add_flag(l, arena_printf(a, "--ntasks=%u", plan->n_ranks), "so many ranks");
    add_flag(l, "--distribution=arbitrary", "each rank on the host of SLURM_HOSTFILE");
    int rc = add_binding(l, plan, err);
    if (rc < 0)
        return rc;
    add_gpus(l, plan);
    add_flag(
        l, "--overlap", "beside the step of the shell that starts it, if there is one");
    add_flag(l,
             "--kill-on-bad-exit=0",
             "a rank that dies does not end the others: its tasks go to them");
    add_flag(l, "--no-kill", "nor does a host that fails");
    add_flag(l, "--wait=0", "the others take as long as they need");
    add_flag(l, "--export=ALL", "the environment as it is, whatever sbatch was told");
    add_flag(l, "--input=none", "ranks read no terminal");
    line_word(l, runner);
    line_word(l, "--plan");
    line_word(l, arena_printf(a, "%s/plan.json", plan->folder));
    line_word(l, "--events");
    add_environment(l, plan);
    const char *hosts = host_file(a, plan);
    *ret = line_finish(steal(&l), hosts);
    return 0;
}

const struct launch_backend launch_srun = {"slurm", srun_line};
