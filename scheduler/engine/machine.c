/* On which hosts a job runs, and which launcher takes its ranks there: hosts that the
 * user names before those of Slurm's allocation before this one. Invariant: a tree of
 * several hosts comes from a probe of each, never from what somebody says of them. */
#include "asking.h"
#include "base/file.h"
#include "base/idset.h"
#include "base/memory.h"
#include "base/strmap.h"
#include "engine.h"
#include "launch/alloc.h"
#include "launch/ask.h"
#include "launch/hosts.h"
#include "probe.h"

/* Seconds for a question to Slurm itself. */
static const double slurm_limit = 20;

/* Hosts that the user names. n 0: none. */
static int read_named(const struct jobspec *spec,
                      const struct engine_machine_options *o,
                      struct alloc_hosts *ret,
                      struct gm_error *err)
{
    int rc = 0;
    if (o->hosts != NULL && o->hostfile != NULL)
        return gm_fail(err, -EINVAL, "--hosts and --hostfile name the same thing: one");
    if (o->hosts != NULL) {
        rc = hosts_parse(o->hosts, ret, err);
        if (rc < 0)
            (void)gm_prefix(err, "--hosts");
    } else if (o->hostfile != NULL) {
        rc = hosts_read(o->hostfile, ret, err);
    } else if (spec != NULL && spec->hosts != NULL) {
        rc = hosts_parse(spec->hosts, ret, err);
        if (rc < 0)
            (void)gm_prefix(err, "%s: hosts", spec->file);
    }
    return rc < 0 ? -EINVAL : rc;
}

/* Inside an allocation only its hosts can be had. */
static int check_allocated(const struct alloc_hosts *named,
                           const struct alloc_hosts *given,
                           struct gm_error *err)
{
    AUTO(strmap) index = strmap_make_for(given->n);
    for (unsigned i = 0; i < given->n; i++)
        strmap_put(index, given->items[i].name, i);
    for (unsigned i = 0; given->n > 0 && i < named->n; i++) {
        size_t at;
        if (!strmap_get(index, named->items[i].name, &at))
            return gm_fail(err,
                           -EINVAL,
                           "host %s is not in Slurm's allocation: name hosts of it, as "
                           "SLURM_JOB_NODELIST has them",
                           named->items[i].name);
        named->items[i].cpus = given->items[at].cpus;
    }
    return 0;
}

/* Does what a program of Slurm's prints hold a line with both words? */
static bool slurm_says(struct launch_line *line, const char *first, const char *second)
{
    struct asking a = {.line = line};
    bool found = false;
    (void)asking_run(&a, 1, slurm_limit, NULL);
    str_add(&a.out, str_text(&a.err)); /* srun --mpi=list: one or the other, by version */
    for (const char *p = str_text(&a.out); *p != '\0' && !found;) {
        size_t n = strcspn(p, "\n");
        const char *at = strstr(p, first), *then = strstr(p, second);
        found = at != NULL && at < p + n && then != NULL && then < p + n;
        p += n + (p[n] == '\n');
    }
    asking_free(&a);
    return found;
}

/* srun inside an allocation where it can start MPI programs, else mpirun. */
static int choose_launcher(const struct engine_machine_options *o,
                           bool slurm,
                           const struct launch_backend **ret,
                           struct gm_error *err)
{
    if (o->launcher != NULL) {
        const struct launch_backend *b = launch_find(o->launcher);
        if (b == &launch_srun && !slurm)
            return gm_fail(err,
                           -EINVAL,
                           "--launcher slurm: this is no shell of a Slurm allocation: "
                           "salloc or sbatch make one");
        *ret = b;
    } else {
        bool pmix = slurm && slurm_says(ask_srun_types(), "pmix", "pmix");
        *ret = pmix ? &launch_srun : &launch_mpirun;
    }
    return 0;
}

/* More CPUs than Slurm gave: nothing confines its steps there, and which CPUs are ours
 * nobody can tell. */
