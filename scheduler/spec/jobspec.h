/* A job, as a jobspec says it (docs/man/gridmill-jobspec.5): in the short form, in Flux's
 * canonical form, or as directives in a script. Everything in a struct jobspec lives in
 * its arena and is immutable once loaded.
 *
 * This level knows no kernel and no file format: it is handed the table of kernels and a
 * function that looks at a data source. */
#ifndef SPEC_JOBSPEC_H
#define SPEC_JOBSPEC_H

#include "base/arena.h"
#include "gridmill/kernel.h"
#include "spec/constraint.h"
#include "spec/dependency.h"
#include "spec/pattern.h"
#include "spec/resource.h"
#include <stdbool.h>

/* One fault of a file. All of a file's faults are found in one pass. */
struct jobspec_fault {
    unsigned line, col; /* from 1; 0: of no place (a --set, the file as a whole) */
    const char *path;   /* "tasks[0].args.lr"; "" for the whole */
    const char *text;   /* what is wrong, and the nearest known word */
    bool warning;       /* told, but the job stands */
};

struct jobspec_faults {
    struct arena *arena; /* owns the texts */
    const char *file;    /* as the user named it */
    struct jobspec_fault *items;
    size_t n;        /* errors and warnings */
    size_t n_errors; /* of them */
    bool version_1;  /* some are of RFC 25, which nobody but the document asked for */
};

void jobspec_faults_free(struct jobspec_faults *f); /* what is inside; not f itself */
/* "file:line:col: path: text" (without :line:col where there is none; a warning's text
 * begins with "warning: "); yours to free. */
char *jobspec_fault_format(const struct jobspec_faults *f, size_t i);

/* What a source of shards or a data argument is, found at plan time. A shard count is
 * fixed together with size, mtime and digest: an input that changed since is refused. */
struct jobspec_source {
    const char *path; /* absolute; for HDF5 with ":/DATASET" */
    uint64_t size;    /* bytes of the file */
    int64_t mtime_ns;
    char sha256[65];     /* of the file's bytes, hex */
    uint64_t rows;       /* in the unit asked for; 0 when nobody asked (a plain path) */
    uint32_t unit;       /* enum gm_slice_unit, or 0, or JOBSPEC_KERNEL */
    const char *written; /* as the jobspec names it */
    /* GM_FILES: the files of a folder or pattern, absolute and sorted by name, `rows` of
     * them; size, mtime and digest are then of them all. Else NULL. */
    const char *const *files;
};

/* A source that is the shared object of a kernel. */
#define JOBSPEC_KERNEL 1000u

/* Fills all of *ret but path and written; what it points to is in `a`. unit 0: do not
 * count. -ENOENT, -EINVAL (truncated, ragged...), with the sentence in err. */
typedef int jobspec_look_fn(void *ctx,
                            const char *path,
                            uint32_t unit,
                            struct arena *a,
                            struct jobspec_source *ret,
                            struct gm_error *err);

struct flux_job;
struct dso;

struct jobspec_options {
    const struct gm_kernel *const *kernels;
    unsigned n_kernels;
    const char *plugin_path; /* folders "A:B" of kernels known by name, or NULL */
    jobspec_look_fn *look;   /* NULL: sources are not looked at (n_shards stays 0) */
    void *look_ctx;
    const struct jobspec_source *known; /* from a plan: used instead of looking */
    unsigned n_known;
    const char *const
        *sets; /* "PATH=VALUE", applied in order before anything is read:
                  "ranks=4", "tasks.train.args.lr=0.1", "tasks.0.group=all" */
    unsigned n_sets;
    const char *dir; /* the jobspec's folder; NULL: that of the file */
    enum dialect dialect;
    bool only_v1, any_version; /* canonical form: struct flux_rules */
    /* Which document of the file, from 1; 0: the only one (several are a fault). */
    unsigned document;
    /* A seated job's tasks a stage, once a plan fixed them; NULL: not yet (moldable
     * stages have n_tasks 0). */
    const uint64_t *seated;
    unsigned n_seated;
};

/* An axis of the matrix: a list of scalars, or an integer range (never expanded). */
struct jobspec_axis {
    const char *name;
    uint64_t n;
    bool is_range;
    int64_t first, step;          /* a range: first + i * step */
    const struct gm_value *items; /* a list: INT, FLOAT, BOOL or STRING each */
};

