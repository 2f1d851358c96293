/* See attempt.h. A kernel is opened at the stage's first task; a stage that could not be
 * opened fails each of its tasks with the same sentence. */
#include "attempt.h"
#include "base/clock.h"
#include "base/memory.h"
#include "saving.h"
#include "sink.h"
#include "spec/tasks.h"
#include "surroundings.h"
#include <math.h>
#include <sys/resource.h>
#include <unistd.h>

int attempt_open(const struct attempt *a, struct gm_error *err)
{
    struct attempt_stage *o = a->opened;
    const struct jobspec_stage *stage = &a->spec->stages[a->stage];
    if (!o->opened) {
        o->opened = true;
        o->arena = arena_make();
        struct gm_params common = tasks_common(stage, o->arena);
        if (stage->kernel->probe != NULL)
            o->code = stage->kernel->probe(&o->error);
        if (o->code == 0)
            o->code = stage->kernel->open(&common, a->seat, &o->self, &o->error);
    }
    return o->code < 0 ? gm_fail(err, o->code, "%s", o->error.text) : 0;
}

void attempt_stage_close(struct attempt_stage *s, const struct gm_kernel *kernel)
{
    if (s->opened && s->code == 0 && kernel->close != NULL)
        kernel->close(s->self);
    surroundings_free(s->around);
    arena_free(s->arena);
}

static double cpu_seconds(struct timeval t)
{
    return (double)t.tv_sec + 1e-6 * (double)t.tv_usec;
}

/* After a step that is not the last: asked to stop, or out of time? */
static int between_steps(const struct attempt *a,
                         double start,
                         struct attempt_end *ret,
                         struct gm_error *err)
{
    double timeout = a->spec->stages[a->stage].timeout;
    char limit[32];
    if (a->between != NULL)
        a->between(a->look_ctx);
    if (a->saving != NULL) {
        int rc = saving_between(a->saving, err);
        if (rc < 0)
            return rc;
    } else if (pulse_stopping(a->pulse)) {
        return gm_fail(err, -ECANCELED, "asked to stop");
    }
    if (timeout <= 0 || clock_monotonic() - start <= timeout)
        return 1;
    ret->reason = RESULT_TIMEOUT;
    return gm_fail(err,
                   -ETIMEDOUT,
                   "took longer than its timeout of %s",
                   str_duration(timeout, limit));
}

int attempt_steps(const struct attempt *a, struct attempt_end *ret, struct gm_error *err)
{
    const struct jobspec_stage *stage = &a->spec->stages[a->stage];
    void *self = a->opened->self;
    double start = stage->timeout > 0 ? clock_monotonic() : 0;
    int rc = stage->kernel->step(self, err);
    a->look(a->look_ctx, NULL);
    while (rc > 0) {
        rc = between_steps(a, start, ret, err);
        if (rc > 0)
            rc = stage->kernel->step(self, err);
    }
    return rc;
}

bool attempt_counts(const struct gm_kernel *kernel)
{
    return kernel->work != NULL || kernel->cost != NULL;
}

/* A number that no work can be counts for nothing. */
static double counted(double x)
{
    return isfinite(x) && x > 0 ? x : 0;
}

void attempt_work(const struct gm_kernel *kernel,
                  void *self,
                  const struct gm_task *task,
                  struct result_work *ret)
{
    struct gm_work w = {.size = sizeof(w)};
    if (kernel->work != NULL)
        kernel->work(self, &w);
    else if (kernel->cost == NULL || kernel->cost(task->params, &w.flops, &w.bytes) < 0)
        w.flops = w.bytes = 0;
    *ret = (struct result_work){.flops = counted(w.flops),
                                .flops64 = counted(w.flops64),
                                .bytes = counted(w.bytes),
                                .gpu_s = counted(w.gpu_s) * task->comm->n_ranks};
}

/* The kernel is at its first step, or where its checkpoint was. After a failure it has
 * ended. */
static int begin(const struct attempt *a,
                 const struct gm_task *task,
                 const char *varying,
                 struct sink *sink,
                 struct gm_error *err)
{
    const struct gm_kernel *kernel = a->spec->stages[a->stage].kernel;
    void *self = a->opened->self;
    int rc = kernel->begin(self, task, &sink->face, err);
    if (rc < 0 || a->saving == NULL)
        return rc;
    rc = saving_load(a->saving, varying, err);
    if (rc < 0)
        kernel->end(self, rc);
    return rc == -ESTALE ? kernel->begin(self, task, &sink->face, err) : rc;
}

static int run_kernel(const struct attempt *a,
                      const struct tasks_args *args,
                      struct parcel *parcel,
                      struct attempt_end *ret,
                      struct gm_error *err)
{
    const struct jobspec_stage *stage = &a->spec->stages[a->stage];
    const struct gm_comm *comm = comm_face(a->comm);
    struct sink sink;
    sink_init(&sink, stage->kernel, comm->rank == 0);
    sink.parcel = parcel;
    struct gm_task task = {.size = sizeof(task),
                           .index = a->task,
                           .seed = tasks_seed(stage->name, a->task),
                           .params = &args->params,
                           .comm = comm,
                           .shard = args->has_shard ? &args->shard : NULL,
                           .inputs = args->inputs,
                           .n_inputs = args->n_inputs};
    int rc = begin(a, &task, args->varying, &sink, err);
    if (rc >= 0) {
        rc = attempt_steps(a, ret, err);
        if (rc == 0 && comm->rank == 0)
            attempt_work(stage->kernel, a->opened->self, &task, &ret->work);
        stage->kernel->end(a->opened->self, rc);
    }
    ret->continued = a->saving != NULL ? saving_end(a->saving) : 0;
    return rc;
}

int attempt_kernel(const struct attempt *a,
                   struct parcel *parcel,
                   struct attempt_end *ret,
                   struct gm_error *err)
{
    AUTO(arena) arena = arena_make();
    struct tasks_args args = {0};
    struct rusage before, after;
    *ret = (struct attempt_end){
        .reason = RESULT_ERROR, .exit_code = -1, .start = clock_unix()};
    (void)getrusage(RUSAGE_SELF, &before);
    int rc = attempt_open(a, err);
    if (rc == 0)
        rc = tasks_args(a->spec,
                        a->stage,
                        a->task,
                        source_for(a->source, a->stage),
                        arena,
                        &args,
                        err);
    if (rc == 0)
        rc = source_tables(a->source, args.inputs, args.n_inputs, err);
    if (rc == 0)
        rc = parcel_add_text(
            parcel, RESULT_PARAMS, args.varying, strlen(args.varying), err);
    if (rc == 0)
        rc = run_kernel(a, &args, parcel, ret, err);
    source_release(a->source);
    (void)getrusage(RUSAGE_SELF, &after);
    ret->end = clock_unix();
    ret->user_s = cpu_seconds(after.ru_utime) - cpu_seconds(before.ru_utime);
    ret->system_s = cpu_seconds(after.ru_stime) - cpu_seconds(before.ru_stime);
    ret->max_rss = (uint64_t)after.ru_maxrss * 1024;
    if (rc == 0) {
        ret->reason = RESULT_OK;
        ret->exit_code = 0;
    }
    return rc;
}
