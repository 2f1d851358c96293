/* See attempt.h. A kernel's outputs come from the group's first rank alone; the sink of
 * the others takes and drops them. */
#include "attempt.h"
#include "base/clock.h"
#include "base/memory.h"
#include "spec/tasks.h"
#include "surroundings.h"
#include <sys/resource.h>
#include <unistd.h>

struct sink {
    struct gm_sink face;
    const struct gm_kernel *kernel;
    struct parcel *parcel;
    bool leads;
};

static int
check_output(const struct sink *s, unsigned output, bool series, struct gm_error *err)
{
    if (output >= s->kernel->n_outputs)
        return gm_fail(err,
                       -EINVAL,
                       "kernel %s: output %u of %u",
                       s->kernel->name,
                       output,
                       s->kernel->n_outputs);
    bool declared = (s->kernel->outputs[output].flags & GM_SERIES) != 0;
    if (declared != series)
        return gm_fail(err,
                       -EINVAL,
                       "kernel %s: output %s is %s series",
                       s->kernel->name,
                       s->kernel->outputs[output].name,
                       declared ? "a" : "no");
    return 0;
}

static int sink_put(const struct gm_sink *face,
                    unsigned output,
                    uint32_t ndim,
                    const uint64_t *dims,
                    const void *data,
                    struct gm_error *err)
{
    struct sink *s = face->impl;
    int rc = check_output(s, output, false, err);
    if (rc < 0 || !s->leads)
        return rc;
    const struct gm_output_spec *o = &s->kernel->outputs[output];
    struct result_record r = {.kind = RESULT_OUTPUT,
                              .index = output,
                              .dtype = o->dtype,
                              .ndim = ndim,
                              .data = data,
                              .nbytes = gm_dtype_size(o->dtype)};
    if (ndim != o->ndim)
        return gm_fail(err,
                       -EINVAL,
                       "kernel %s: output %s has %u dimensions, not %u",
                       s->kernel->name,
                       o->name,
                       o->ndim,
                       ndim);
    for (uint32_t i = 0; i < ndim; i++) {
        r.dims[i] = dims[i];
        if (__builtin_mul_overflow(r.nbytes, dims[i], &r.nbytes))
            return gm_fail(err,
                           -EOVERFLOW,
                           "kernel %s: output %s is too large",
                           s->kernel->name,
                           o->name);
    }
    return parcel_add(s->parcel, &r, err);
}

static int sink_append(const struct gm_sink *face,
                       unsigned output,
                       uint64_t n_rows,
                       const void *rows,
                       struct gm_error *err)
{
    struct sink *s = face->impl;
    int rc = check_output(s, output, true, err);
    if (rc < 0 || !s->leads)
        return rc;
    const struct gm_output_spec *o = &s->kernel->outputs[output];
    if (o->ndim != 0)
        return gm_fail(err,
                       -EINVAL,
                       "kernel %s: series %s: rows must be scalars",
                       s->kernel->name,
                       o->name);
    struct result_record r = {.kind = RESULT_SERIES,
                              .index = output,
                              .dtype = o->dtype,
                              .ndim = 1,
                              .dims = {n_rows},
                              .data = rows};
    if (__builtin_mul_overflow(n_rows, gm_dtype_size(o->dtype), &r.nbytes))
        return gm_fail(err,
                       -EOVERFLOW,
                       "kernel %s: series %s is too long",
                       s->kernel->name,
                       o->name);
    return parcel_append(s->parcel, &r, err);
}

static int open_stage(const struct attempt *a, struct gm_error *err)
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

/* Steps until it is done, cancelled or out of time. */
static int step_all(const struct attempt *a,
                    const struct gm_kernel *kernel,
                    void *self,
                    struct attempt_end *ret,
                    struct gm_error *err)
{
    double timeout = a->spec->stages[a->stage].timeout, start = clock_monotonic();
    int rc = 1;
    for (bool first = true; rc > 0; first = false) {
        rc = kernel->step(self, err);
        if (first)
            a->look(a->look_ctx, NULL);
        if (rc > 0 && pulse_stopping(a->pulse))
            rc = gm_fail(err, -ECANCELED, "asked to stop");
        if (rc > 0 && timeout > 0 && clock_monotonic() - start > timeout) {
            char limit[32];
            ret->reason = RESULT_TIMEOUT;
            rc = gm_fail(err,
                         -ETIMEDOUT,
                         "took longer than its timeout of %s",
                         str_duration(timeout, limit));
        }
    }
    return rc;
}

static int run_kernel(const struct attempt *a,
                      const struct tasks_args *args,
                      struct parcel *parcel,
                      struct attempt_end *ret,
                      struct gm_error *err)
{
    const struct jobspec_stage *stage = &a->spec->stages[a->stage];
    const struct gm_comm *comm = comm_face(a->comm);
    struct sink sink = {
        .kernel = stage->kernel, .parcel = parcel, .leads = comm->rank == 0};
    sink.face = (struct gm_sink){
        .size = sizeof(sink.face), .impl = &sink, .put = sink_put, .append = sink_append};
    struct gm_task task = {.size = sizeof(task),
                           .index = a->task,
                           .seed = tasks_seed(stage->name, a->task),
                           .params = &args->params,
                           .comm = comm,
                           .shard = args->has_shard ? &args->shard : NULL,
                           .inputs = args->inputs,
                           .n_inputs = args->n_inputs};
    int rc = stage->kernel->begin(a->opened->self, &task, &sink.face, err);
    if (rc < 0)
        return rc;
    rc = step_all(a, stage->kernel, a->opened->self, ret, err);
    stage->kernel->end(a->opened->self, rc);
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
    int rc = open_stage(a, err);
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
