/* See ask.h. Invariant: the processes are bound by nobody, so each sees the CPUs that its
 * host gives us: all, or those that Slurm allocated. */
#include "ask.h"
#include "base/hostlist.h"
#include "base/memory.h"
#include "base/str.h"
#include "line.h"
#include "mpirun.h"

static void add_words(struct line *l, const char *const *words)
{
    for (; *words != NULL; words++)
        line_word(l, *words);
}

static void add_runner(struct line *l, const struct ask *a)
{
    line_word(l, a->runner);
    line_word(l, "--probe");
    if (a->see != NULL) {
        line_word(l, "--see");
        line_word(l, a->see);
    }
    if (a->xml)
        line_word(l, "--xml");
}

/* Slots are left out: a host has one, and one process is all it gets. */
static int mpirun_ask(struct line *l, const struct ask *a, struct gm_error *err)
{
    static const char *const flags[] = {
        "--map-by", "ppr:1:node", "--bind-to", "none", "--host", NULL};
    const char *mpirun;
    AUTO_STR hosts = {0};
    int rc = mpirun_find(line_arena(l), &mpirun, err);
    if (rc < 0)
        return rc;
    for (unsigned i = 0; i < a->n_hosts; i++)
        str_printf(&hosts, "%s%s", i > 0 ? "," : "", a->hosts[i].name);
    line_word(l, mpirun);
    if (geteuid() == 0)
        line_word(l, "--allow-run-as-root");
    add_words(l, flags);
    line_word(l, str_text(&hosts));
    return 0;
}

static void srun_ask(struct line *l, const struct ask *a)
{
    static const char *const flags[] = {"srun",
                                        "--mpi=none",
                                        "--overlap",
                                        "--cpu-bind=none",
                                        "--input=none",
                                        "--ntasks-per-node=1",
                                        NULL};
    struct hostlist list = {.names = xcalloc(a->n_hosts, sizeof(*list.names)),
                            .n = a->n_hosts};
    for (unsigned i = 0; i < a->n_hosts; i++)
        list.names[i] = a->hosts[i].name;
    AUTO_FREE(char) hosts = hostlist_format(&list);
    free(list.names);
    add_words(l, flags);
    line_word(l, arena_printf(line_arena(l), "--nodes=%u", a->n_hosts));
    line_word(l, arena_printf(line_arena(l), "--ntasks=%u", a->n_hosts));
    line_word(l, arena_printf(line_arena(l), "--nodelist=%s", hosts));
}

int ask_hosts(const struct ask *a, struct launch_line **ret, struct gm_error *err)
{
    AUTO(line) l = line_make();
    int rc = 0;
    if (a->backend == &launch_srun)
        srun_ask(l, a);
    else
        rc = mpirun_ask(l, a, err);
    if (rc < 0)
        return rc;
    add_runner(l, a);
    *ret = line_finish(steal(&l), NULL);
    return 0;
}

static struct launch_line *plain(const char *const *words)
{
    struct line *l = line_make();
    add_words(l, words);
    return line_finish(l, NULL);
}

struct launch_line *ask_srun_types(void)
{
    static const char *const words[] = {"srun", "--mpi=list", NULL};
    return plain(words);
}

struct launch_line *ask_slurm_config(void)
{
    static const char *const words[] = {"scontrol", "show", "config", NULL};
    return plain(words);
}
