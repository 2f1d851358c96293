/* sleep: computes nothing and takes its time. What a job of it costs beyond that is the
 * cost of Gridmill itself (bench/run start). Naps are short, so that a stop is noticed.
 */
#include "gridmill/kernel.h"
#include "stopwatch.h"
#include <stdlib.h>

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
    double begin, seconds;
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
    return 0;
}

static int step(void *self, struct gm_error *err)
{
    struct sleeper *s = self;
    double slept = stopwatch_now() - s->begin, left = s->seconds - slept;
    if (left <= 0)
        return gm_put_f64(s->sink, O_SLEPT, slept, err);
    if (s->comm->cancelled(s->comm))
        return gm_fail(err, -ECANCELED, "stopped after %.3f of %g s", slept, s->seconds);
    double nap = left < NAP ? left : NAP;
    const struct timespec t = {.tv_nsec = (long)(nap * 1e9)};
    (void)nanosleep(&t, NULL);
    return 1;
}

static void end(void *self, int outcome)
{
    (void)self;
    (void)outcome;
}

static int cost(const struct gm_params *p, double *ret_flops, double *ret_bytes)
{
    (void)p;
    *ret_flops = 0;
    *ret_bytes = 0;
    return 0;
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
                                       .cost = cost,
                                       .close = free};
