/* A kernel for tests of checkpoints: each rank of its group has a number of its own,
 * which each step mixes with the sum of all; so what it puts out in the end depends on
 * every rank's state. It goes on from as many ranks as saved it, no others. */
#include "gridmill/kernel.h"
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const struct gm_param_spec params[] = {
    {.name = "steps", .help = "of 1 ms", .type = GM_PARAM_INT, .flags = GM_REQUIRED},
};

enum { O_SUM, O_TRACE };

static const struct gm_output_spec outputs[] = {
    [O_SUM] =
        {.name = "sum", .help = "of all", .unit = "1", .shape = "", .dtype = GM_I64},
    [O_TRACE] = {.name = "trace",
                 .help = "the same, every 100 steps",
                 .unit = "1",
                 .shape = "[n]",
                 .dtype = GM_I64,
                 .flags = GM_SERIES},
};

struct each {
    const struct gm_comm *comm;
    const struct gm_sink *sink;
    int64_t steps, n, own, sum;
};

static int open_(const struct gm_params *common,
                 const struct gm_seat *seat,
                 void **ret,
                 struct gm_error *err)
{
    (void)common;
    (void)seat;
    *ret = calloc(1, sizeof(struct each));
    return *ret != NULL ? 0 : gm_fail(err, -ENOMEM, "each: out of memory");
}

static int begin(void *self,
                 const struct gm_task *task,
                 const struct gm_sink *sink,
                 struct gm_error *err)
{
    struct each *e = self;
    (void)err;
    *e = (struct each){.comm = task->comm,
                       .sink = sink,
                       .steps = gm_param_int(task->params, 0),
                       .own = task->comm->rank + 1};
    return 0;
}

static int leaf(void *ctx, uint64_t i, void *out, struct gm_error *err)
{
    const struct each *e = ctx;
    (void)i;
    (void)err;
    memcpy(out, &e->own, sizeof(e->own));
    return 0;
}

static int step(void *self, struct gm_error *err)
{
    struct each *e = self;
    const struct gm_comm *c = e->comm;
    const struct timespec nap = {.tv_nsec = 1000000};
    if (e->n == e->steps)
        return gm_put_i64(e->sink, O_SUM, e->sum, err);
    if (c->cancelled(c))
        return gm_fail(err, -ECANCELED, "stopped");
    (void)nanosleep(&nap, NULL);
    int rc = c->sum(c, GM_I64, c->n_ranks, c->rank, 1, 1, leaf, e, &e->sum, err);
    e->own = (e->own * 31 + e->sum + c->rank) % 1000000007;
    if (rc == 0 && ++e->n % 100 == 0)
        rc = e->sink->append(e->sink, O_TRACE, 1, &e->sum, err);
    return rc < 0 ? rc : 1;
}

static void end(void *self, int outcome)
{
    (void)self;
    (void)outcome;
}

static int save(void *self, const struct gm_saver *saver, struct gm_error *err)
{
    const struct each *e = self;
    const int64_t state[3] = {e->n, e->own, e->sum};
    return saver->put(saver, 5, state, sizeof(state), err);
}

static int load(void *self, const struct gm_loader *loader, struct gm_error *err)
{
    struct each *e = self;
    const void *data;
    size_t nbytes;
    int64_t state[3];
    if (loader->n_ranks != e->comm->n_ranks)
        return gm_fail(err, -EINVAL, "it was saved by %u ranks", loader->n_ranks);
    int rc = loader->get(loader, e->comm->rank, 5, &data, &nbytes, err);
    if (rc < 0)
        return rc;
    memcpy(state, data, sizeof(state));
    e->n = state[0];
    e->own = state[1];
    e->sum = state[2];
    return 0;
}

GM_EXPORT const struct gm_kernel each_kernel = {
    .abi = GM_KERNEL_ABI,
    .size = sizeof(struct gm_kernel),
    .name = "each",
    .summary = "each rank has a number of its own",
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