enum jobspec_ref_kind {
    JOBSPEC_REF_AXIS = 1,   /* ${axis} */
    JOBSPEC_REF_TASK_INDEX, /* ${task.index} */
    JOBSPEC_REF_SHARD_PATH,
    JOBSPEC_REF_SHARD_FIRST,
    JOBSPEC_REF_SHARD_COUNT,
    JOBSPEC_REF_SHARD_INDEX,
    JOBSPEC_REF_OUTPUT, /* ${stage.output}: same index, or the stage's one task */
    JOBSPEC_REF_BEST,   /* ${stage.output@max:scalar} or @min: */
    JOBSPEC_REF_RESULTS /* ${results} */
};

struct jobspec_ref {
    enum jobspec_ref_kind kind;
    unsigned axis;          /* AXIS: index in the stage's axes */
    unsigned stage, output; /* OUTPUT, BEST */
    unsigned scalar;        /* BEST: the output compared */
    bool least;             /* BEST: @min */
    unsigned line, col;
    const char *text; /* what stands in the braces: "train.model@max:accuracy" */
};

/* A scalar of the jobspec, cut at its references: literal, ref, literal, ref... One that
 * is a single whole reference takes the value's type. */
struct jobspec_piece {
    const char *text;              /* literal, or NULL */
    const struct jobspec_ref *ref; /* or NULL */
};

struct jobspec_template {
    const struct jobspec_piece *pieces;
    unsigned n;
};

/* An item of a list in which something varies. */
struct jobspec_item {
    struct gm_value value; /* type 0: `from` says */
    struct jobspec_template from;
};

/* An argument of a kernel. */
struct jobspec_arg {
    bool given;                   /* stands in the jobspec; else the default, if any */
    bool fixed;                   /* equal for all tasks: `value` holds it */
    struct gm_value value;        /* when fixed (type 0: not given and no default) */
    struct jobspec_template from; /* when not fixed and no list */
    const struct jobspec_item *items; /* a list that is not fixed */
    unsigned n_items;
    const char *text;         /* a fixed path: as it was written */
    const char *const *paths; /* a path over axes: all that it can be, absolute */
    unsigned n_paths;
};

struct jobspec_env {
    const char *name;
    bool unset; /* the variable is taken away; no value */
    struct jobspec_template value;
};

/* How tasks of a canonical job stand on its slots. Such a job is "seated": it has one
 * rank a task, and task i of a stage runs on the stage's i-th rank, all at once. */
enum jobspec_per {
    JOBSPEC_FARMED = 0, /* short form: any rank runs any task */
    JOBSPEC_PER_SLOT,
    JOBSPEC_PER_RESOURCE,
    JOBSPEC_TOTAL
};

/* setrlimit(2) of a command; UINT64_MAX (cpu: < 0): not limited by the job. */
struct jobspec_limits {
    uint64_t memory;    /* RLIMIT_AS, bytes */
    uint64_t file_size; /* RLIMIT_FSIZE, bytes */
    uint64_t files;     /* RLIMIT_NOFILE */
    uint64_t processes; /* RLIMIT_NPROC */
    uint64_t core;      /* RLIMIT_CORE, bytes; default 0 */
    double cpu;         /* RLIMIT_CPU, s */
};

#define JOBSPEC_CRASH_LIMIT 3u
#define JOBSPEC_GRACE       30.0
#define JOBSPEC_RESTARTS    3u
#define JOBSPEC_MOST_OUTPUT (UINT64_C(64) << 20)

