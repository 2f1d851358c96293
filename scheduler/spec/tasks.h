/* Tasks by arithmetic: (stage, index) -> parameters. Nothing is ever expanded.
 *
 * The shape of a stage is its matrix axes in file order, then its shards; the last varies
 * fastest. Data that other stages committed is read through a struct tasks_source, which
 * the runner fills in. */
#ifndef SPEC_TASKS_H
#define SPEC_TASKS_H

#include "spec/jobspec.h"

struct tasks_source {
    void *ctx;
    /* The committed task of `stage` with the highest (or least) value of the scalar
     * output; skips failed tasks, ignores NaN, ties go to the lowest index. -ENOENT: no
     * such. */
    int (*best)(void *ctx,
                unsigned stage,
                unsigned scalar,
                bool least,
                uint64_t *ret_task,
                struct gm_error *err);
    /* An output of a committed task; ret->data stays valid while the task runs. */
    int (*output)(void *ctx,
                  unsigned stage,
                  uint64_t task,
                  unsigned output,
                  struct gm_input *ret,
                  struct gm_error *err);
    /* An output as an .npy file in the task's private folder; text is the source's. */
    int (*npy)(void *ctx,
               unsigned stage,
               uint64_t task,
               unsigned output,
               const char **ret,
               struct gm_error *err);
    /* The read-only results file of the stages that `stage` needs. */
    int (*results)(void *ctx, const char **ret, struct gm_error *err);
};

/* The axis values and shard of one task. Fills *ret_shard only when the stage has shards.
 */
void tasks_place(const struct jobspec_stage *s,
                 uint64_t index,
                 uint64_t *axis_index /*[n_axes]*/,
                 uint64_t *ret_shard);
struct gm_value tasks_axis_value(const struct jobspec_axis *axis, uint64_t i);

/* A seed that depends on (stage name, index) alone: SplitMix64 over FNV-1a. */
uint64_t tasks_seed(const char *stage, uint64_t index);
/* The same in two parts, for many tasks of one stage. */
uint64_t tasks_seed_start(const char *stage);
uint64_t tasks_seed_at(uint64_t start, uint64_t index);

struct tasks_args {
    struct gm_params params;
    struct gm_slice shard;
    bool has_shard;
    struct gm_input
        *inputs; /* TENSOR and MODEL references, and HDF5 data (param set; data
                    still NULL and origin the path: the caller reads it) */
    unsigned n_inputs;
    /* Canonical one-line JSON of what varies over the stage's tasks, sorted by name, as
     * it stands in the results: {"lr":0.1,"seed":3}; "" when nothing varies. References
     * to outputs stand as "train.model[3]". */
    const char *varying;
};

/* A kernel's arguments for one task. Everything is allocated in `a`. */
int tasks_args(const struct jobspec *spec,
               unsigned stage,
               uint64_t index,
               const struct tasks_source *source,
               struct arena *a,
               struct tasks_args *ret,
               struct gm_error *err);

/* A kernel's arguments that are equal for all tasks (for kernel->open). */
struct gm_params tasks_common(const struct jobspec_stage *s, struct arena *a);

struct tasks_command {
    const char *const *argv; /* ends with NULL */
    const char *const *env;  /* "NAME=value", ends with NULL: what the stage adds */
    const char *input;       /* the file to be its standard input, absolute; or NULL */
    const char *varying;     /* as above: axis values, shard, references by name */
    struct gm_slice shard;
    bool has_shard;
};

int tasks_command(const struct jobspec *spec,
                  unsigned stage,
                  uint64_t index,
                  const struct tasks_source *source,
                  struct arena *a,
                  struct tasks_command *ret,
                  struct gm_error *err);

/* What a task will get, told before the job runs: as tasks_args and tasks_command will
 * give it, with what other stages have not committed yet by its name:
 * "${train.model[3]}", "${train.model@max:accuracy}", "${results}". */
struct tasks_preview_arg {
    const char *name;
    struct gm_value value; /* what is ahead is a text, whatever the kernel declares */
    const struct gm_value *items; /* a list of which something is ahead; else NULL */
    unsigned n_items;
};

struct tasks_preview {
    const struct gm_value *axes; /* one an axis of the stage */
    bool has_shard;
    struct gm_slice shard;
    const char *shard_of;                 /* its source as the jobspec names it */
    const char *const *shard_files;       /* GM_FILES: shard.count paths; else NULL */
    const struct tasks_preview_arg *args; /* a kernel's that are given or preset */
    unsigned n_args;
    const char *const *argv, *const *env; /* a command's, as in struct tasks_command */
    const char *input;
};

int tasks_preview(const struct jobspec *spec,
                  unsigned stage,
                  uint64_t index,
                  struct arena *a,
                  struct tasks_preview *ret,
                  struct gm_error *err);

/* The stage's fixed arguments (or its argv as written) as canonical one-line JSON.
 * with_digests: each path is replaced by {"sha256": ...} of its source, for the result
 * hash. */
char *tasks_common_json(const struct jobspec *spec, unsigned stage, bool with_digests);

#endif
