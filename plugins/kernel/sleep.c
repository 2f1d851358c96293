/* sleep: computes nothing and takes its time. What a job of it costs beyond that is the
 * cost of Gridmill itself (bench/run start). Naps are short, so that a stop is noticed;
 * how many there are follows from the time alone, so that the ranks of a group take
 * equally many steps, and a checkpoint is the number of those that are over. */
#include "gridmill/kernel.h"
#include "stopwatch.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define NAP 0.05 /* s */

enum { P_SECONDS };

enum { O_SLEPT };

static const struct gm_param_spec params[] = {
    [P_SECONDS] = {.name = "seconds",
                   .help = "how long",
                   .unit = "s",
                   .max = 1e9,
                   .type = GM_PARAM_FLOAT,
                   .flags = GM_REQUIRED},
};

static const struct gm_output_spec outputs[] = {
    [O_SLEPT] = {.name = "slept",
                 .help = "how long it took in truth",
                 .unit = "s",
                 .shape = "",
                 .dtype = GM_F64,
                 .flags = GM_MEASURED,
                 .summary = GM_SUM_MEAN},
};

struct sleeper {
    const struct gm_comm *comm;
    const struct gm_sink *sink;
    double begin, seconds; /* begin: as if all of it had been slept without a break */
    double naps, n_naps;   /* over, in all: whole numbers */
};

static int open_(const struct gm_params *common,
                 const struct gm_seat *seat,
                 void **ret,
                 struct gm_error *err)
{
    (void)common;
    (void)seat;
    struct sleeper *s = calloc(1, sizeof(*s));
    if (s == NULL)
        return gm_fail(err, -ENOMEM, "sleep: out of memory");
    *ret = s;
    return 0;
}

static int begin(void *self,
                 const struct gm_task *task,
                 const struct gm_sink *sink,
                 struct gm_error *err)
{
    (void)err;
    struct sleeper *s = self;
    *s = (struct sleeper){.comm = task->comm,
                          .sink = sink,
                          .begin = stopwatch_now(),
                          .seconds = gm_param_float(task->params, P_SECONDS)};
    s->n_naps = ceil(s->seconds / NAP);
    return 0;
}

static int step(void *self, struct gm_error *err)
{
    struct sleeper *s = self;
    double slept = stopwatch_now() - s->begin;
    if (s->naps >= s->n_naps)
        return gm_put_f64(s->sink, O_SLEPT, slept, err);
    if (s->comm->cancelled(s->comm))
        return gm_fail(err, -ECANCELED, "stopped after %.3f of %g s", slept, s->seconds);
    double left = fmin(NAP * ++s->naps, s->seconds) - slept;
    const struct timespec t = {.tv_nsec = (long)(left * 1e9)};
    if (left > 0)
        (void)nanosleep(&t, NULL);
    return 1;
}

static int save(void *self, const struct gm_saver *saver, struct gm_error *err)
{
    const struct sleeper *s = self;
    const double state[2] = {s->seconds, s->naps};
    bool first = s->comm->rank == 0;
    return first ? saver->put(saver, 0, state, sizeof(state), err) : 0;
}

static int load(void *self, const struct gm_loader *loader, struct gm_error *err)
{
    struct sleeper *s = self;
    double state[2];
    const void *data;
    size_t nbytes;
    int rc = loader->get(loader, 0, 0, &data, &nbytes, err);
    if (rc < 0)
        return rc;
    if (nbytes != sizeof(state))
        return gm_fail(err, -EINVAL, "a state of %zu bytes", nbytes);
    memcpy(state, data, sizeof(state));
    bool same = !(state[0] < s->seconds) && !(state[0] > s->seconds);
    if (!same || !(state[1] >= 0 && state[1] <= s->n_naps))
        return gm_fail(err, -EINVAL, "the state of a sleep of %g s", state[0]);
    s->naps = floor(state[1]);
    s->begin -= fmin(NAP * s->naps, s->seconds);
    return 0;
}

static void end(void *self, int outcome)
{
    (void)self;
    (void)outcome;
}

const struct gm_kernel sleep_kernel = {.abi = GM_KERNEL_ABI,
                                       .size = sizeof(struct gm_kernel),
                                       .name = "sleep",
                                       .summary = "wait, and compute nothing",
                                       .params = params,
                                       .n_params = sizeof(params) / sizeof(params[0]),
                                       .outputs = outputs,
                                       .n_outputs = sizeof(outputs) / sizeof(outputs[0]),
                                       .traits = GM_ON_CPU | GM_TAKES_GROUP,
                                       .open = open_,
                                       .begin = begin,
                                       .step = step,
                                       .end = end,
                                       .save = save,
                                       .load = load,
                                       .close = free};