struct jobspec_stage {
    const char *name;
    const struct gm_kernel *kernel;         /* NULL: a command */
    const char *kernel_file;                /* "./my.so#name" as written, or NULL */
    const struct jobspec_arg *args;         /* one a kernel parameter, in its order */
    const struct jobspec_template *command; /* argv */
    unsigned n_command;
    const struct jobspec_env *env;
    unsigned n_env;
    unsigned group;                  /* ranks a task; 0: all */
    const struct jobspec_axis *axes; /* in file order */
    unsigned n_axes;
    const struct jobspec_source *shards_of; /* NULL: no shards */
    uint64_t shard_rows, n_shards;          /* of the source's unit a shard; how many */
    /* A source that depends on axes: what it is made of, and one source for each
     * combination of the axes that it uses (the last varies fastest); all have as many
     * rows as the first, which is shards_of. Else n_shards_over is 0. */
    struct jobspec_template shards_from;
    const struct jobspec_source *const *shards_over;
    unsigned n_shards_over;
    uint64_t n_tasks;     /* product of axes and shards, checked */
    double timeout;       /* s; 0: none */
    double checkpoint;    /* key checkpoint: s between two of a task; 0: none */
    unsigned retry_limit; /* attempts after the first */
    uint32_t retry_on;    /* bits of enum jobspec_retry */
    /* Key crash-limit: a task that was running when so many ranks died has failed. */
    unsigned crash_limit;
    int32_t priority;       /* key priority: higher first; default 0 */
    uint64_t max_in_flight; /* key max-in-flight: tasks at once; 0: no limit */
    unsigned task_cores; /* key cores: of its rank's cores, what one task takes; 0: all */
    unsigned task_gpus;  /* key gpus: GPUs that its rank must have */
    /* Commands alone. */
    struct jobspec_template input;  /* key stdin: a file; n 0: /dev/null */
    const char *const *input_paths; /* all that it can be over its axes, absolute; none
                                       where it is a shard or what a stage computed */
    unsigned n_input_paths;
    const char *const *inherit; /* key inherit: names ("PATH", "LD_*") of the environment
                                   that commands see; NULL: all */
    unsigned n_inherit;
    struct jobspec_limits limits; /* key limits */
    uint64_t most_output; /* key output-limit: bytes kept of stdout, and of stderr */
    /* needs: stages that must be over before a task of this one starts. `strict`: a
     * failed task there skips this stage; else (an @max/@min reference) one done task is
     * enough. `same_index`: element to element, task i waits for task i alone. */
    const struct jobspec_need *needs;
    unsigned n_needs;
    /* Seated jobs. n_tasks is 0 until the plan says how many (options.seated). */
    enum jobspec_per per;
    const struct resource *slot;
    uint64_t per_count;
    const char *per_type; /* PER_RESOURCE */
    unsigned first_rank;  /* of task 0 */
    unsigned line, col;
};

struct jobspec_need {
    unsigned stage;
    bool strict, same_index;
    bool said; /* stands under `needs`; else a reference implies it */
};

enum jobspec_retry {
    JOBSPEC_RETRY_EXIT = 1 << 0,
    JOBSPEC_RETRY_SIGNAL = 1 << 1,
    JOBSPEC_RETRY_TIMEOUT = 1 << 2,
    JOBSPEC_RETRY_NODE = 1 << 3
};

/* A number of ways to write the results file. */
enum jobspec_pack { JOBSPEC_PACK_SINGLE = 0, JOBSPEC_PACK_SHARDED };
enum jobspec_writers { JOBSPEC_WRITERS_RANK = 0, JOBSPEC_WRITERS_HOST };

