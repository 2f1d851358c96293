/* One task while its references are resolved: what resolve.c (arguments), command.c
 * (argument vectors) and preview.c (both, before anything ran) share. */
#ifndef SPEC_TASK_H
#define SPEC_TASK_H

#include "load.h"
#include "spec/tasks.h"

struct task {
    const struct jobspec *spec;
    const struct jobspec_stage *s;
    uint64_t index;
    uint64_t axis_index[LOAD_MAX_AXES];
    struct gm_slice shard;
    const struct jobspec_source *shard_of; /* this task's: it may depend on axes */
    const struct tasks_source *source;     /* NULL: nothing is committed yet */
    struct arena *a;
};

/* index < n_tasks */
void task_init(struct task *t,
               const struct jobspec *spec,
               unsigned stage,
               uint64_t index,
               const struct tasks_source *source,
               struct arena *a);
/* What the reference means is known only while the job runs, and there is no source. */
bool task_ahead(const struct task *t, const struct jobspec_ref *ref);
/* Such a one by its name: "${train.model[3]}", "${train.model@max:accuracy}",
 * "${results}". */
const char *task_name_ahead(const struct task *t, const struct jobspec_ref *ref);
/* The committed task that an output reference means. */
int task_pick(const struct task *t,
              const struct jobspec_ref *ref,
              uint64_t *ret,
              struct gm_error *err);
/* "train.model[3]" */
const char *
task_output_name(const struct task *t, const struct jobspec_ref *ref, uint64_t task);
struct gm_value task_text(const char *text);
/* An output's number; *ret_name is "train.loss[3]". */
int task_output_scalar(const struct task *t,
                       const struct jobspec_ref *ref,
                       struct gm_value *ret,
                       const char **ret_name,
                       struct gm_error *err);
/* A reference that is no output: axis, index, shard. */
struct gm_value task_own_value(const struct task *t, const struct jobspec_ref *ref);
bool task_of_output(const struct jobspec_ref *ref);
/* Of a kernel: an argument is made of the axis, or has its name, so that the results tell
 * it by that. */
bool task_axis_told(const struct jobspec_stage *s, unsigned axis);
/* The shard's path as the results keep it: as the jobspec names it; of files, their
 * names. */
const char *task_shard_written(const struct task *t);
/* What a reference prints as; *ret_recorded is how the results tell it (type 0: not at
 * all). What is ahead prints its name. */
int task_print(const struct task *t,
               const struct jobspec_ref *ref,
               struct str *out,
               struct gm_value *ret_recorded,
               struct gm_error *err);

/* An argument of a kernel, resolved. One that is ahead stands as a text, whatever its
 * type, and in a list among `items`. */
struct task_arg {
    struct gm_value value;        /* type 0: not given, or by `input` or `items` alone */
    struct gm_value fact;         /* as the results tell it; type 0: not at all */
    const struct gm_value *items; /* a list of which something is ahead */
    unsigned n_items;
    struct gm_input input; /* origin NULL: none; data NULL: read by its origin */
};
int task_arg(const struct task *t,
             unsigned param,
             struct task_arg *ret,
             struct gm_error *err);

/* Names with their values, to be written as one sorted JSON object. */
struct fact {
    const char *name;
    struct gm_value value;
};

struct facts {
    struct fact *items;
    size_t n, room;
};

void facts_add(struct facts *f, struct arena *a, const char *name, struct gm_value v);
/* {"lr":0.1,"shard":{"first":0,"count":64}}; a fact without a type is the shard. "" for
 * none. */
const char *facts_json(struct facts *f, const struct task *t, struct arena *a);

#endif
