/* Open MPI's mpirun: which flags a plan needs, each with its reason, as one table. The
 * figures behind the reasons, and the flags that were tried and gained nothing, are in
 * docs/design/launch.md.
 *
 * Which mpirun: GRIDMILL_MPIRUN, else the first in PATH. It is taken for the version this
 * was built against (asking it would cost 20 ms a run; another MPI is caught by the
 * ranks' guard, alloc_check).
 *
 * Invariant: nothing is left for mpirun to choose: a bound rank's PUs stand in the
 * rankfile (rankfile.h). */
#include "mpirun.h"
#include "alloc.h"
#include "base/memory.h"
#include "base/str.h"
#include "base/strmap.h"
#include "base/version.h"
#include "line.h"
#include "rankenv.h"
#include "rankfile.h"
#include "which.h"

enum when {
    ALWAYS,
    AS_ROOT,
    ONE_HOST,
    SEVERAL_HOSTS, /* or one that is not this one */
    BOUND,         /* by the rankfile */
    UNBOUND,       /* by nobody here, which is one of the two below */
    CROWDED,       /* more ranks than cores */
    SELF_BOUND,    /* ranks share a slot's cores: the runner binds */
};

/* In the texts %f is the plan's folder, %n the number of ranks, %h the hosts with their
 * slots. */
struct rule {
    unsigned from, to; /* Open MPI's major versions */
    enum when when;
    const char *parameter; /* left out where the user set this MCA parameter; or NULL */
    const char *text, *reason;
};

static const struct rule rules[] = {
    {4, 99, ALWAYS, NULL, "-n %n", "so many ranks"},
    {4,
     4,
     ALWAYS,
     NULL,
     "--enable-recovery",
     "a rank that dies does not end the others: its tasks go to them"},
    {5,
     99,
     ALWAYS,
     NULL,
     "--runtime-options recoverable",
     "a rank that dies does not end the others: its tasks go to them"},
    {4, 99, AS_ROOT, NULL, "--allow-run-as-root", "you are root, mpirun wants that said"},
    {4, 99, SEVERAL_HOSTS, NULL, "--host %h", "the plan's hosts and their ranks"},
    {4, 4, BOUND, NULL, "--rankfile %f/rankfile", "each rank on the cores of the plan"},
    {4,
     4,
     BOUND,
     NULL,
     "--mca rmaps_rank_file_physical 1",
     "the rankfile has the kernel's CPU numbers, not mpirun's own"},
    {4,
     4,
     BOUND,
     NULL,
     "--use-hwthread-cpus",
     "exactly these hardware threads, also where the plan has part of a core"},
    {5,
     99,
     BOUND,
     NULL,
     "--map-by rankfile:file=%f/rankfile:hwtcpus",
     "each rank on the cores of the plan; the numbers count hardware threads in tree "
     "order, since Open MPI 5 reads no others"},
    {4, 4, UNBOUND, NULL, "--oversubscribe", "more ranks than cores are let start"},
    {5,
     99,
     UNBOUND,
     NULL,
     "--map-by :oversubscribe",
     "more ranks than cores are let start"},
    {4,
     99,
     CROWDED,
     NULL,
     "--bind-to none",
     "ranks share the cores: the kernel schedules"},
    {4,
     99,
     SELF_BOUND,
     NULL,
     "--bind-to none",
     "ranks of one slot share its cores: each binds itself"},
    {4,
     99,
     ONE_HOST,
     "pml",
     "--mca pml ob1",
     "one host: no search for a network (-200 ms)"},
    {4, 4, ONE_HOST, "btl", "--mca btl self,vader", "one host: shared memory alone"},
    {5, 99, ONE_HOST, "btl", "--mca btl self,sm", "one host: shared memory alone"},
    {4,
     4,
     ONE_HOST,
     "plm",
     "--mca plm isolated",
     "one host: no srun or ssh to start daemons"},
    {4,
     4,
     ONE_HOST,
     "ras",
     "--mca ras ^slurm",
     "one host: the plan counts, not Slurm's list of nodes"},
    {5, 99, ONE_HOST, NULL, "--prtemca plm ssh", "one host: no srun to start daemons"},
    {5,
     99,
     ONE_HOST,
     NULL,
     "--prtemca ras ^slurm",
     "one host: the plan counts, not Slurm's list of nodes"},
};