static int check_confined(const struct restree *tree,
                          const struct alloc_hosts *hosts,
                          struct gm_error *err)
{
    for (unsigned i = 0; i < tree->n_hosts; i++) {
        const struct topo_shape *s = restree_shape(tree, i);
        unsigned given = hosts->items[i].cpus;
        if (given > 0 && s->n_cores > given)
            return gm_fail(err,
                           -EINVAL,
                           "host %s: Slurm gave %u CPUs but confines nobody to them, "
                           "%u cores are seen: ask for whole nodes (--exclusive)",
                           hosts->items[i].name,
                           given,
                           s->n_cores);
    }
    return 0;
}

static int probe(const struct engine_machine_options *o,
                 const struct alloc_hosts *hosts,
                 bool slurm,
                 struct engine_machine *m,
                 struct gm_error *err)
{
    AUTO_FREE(char) runner = NULL;
    int rc = choose_launcher(o, slurm, &m->backend, err);
    if (rc == 0)
        rc = engine_find_runner(o->runner, &runner, err);
    struct probe_request req = {
        .hosts = hosts, .backend = m->backend, .runner = runner, .folder = o->folder};
    if (rc == 0)
        rc = probe_hosts(&req, &m->tree, err);
    if (rc == 0 && slurm)
        rc = check_confined(m->tree, hosts, err);
    m->elsewhere = true;
    m->runner_binds = rc == 0 && m->backend == &launch_srun &&
                      !slurm_says(ask_slurm_config(), "TaskPlugin ", "affinity");
    return rc;
}

/* Those that start something here: a version's line (ompi5) is for plan to show. */
static int check_launcher(const struct engine_machine_options *o, struct gm_error *err)
{
    const struct launch_backend *b =
        o->launcher != NULL ? launch_find(o->launcher) : NULL;
    if (o->launcher == NULL || b == &launch_mpirun || b == &launch_srun)
        return 0;
    return gm_fail(err,
                   -EINVAL,
                   "--launcher %s: must be mpirun or slurm%s",
                   o->launcher,
                   b != NULL ? " to run; plan shows the line of others" : "");
}

static int load_here(const struct engine_machine_options *o,
                     const struct alloc_hosts *named,
                     struct engine_machine *m,
                     struct gm_error *err)
{
    m->backend = o->launcher != NULL ? launch_find(o->launcher) : &launch_mpirun;
    int rc = restree_load_host(&m->tree, err);
    if (rc == 0 && named->n == 1)
        m->tree->hosts[0].slots = named->items[0].slots;
    return rc;
}

int engine_machine(const struct jobspec *spec,
                   const struct engine_machine_options *o,
                   struct engine_machine *ret,
                   struct gm_error *err)
{
    struct alloc_hosts named = {0}, given = {0};
    struct engine_machine m = {0};
    int rc = check_launcher(o, err);
    if (rc == 0)
        rc = read_named(spec, o, &named, err);
    if (rc == 0)
        rc = alloc_read_hosts(&given, err);
    if (rc == 0)
        rc = check_allocated(&named, &given, err);
    const struct alloc_hosts *hosts = named.n > 0 ? &named : &given;
    bool by_srun = o->launcher != NULL && launch_find(o->launcher) == &launch_srun;
    bool here = hosts->n == 0 || (hosts->n == 1 && alloc_is_here(hosts->items[0].name));
    if (rc == 0 && here && !by_srun)
        rc = load_here(o, &named, &m, err);
    else if (rc == 0 && hosts->n == 0)
        rc = choose_launcher(o, false, &m.backend, err);
    else if (rc == 0)
        rc = probe(o, hosts, given.n > 0, &m, err);
    alloc_hosts_free(&named);
    alloc_hosts_free(&given);
    if (rc < 0)
        engine_machine_free(&m);
    else
        *ret = m;
    return rc;
}