struct jobspec {
    struct arena *arena;
    const char *file;  /* as the user named it; errors speak of it */
    unsigned document; /* of the file, from 1 */
    unsigned line;     /* where the document begins */
    enum dialect form; /* AUTO never: SHORT, or the canonical dialect it was read in */
    bool several;      /* it is one of several, or was asked for by its number */
    const char *dir;   /* absolute: relative paths count from here */
    const char *text;  /* the file's bytes */
    size_t text_len;
    const char *const *sets;
    unsigned n_sets;
    const char *name;               /* default: the file's name without its suffix */
    unsigned ranks;                 /* 0: auto */
    unsigned nodes, ranks_per_node; /* 0: not said */
    unsigned cores,
        gpus; /* per rank; cores 0: not said (one, or all that are free / ranks) */
    unsigned threads;    /* PUs per rank, instead of whole cores; 0: not said */
    bool ranks_of_nodes; /* ranks is their product, and was not said itself */
    bool oversubscribe;
    bool map_by;         /* mapping is Open MPI's text: "numa" is a word of both */
    uint64_t memory;     /* per rank, bytes; 0: not said */
    const char *mapping; /* "auto", "pack", "spread", "numa", "gpu-near", "inherited", or
                            Open MPI's map-by text */
    const char *rank_by, *bind_to; /* Open MPI's words beside map-by; NULL: not said */
    const char *hosts;  /* a hostlist, entries with :SLOTS where said, or NULL */
    const char *verify; /* verify-binding: "strict", "warn", "off"; NULL: not said */
    const struct pattern *pattern; /* who speaks to whom; NULL: not said */
    double time;                   /* s; 0: no limit */
    double grace;      /* key grace: s that ranks have to drain at the end; default 30 */
    unsigned restarts; /* key on-loss.restarts: launches after a lost one; default 3 */
    bool stop_on_loss; /* key on-loss.policy: stop (default: continue) */
    const struct constraint *constraints;  /* NULL: any host */
    const struct dependency *after;        /* other jobs: the job-level `needs` */
    const struct jobspec_template *notify; /* argument vectors, one after another ... */
    const unsigned *notify_words;          /* ... of so many words each */
    unsigned n_after, n_notify;
    double telemetry;     /* s between samples; 0: off */
    const char *compress; /* "none", "gzip"; NULL: none; results */
    enum jobspec_pack pack;
    enum jobspec_writers writers;
    /* A canonical job without a Gridmill part: its resources; NULL: ranks, cores, gpus
     * above say all. */
    const struct resource *resources;
    unsigned n_resources;
    /* A canonical document: what is to be written again as it was. */
    const struct flux_job *flux;
    const char *results; /* absolute path of the file to write */
    const struct jobspec_stage
        *stages; /* in file order; needs point anywhere but never in a cycle */
    const struct jobspec_source
        *sources; /* every data set and path that is known at plan time */
    unsigned n_stages, n_sources;
    /* What this version can check but not run, at its place (jobspec_check_runnable). */
    const struct jobspec_fault *cannot;
    struct dso *const *dsos; /* of kernels from files; closed with the job */
    unsigned n_cannot, n_dsos;
};

/* The bytes of a file ("-": standard input); yours to free. -ENOENT and others: it could
 * not be read; err says so and *faults, which is yours to free then, holds it too. */
int jobspec_read(const char *file,
                 char **ret,
                 size_t *ret_len,
                 struct jobspec_faults *faults,
                 struct gm_error *err);
/* The one job of a text; `file` is the name that errors speak of. -EINVAL: the faults are
 * in *faults (all of them), err has the first. *faults is filled in any case and is yours
 * to free. */
int jobspec_parse(const char *file,
                  const char *text,
                  size_t len,
                  const struct jobspec_options *opt,
                  struct jobspec **ret,
                  struct jobspec_faults *faults,
                  struct gm_error *err);
void jobspec_free(struct jobspec *spec); /* takes NULL */

/* All jobs of a text, a document each, in its order (options.document: that one alone);
 * the text is copied. */
struct jobspec_jobs {
    struct jobspec **items;
    unsigned n;
    char *text; /* the file's: every job's `text` is this one */
};
int jobspec_parse_all(const char *file,
                      const char *text,
                      size_t len,
                      const struct jobspec_options *opt,
                      struct jobspec_jobs *ret,
                      struct jobspec_faults *faults,
                      struct gm_error *err);
/* The job of a name or of a document's number; `which` NULL: the only one. -ENOENT,
 * -EINVAL: which there are. */
int jobspec_find(const struct jobspec_jobs *jobs,
                 const char *file,
                 const char *which,
                 unsigned *ret,
                 struct gm_error *err);
/* The one that jobspec_find finds, alone. */
int jobspec_parse_chosen(const char *file,
                         const char *text,
                         size_t len,
                         const char *which,
                         const struct jobspec_options *opt,
                         struct jobspec **ret,
                         struct jobspec_faults *faults,
                         struct gm_error *err);
void jobspec_jobs_free(struct jobspec_jobs *jobs); /* what is inside; not jobs itself */

/* What the language says and this version cannot do yet, as one sentence at its place:
 * -ENOTSUP. `check` does not ask; `plan` and `run` do. */
int jobspec_check_runnable(const struct jobspec *spec, struct gm_error *err);

/* Of enum gm_slice_unit: "rows", "lines", "bytes", "files". */
const char *jobspec_unit_name(uint32_t unit);

static inline bool jobspec_seated(const struct jobspec *spec)
{
    return spec->resources != NULL;
}

/* Some stage's tasks run on more than one rank. */
static inline bool jobspec_grouped(const struct jobspec *spec)
{
    for (unsigned i = 0; i < spec->n_stages; i++) {
        if (spec->stages[i].group != 1)
            return true;
    }
    return false;
}

AUTO_TYPE(jobspec, jobspec_free)

#endif