struct facts {
    const struct plan *plan;
    unsigned major;
    bool as_root, several_hosts, bound, self_bound;
    const char *hosts; /* "n0:4,n1:4" */
};

/* The version that this was built against; 4 when it cannot be told: what this was
 * written and tested with. */
static unsigned built_against(void)
{
    for (const char *const *p = version_libraries(); *p != NULL; p += 2) {
        if (strcmp(p[0], "openmpi") == 0)
            return (unsigned)strtoul(p[1], NULL, 10);
    }
    return 4;
}

static bool applies(const struct rule *r, const struct facts *f)
{
    const bool holds[] = {
        [ALWAYS] = true,
        [AS_ROOT] = f->as_root,
        [ONE_HOST] = !f->several_hosts,
        [SEVERAL_HOSTS] = f->several_hosts,
        [BOUND] = f->bound,
        [UNBOUND] = !f->bound,
        [CROWDED] = !f->bound && !f->self_bound,
        [SELF_BOUND] = f->self_bound,
    };
    return f->major >= r->from && f->major <= r->to && holds[r->when] &&
           (r->parameter == NULL || !alloc_user_set(r->parameter));
}

/* Adds a rule's words. The folder may hold blanks, so words are cut before it is put in.
 */
static void add_rule(struct line *l, const struct rule *r, const struct facts *f)
{
    struct str all = {0};
    for (const char *p = r->text; *p != '\0';) {
        struct str word = {0};
        for (; *p != '\0' && *p != ' '; p++) {
            if (*p != '%')
                str_add_n(&word, p, 1);
            else if (*++p == 'n')
                str_printf(&word, "%u", f->plan->n_ranks);
            else
                str_add(&word, *p == 'f' ? f->plan->folder : f->hosts);
        }
        line_word(l, str_text(&word));
        str_printf(&all, "%s%s", all.len > 0 ? " " : "", str_text(&word));
        str_free(&word);
        p += strspn(p, " ");
    }
    line_explain(l, str_text(&all), r->reason);
    str_free(&all);
}

int mpirun_find(struct arena *a, const char **ret, struct gm_error *err)
{
    const char *named = alloc_mpirun();
    if (named != NULL && strchr(named, '/') != NULL) {
        if (access(named, X_OK) != 0)
            return gm_fail(
                err, -ENOENT, "GRIDMILL_MPIRUN: %s: %s", named, strerror(errno));
        *ret = named;
        return 0;
    }
    const char *name = named != NULL ? named : "mpirun";
    *ret = which_find(a, name);
    if (*ret != NULL)
        return 0;
    return gm_fail(
        err,
        -ENOENT,
        "%s is not in PATH: install Open MPI (apt-get install openmpi-bin), or name "
        "it in GRIDMILL_MPIRUN",
        name);
}

/* "n0:4,n1:4": the plan's hosts in order, each with its ranks. */
static const char *hosts_text(struct arena *a, const struct plan *plan, unsigned *ret_n)
{
    AUTO(strmap) index = strmap_make_for(plan->n_hosts);
    AUTO_FREE(unsigned) ranks = xcalloc(plan->n_hosts + 1, sizeof(*ranks));
    AUTO_STR text = {0};
    for (unsigned h = 0; h < plan->n_hosts; h++)
        strmap_put(index, plan->hosts[h].name, h);
    for (unsigned r = 0; r < plan->n_ranks; r++) {
        size_t at;
        if (strmap_get(index, plan->ranks[r].host, &at))
            ranks[at]++;
    }
    *ret_n = 0;
    for (unsigned h = 0; h < plan->n_hosts; h++) {
        if (ranks[h] > 0)
            str_printf(&text,
                       "%s%s:%u",
                       (*ret_n)++ > 0 ? "," : "",
                       plan->hosts[h].name,
                       ranks[h]);
    }
    return arena_strdup(a, str_text(&text));
}