int engine_machine_left(const struct engine_machine *m,
                        const char *runner,
                        const char *folder,
                        struct engine_machine *ret,
                        struct gm_error *err)
{
    unsigned n = m->tree->n_hosts;
    AUTO_FREE(bool) there = xcalloc(n + 1, sizeof(*there));
    AUTO_FREE(struct alloc_host) items = xcalloc(n + 1, sizeof(*items));
    struct alloc_hosts all = {.items = items, .n = n};
    struct engine_machine left = *m;
    for (unsigned i = 0; i < n; i++)
        items[i] = (struct alloc_host){.name = m->tree->hosts[i].name,
                                       .slots = m->tree->hosts[i].slots};
    struct probe_request req = {
        .hosts = &all, .backend = m->backend, .runner = runner, .folder = folder};
    int rc = probe_each(&req, there, err);
    all.n = 0;
    for (unsigned i = 0; i < n; i++) {
        if (there[i])
            items[all.n++] = items[i];
    }
    if (rc == 0 && all.n == 0)
        rc = gm_fail(err, -EHOSTUNREACH, "no host of the job answers any more");
    left.tree = NULL;
    if (rc == 0)
        rc = probe_hosts(&req, &left.tree, err);
    if (rc == 0)
        *ret = left;
    return rc;
}

void engine_machine_free(struct engine_machine *m)
{
    restree_free(m->tree);
    *m = (struct engine_machine){0};
}

/* The host with the most ranks; *ret_on: those with any. */
static const char *fullest_host(const struct plan *plan, struct strmap **ret_on)
{
    struct strmap *on = strmap_make_for(plan->n_hosts);
    const char *fullest = NULL;
    size_t most = 0;
    for (unsigned r = 0; r < plan->n_ranks; r++) {
        size_t n = 0;
        (void)strmap_get(on, plan->ranks[r].host, &n);
        strmap_put(on, plan->ranks[r].host, ++n);
        if (n > most) {
            most = n;
            fullest = plan->ranks[r].host;
        }
    }
    *ret_on = on;
    return fullest;
}

/* Some CPU of `mask` is ours on each host that has ranks. */
static bool
is_given(const struct idset *mask, const struct restree *tree, const struct strmap *on)
{
    const struct topo_shape *seen = NULL;
    for (unsigned h = 0; h < tree->n_hosts; h++) {
        const struct topo_shape *shape = restree_shape(tree, h);
        size_t n;
        if (shape == seen || !strmap_get(on, tree->hosts[h].name, &n))
            continue;
        unsigned i = 0;
        while (i < shape->n_pus && !idset_has(mask, shape->pus[i]))
            i++;
        if (i == shape->n_pus)
            return false;
        seen = shape;
    }
    return true;
}

/* Slurm's task/affinity looks at the whole list of masks on every host, at those beyond
 * its own ranks as well: a host that gave us no CPU of one refuses the step. */
static bool masks_are_given(const struct plan *plan, const struct restree *tree)
{
    AUTO(strmap) on = NULL;
    const char *fullest = fullest_host(plan, &on);
    for (unsigned r = 0; r < plan->n_ranks; r++) {
        AUTO(idset) mask = NULL;
        if (strcmp(plan->ranks[r].host, fullest) == 0 &&
            idset_parse(plan->ranks[r].cpus, &mask, NULL) == 0 &&
            !is_given(mask, tree, on))
            return false;
    }
    return true;
}

int engine_line(struct plan *plan,
                const struct engine_machine *m,
                const char *runner,
                struct launch_line **ret,
                struct gm_error *err)
{
    plan->elsewhere = m->elsewhere;
    bool runner_binds =
        m->runner_binds || (m->backend == &launch_srun && m->tree != NULL &&
                            !masks_are_given(plan, m->tree));
    if (runner_binds && plan->binder == PLAN_BOUND_BY_LAUNCHER)
        plan->binder = PLAN_BOUND_BY_RUNNER;
    int rc = m->backend->line(plan, runner, ret, err);
    if (rc != -ENOTSUP || plan->binder != PLAN_BOUND_BY_LAUNCHER)
        return rc;
    plan->binder = PLAN_BOUND_BY_RUNNER;
    return m->backend->line(plan, runner, ret, err);
}
