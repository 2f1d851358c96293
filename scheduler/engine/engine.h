/* The one path of a job, in live time: spec -> place -> plan -> launch -> outcome. */
#ifndef ENGINE_ENGINE_H
#define ENGINE_ENGINE_H

#include "launch/launch.h"
#include "sched/place.h"
#include "spec/jobspec.h"
#include "spec/plan.h"
#include "topo/restree.h"
#include <stdbool.h>

/* The exit codes of every program. */
enum engine_exit {
    ENGINE_DONE = 0,
    ENGINE_TASK_FAILED = 1, /* a task failed for good */
    ENGINE_USAGE = 2, /* usage, bad jobspec, results exist, mis-launch, input missing */
    ENGINE_CANNOT_FIT = 3,
    ENGINE_INTERNAL = 4,
    ENGINE_INCOMPLETE = 5 /* resumable: signal, walltime, lost launch */
};

/* The exit code that fits a failed call's -errno while planning. */
enum engine_exit engine_exit_for(int code);

/* How long a part of the run took: "topology", "plan", "launch", "init", "pack"... */
struct engine_phase {
    const char *name;
    double s;
};

struct summary;

enum engine_event_kind {
    ENGINE_PLANNED = 10,  /* plan and line are there; the folder is ours */
    ENGINE_STARTED = 20,  /* ranks are up */
    ENGINE_PROGRESS = 30, /* at most ten a second */
    ENGINE_STAGE_OVER = 40,
    ENGINE_PACKING = 50,
    ENGINE_STOPPING = 60, /* text: why; the ranks drain */
    ENGINE_SAID = 70,     /* text: a line that a rank or the launcher printed */
    ENGINE_ENDED = 80     /* summary is there, unless nothing was committed */
};

/* What the runner tells while it runs. Counts are of all stages. All pointers are
 * borrowed for the length of the call. */
struct engine_event {
    enum engine_event_kind kind;
    uint64_t done, failed, skipped, total;
    uint64_t running;
    uint64_t before; /* of the tasks, over when this launch began */
    uint64_t lost;   /* ranks of this launch */
    const char
        *stage; /* STAGE_OVER: its name; PROGRESS: the first unfinished one; or NULL */
    /* What ranks do, a letter each, or each for several: '0' (idle) to '9' (all of them
     * run tasks), 'x' (lost); "" or NULL: not said. */
    const char *ranks;
    double elapsed; /* s since STARTED */
    double left;    /* s, an estimate; < 0: not known yet */
    bool at_least;  /* more comes on top: a stage of which no task is over yet */
    const struct plan *plan;
    const struct launch_line *line;
    const char *text;
    const struct summary *summary; /* ENDED; or NULL */
};

struct engine_events {
    void *ctx;
    void (*event)(void *ctx, const struct engine_event *e);
};

/* The look function for jobspec_options: rows and digests of CSV, npy, IDX, text, HDF5,
 * bytes, lists of files.
 * Its context is a struct looks, so that a file is read once a job; or NULL. */
jobspec_look_fn engine_look;
struct looks;
struct looks *looks_make(void);
void looks_free(struct looks *l); /* takes NULL */
/* -EINVAL: a source is not what it was when it was looked at (size, date, list). */
int engine_unchanged(const struct jobspec_source *s, struct gm_error *err);
/* The kernels that are linked in. */
const struct gm_kernel *const *engine_kernels(unsigned *ret_n);
/* GRIDMILL_PLUGIN_PATH: folders of kernels that are not linked in; NULL: none. */
const char *engine_plugin_path(void);

/* The path of gridmill-runner, which stands beside this program in the build tree and
 * once installed (given: that one, if it is there); yours to free. */
int engine_find_runner(const char *given, char **ret, struct gm_error *err);

/* Where jobs run: on the hosts that the user names (--hosts, --hostfile, the key
 * `hosts`), else on those of Slurm's allocation, else on this host. */
struct engine_machine_options {
    const char *hosts, *hostfile; /* of the command line; or NULL */
    const char *launcher;         /* "mpirun", "slurm"; NULL: the one that fits */
    const char *folder; /* of the results, that all hosts must see; NULL: not looked at */
    const char *runner; /* path of gridmill-runner; NULL: beside this program */
};
struct engine_machine {
    struct restree *tree;
    const struct launch_backend *backend;
    bool elsewhere;    /* its hosts are reached by the launcher */
    bool runner_binds; /* what the launcher would bind is not to be had there */
};
/* Several hosts are probed (probe.h). spec: whose key `hosts` counts, or NULL. -EINVAL
 * and others: the sentence names the host, or the file and its line. */
int engine_machine(const struct jobspec *spec,
                   const struct engine_machine_options *o,
                   struct engine_machine *ret,
                   struct gm_error *err);
void engine_machine_free(struct engine_machine *m); /* what is inside */
/* The hosts of it that answer still. -EHOSTUNREACH: none. */
int engine_machine_left(const struct engine_machine *m,
                        const char *runner,
                        const char *folder,
                        struct engine_machine *ret,
                        struct gm_error *err);

/* The plan's line. Where the launcher cannot bind as planned (-ENOTSUP), or shall not,
 * the plan says from now on that the runner does. */
int engine_line(struct plan *plan,
                const struct engine_machine *m,
                const char *runner,
                struct launch_line **ret,
                struct gm_error *err);

/* Places the job on the tree and makes its plan (nothing is written). */
int engine_plan(const struct jobspec *spec,
                const struct restree *tree,
                const char *launcher,
                struct plan **ret,
                struct gm_error *err);

/* The same from a mapping that is already made (mapping.h), which is only read. */
struct mapping;
int engine_plan_mapped(const struct jobspec *spec,
                       const struct restree *tree,
                       const struct mapping *m,
                       const char *launcher,
                       struct plan **ret,
                       struct gm_error *err);

/* The same from a placement that is already made (the runner under a foreign launcher,
 * which placed from the inherited cpusets). seated: of a seated job, its tasks a stage;
 * else NULL. */
int engine_plan_from(const struct jobspec *spec,
                     const struct restree *tree,
                     const struct placement *at,
                     const uint64_t *seated,
                     enum plan_binder binder,
                     const char *launcher,
                     struct plan **ret,
                     struct gm_error *err);

struct resume;
struct engine_options {
    bool force;                  /* an existing results file is moved to FILE.old */
    const struct resume *resume; /* the unfinished run to go on with; NULL: a new one */
    const char *runner;          /* path of gridmill-runner; NULL: beside this program */
    int verbosity;               /* as base/log.h */
    const struct engine_phase *before; /* what the caller did already, for the phases */
    unsigned n_before;
};

/* Runs one job to its end; a launch that is lost is followed by another for the rest, as
 * the job's on-loss says. In a batch job that Slurm restarted, an unfinished run of the
 * same job is gone on with. The outcome is what the commit records say. Returns an exit
 * code of enum engine_exit; err has the sentence when it is not 0. */
int engine_run(const struct jobspec *spec,
               const struct engine_machine *machine,
               const struct engine_options *opt,
               const struct engine_events *events,
               struct gm_error *err);

/* When the ranks of a job that starts now have to drain, unix s; 0: never. By the job's
 * `time`, and `grace` before the end of the allocation. */
double engine_drain_time(const struct jobspec *spec);

/* Asks the running engine_run to drain (from a signal handler: async-signal-safe). The
 * second call ends the ranks at once. */
void engine_stop(void);

AUTO_TYPE(looks, looks_free)

#endif