static struct facts find_facts(struct arena *a, const struct plan *plan, unsigned major)
{
    unsigned n = 0;
    struct facts f = {.plan = plan, .major = major, .hosts = hosts_text(a, plan, &n)};
    f.as_root = geteuid() == 0;
    f.bound = plan->binder == PLAN_BOUND_BY_LAUNCHER && !plan->oversubscribe;
    f.self_bound = plan->binder == PLAN_BOUND_BY_RUNNER;
    f.several_hosts = n > 1 || plan->elsewhere;
    return f;
}

static void add_environment(struct line *l, const struct facts *f)
{
    rankenv_add(l, f->plan);
    if (f->several_hosts)
        return;
    line_env(l,
             "PMIx keeps a few words a rank in memory, not files (-18 ms)",
             "PMIX_MCA_gds=hash");
    line_env(l,
             "hwloc needs no X11, OpenCL or libxml2 here (-8 ms)",
             "HWLOC_PLUGINS_PATH=/dev/null");
}

/* Ranks of other hosts get what mpirun is told to hand on. */
static void add_exports(struct line *l)
{
    static const char *const names[] = {"GRIDMILL_LAUNCH_RANKS",
                                        "GRIDMILL_LAUNCH_ID",
                                        "OMP_NUM_THREADS",
                                        "OPENBLAS_NUM_THREADS"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        line_word(l, "-x");
        line_word(l, names[i]);
    }
    line_explain(
        l, "-x GRIDMILL_LAUNCH_RANKS ...", "ranks on other hosts get these as well");
}

/* The line for one version; `mpirun`: the program. */
static int write_line(const struct plan *plan,
                      const char *mpirun,
                      const char *runner,
                      unsigned major,
                      struct line *l,
                      const char **ret_rankfile,
                      struct gm_error *err)
{
    struct facts facts = find_facts(line_arena(l), plan, major);
    int rc = 0;
    if (facts.bound)
        rc = rankfile_write(plan,
                            major >= 5 ? RANKFILE_LOGICAL : RANKFILE_KERNEL,
                            line_arena(l),
                            ret_rankfile,
                            err);
    if (rc != 0)
        return rc;
    line_word(l, mpirun);
    for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
        if (applies(&rules[i], &facts))
            add_rule(l, &rules[i], &facts);
    }
    if (facts.several_hosts)
        add_exports(l);
    line_word(l, runner);
    line_word(l, "--plan");
    line_word(l, arena_printf(line_arena(l), "%s/plan.json", plan->folder));
    line_word(l, "--events");
    add_environment(l, &facts);
    return 0;
}

static int installed_line(const struct plan *plan,
                          const char *runner,
                          struct launch_line **ret,
                          struct gm_error *err)
{
    AUTO(line) l = line_make();
    const char *mpirun = NULL, *rankfile = NULL;
    int rc = mpirun_find(line_arena(l), &mpirun, err);
    if (rc == 0)
        rc = write_line(plan, mpirun, runner, built_against(), l, &rankfile, err);
    if (rc == 0)
        *ret = line_finish(steal(&l), rankfile);
    return rc;
}

/* Of a version that was named: the mpirun that is meant may be on another machine. */
static int named_line(const struct plan *plan,
                      const char *runner,
                      unsigned major,
                      struct launch_line **ret,
                      struct gm_error *err)
{
    AUTO(line) l = line_make();
    const char *rankfile = NULL;
    int rc = write_line(plan, "mpirun", runner, major, l, &rankfile, err);
    if (rc == 0)
        *ret = line_finish(steal(&l), rankfile);
    return rc;
}

static int ompi4_line(const struct plan *plan,
                      const char *runner,
                      struct launch_line **ret,
                      struct gm_error *err)
{
    return named_line(plan, runner, 4, ret, err);
}

static int ompi5_line(const struct plan *plan,
                      const char *runner,
                      struct launch_line **ret,
                      struct gm_error *err)
{
    return named_line(plan, runner, 5, ret, err);
}

const struct launch_backend launch_mpirun = {"mpirun", installed_line};
const struct launch_backend launch_ompi4 = {"ompi4", ompi4_line};
const struct launch_backend launch_ompi5 = {"ompi5", ompi5_line};
