/* A kernel whose tasks are not alike, by their number: most put out a little, some much,
 * some a series, some take several steps, some fail once and some always. What they put
 * out is what tests/plugin/odd.sh works out again. */
#include "gridmill/kernel.h"
#include <stdlib.h>
#include <time.h>

enum { P_SCALE };

enum { O_SQUARE, O_LIST, O_TRACE };

enum { MOST = 20000, WIDE = 1000 };

static const struct gm_param_spec params[] = {
    [P_SCALE] = {.name = "scale", .help = "a factor", .type = GM_PARAM_FLOAT},
};

static const struct gm_output_spec outputs[] = {
    [O_SQUARE] =
        {.name = "square", .help = "", .unit = "1", .shape = "", .dtype = GM_F64},
    [O_LIST] = {.name = "list",
                .help = "",
                .unit = "1",
                .shape = "[n]",
                .dtype = GM_I64,
                .ndim = 1,
                .flags = GM_RAGGED},
    [O_TRACE] = {.name = "trace",
                 .help = "",
                 .unit = "1",
                 .shape = "[rows]",
                 .dtype = GM_I64,
                 .flags = GM_SERIES},
};

struct odd {
    const struct gm_task *task;
    const struct gm_sink *sink;
    unsigned steps;
    unsigned char tried[MOST];
    int64_t list[WIDE];
};

static int open_(const struct gm_params *common,
                 const struct gm_seat *seat,
                 void **ret,
                 struct gm_error *err)
{
    (void)common;
    (void)seat;
    *ret = calloc(1, sizeof(struct odd));
    return *ret != NULL ? 0 : gm_fail(err, -ENOMEM, "odd: out of memory");
}

static int begin(void *self,
                 const struct gm_task *task,
                 const struct gm_sink *sink,
                 struct gm_error *err)
{
    struct odd *o = self;
    o->task = task;
    o->sink = sink;
    o->steps = task->index % 997 == 1 ? 4 : 0;
    if (task->index >= MOST)
        return gm_fail(err, -EINVAL, "odd: too many tasks");
    return task->index % 1009 == 5 ? gm_fail(err, -EIO, "begins never") : 0;
}

static int put_all(struct odd *o, struct gm_error *err)
{
    uint64_t i = o->task->index, n = i % 11 == 3 ? WIDE : 2;
    double scale = gm_param_float(o->task->params, P_SCALE);
    int rc = gm_put_f64(o->sink, O_SQUARE, scale * (double)(i * i), err);
    for (uint64_t k = 0; k < n + 1 && k < WIDE; k++)
        o->list[k] = (int64_t)(i + k);
    if (rc == 0 && i % 13 != 4)
        rc = o->sink->put(o->sink, O_LIST, 1, &n, o->list, err);
    if (rc == 0 && i % 101 == 0)
        rc = o->sink->append(o->sink, O_TRACE, 3, o->list, err);
    return rc;
}

static int step(void *self, struct gm_error *err)
{
    struct odd *o = self;
    uint64_t i = o->task->index;
    const struct timespec nap = {.tv_nsec = 30000000};
    if (o->steps == 4 || o->steps == 0) {
        int rc = put_all(o, err);
        if (rc < 0)
            return rc;
    }
    if (i == 4242)
        return gm_fail(err, -ECANCELED, "gives up");
    if (i % 71 == 2 && o->tried[i]++ == 0)
        return gm_fail(err, -EIO, "not the first time");
    if (o->steps == 0)
        return 0;
    (void)nanosleep(&nap, NULL);
    return --o->steps > 1;
}

static void end(void *self, int outcome)
{
    (void)self;
    (void)outcome;
}

GM_EXPORT extern const struct gm_kernel my_odd_kernel;
const struct gm_kernel my_odd_kernel = {
    .abi = GM_KERNEL_ABI,
    .size = sizeof(struct gm_kernel),
    .name = "my.odd",
    .summary = "tasks that are not alike",
    .params = params,
    .n_params = sizeof(params) / sizeof(params[0]),
    .outputs = outputs,
    .n_outputs = sizeof(outputs) / sizeof(outputs[0]),
    .traits = GM_ON_CPU,
    .open = open_,
    .begin = begin,
    .step = step,
    .end = end,
    .close = free,
};
