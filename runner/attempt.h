/* One attempt at one task, on this rank's part of its group. */
#ifndef RUNNER_ATTEMPT_H
#define RUNNER_ATTEMPT_H

#include "base/idset.h"
#include "comm.h"
#include "parcel.h"
#include "pulse.h"
#include "source.h"
#include "spec/plan.h"

/* A stage on this rank: its kernel, opened at its first task. */
struct attempt_stage {
    bool opened;
    int code; /* of open */
    struct gm_error error;
    void *self;
    struct arena *arena;         /* holds the common parameters */
    struct surroundings *around; /* of a stage of commands, once one was started */
};

struct command_place;
struct saving;

struct attempt {
    const struct jobspec *spec;
    const struct plan *plan;
    unsigned rank; /* this one, of the plan's */
    unsigned stage;
    uint64_t task;
    unsigned number; /* from 1 */
    struct comm *comm;
    struct pulse *pulse;
    struct source *source;
    const struct gm_seat *seat;
    struct attempt_stage *opened; /* this stage's */
    struct command_place *place;  /* where a command runs */
    struct saving *saving;        /* of a stage with `checkpoint`, else NULL */
    /* Called while the task runs: after a kernel's first step; after a command's start
     * with the child's affinity. */
    void (*look)(void *ctx, const struct idset *child);
    void (*between)(void *ctx); /* after each step that wants another; may be NULL */
    void *look_ctx;             /* of both */
};

struct attempt_end {
    uint32_t reason; /* enum result_reason */
    int32_t exit_code, signal;
    double start, end; /* unix s */
    double user_s, system_s;
    uint64_t max_rss, read_bytes, written_bytes;
    uint64_t continued;      /* steps that were not taken: it went on from a checkpoint */
    struct result_work work; /* that the kernel counted */
};

/* 0: done. -ECANCELED: asked to stop, or another rank of the group failed. -EOWNERDEAD: a
 * rank of the group was lost. Other: failed, err says why. Values go into the parcel. */
int attempt_kernel(const struct attempt *a,
                   struct parcel *parcel,
                   struct attempt_end *ret,
                   struct gm_error *err);

/* Its parts, for chunk.c. open: the stage's kernel, at its first task. steps: until it is
 * done, cancelled or out of time (ret->reason says so). */
int attempt_open(const struct attempt *a, struct gm_error *err);
int attempt_steps(const struct attempt *a, struct attempt_end *ret, struct gm_error *err);

/* Whether it counts its work, task by task or by the arguments. */
bool attempt_counts(const struct gm_kernel *kernel);
/* What the kernel counted of a task whose last step went well, before its `end`. */
void attempt_work(const struct gm_kernel *kernel,
                  void *self,
                  const struct gm_task *task,
                  struct result_work *ret);

void attempt_stage_close(struct attempt_stage *s, const struct gm_kernel *kernel);

#endif
