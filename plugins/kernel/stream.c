/* stream: how many bytes a second come from this rank's memory and go there, by the loops
 * of McCalpin's STREAM over arrays that no cache holds.
 *
 * A task is a walk: touch the arrays, run the four loops once unmeasured, then `repeat`
 * times, one loop a step, and look at every element in the end. The ranks of a group
 * begin each loop together, and the slowest one's time counts for all: what the group
 * reaches at once. Nothing is allocated after begin. */
#include "kernels/op/stream.h"
#include "gridmill/kernel.h"
#include "kernels/op/threads.h"
#include "stopwatch.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ALIGN      4096
#define MIB        ((size_t)1 << 20)
#define LEAST_AUTO (64 * MIB)
#define MOST_AUTO  (256 * MIB)

enum { P_MIB, P_REPEAT };

enum {
    O_COPY,
    O_SCALE,
    O_ADD,
    O_TRIAD,
    O_COPY_MEDIAN,
    O_SCALE_MEDIAN,
    O_ADD_MEDIAN,
    O_TRIAD_MEDIAN,
    O_ARRAY
};

static const struct gm_param_spec params[] = {
    [P_MIB] = {.name = "mib",
               .help = "size of each of the three arrays (default: four times the last "
                       "cache, from 64 to 256)",
               .unit = "MiB",
               .min = 1,
               .max = 1 << 20,
               .type = GM_PARAM_INT},
    [P_REPEAT] = {.name = "repeat",
                  .help = "measured runs of the four loops, after one that is not",
                  .preset = "10",
                  .min = 1,
                  .max = 100000,
                  .type = GM_PARAM_INT},
};

#define RATE(what, how, which)                                                           \
    {                                                                                    \
        .name = what, .help = how, .unit = "GB/s", .shape = "", .dtype = GM_F64,         \
        .flags = GM_MEASURED, .summary = which                                           \
    }

static const struct gm_output_spec outputs[] = {
    [O_COPY] = RATE("copy", "c = a, 16 bytes an element: the best run", GM_SUM_BEST),
    [O_SCALE] = RATE("scale", "b = s c, 16 bytes an element: the best run", GM_SUM_BEST),
    [O_ADD] = RATE("add", "c = a + b, 24 bytes an element: the best run", GM_SUM_BEST),
    [O_TRIAD] =
        RATE("triad", "a = b + s c, 24 bytes an element: the best run", GM_SUM_BEST),
    [O_COPY_MEDIAN] = RATE("copy_median", "copy: the median run", GM_SUM_NONE),
    [O_SCALE_MEDIAN] = RATE("scale_median", "scale: the median run", GM_SUM_NONE),
    [O_ADD_MEDIAN] = RATE("add_median", "add: the median run", GM_SUM_NONE),
    [O_TRIAD_MEDIAN] = RATE("triad_median", "triad: the median run", GM_SUM_NONE),
    [O_ARRAY] = {.name = "array_bytes",
                 .help = "size of each of the three arrays, on each rank",
                 .unit = "bytes",
                 .shape = "",
                 .dtype = GM_I64,
                 .flags = GM_MEASURED},
};

static const double bytes_of[STREAM_OPS] = {
    [STREAM_COPY] = 16, [STREAM_SCALE] = 16, [STREAM_ADD] = 24, [STREAM_TRIAD] = 24};

enum phase { TOUCH, RUN, CHECK, REPORT };

struct stream {
    unsigned n_threads;
    /* the task's */
    const struct gm_comm *comm;
    const struct gm_sink *sink;
    enum phase phase;
    size_t n, repeat, done; /* elements; runs wanted; loops done, the first run's too */
    double *a, *b, *c;
    double *times; /* [op][repeat]: this rank's */
    double *all;   /* [rank][op][repeat] */
};

/* STREAM's rule: what the last cache holds does not matter to four times as much. */
static size_t array_bytes(const struct gm_params *p)
{
    if (gm_param_given(p, P_MIB))
        return (size_t)gm_param_int(p, P_MIB) * MIB;
    size_t most = 0;
    static const int levels[] = {_SC_LEVEL2_CACHE_SIZE, _SC_LEVEL3_CACHE_SIZE};
    for (unsigned i = 0; i < sizeof(levels) / sizeof(levels[0]); i++) {
        long bytes = sysconf(levels[i]);
        most = bytes > 0 && (size_t)bytes > most ? (size_t)bytes : most;
    }
    most = 4 * most < LEAST_AUTO ? LEAST_AUTO : 4 * most;
    return (most > MOST_AUTO ? MOST_AUTO : most) / MIB * MIB;
}

static int open_(const struct gm_params *common,
                 const struct gm_seat *seat,
                 void **ret,
                 struct gm_error *err)
{
    (void)common;
    struct stream *s = calloc(1, sizeof(*s));
    if (s == NULL)
        return gm_fail(err, -ENOMEM, "stream: out of memory");
    s->n_threads = seat->n_threads == 0 ? 1 : seat->n_threads;
    *ret = s;
    return 0;
}

static void end(void *self, int outcome)
{
    (void)outcome;
    struct stream *s = self;
    free(s->a);
    free(s->b);
    free(s->c);
    free(s->times);
    free(s->all);
    s->a = s->b = s->c = s->times = s->all = NULL;
}

/* Not touched: the threads do that. */
static double *array(size_t n)
{
    void *p = NULL;
    return posix_memalign(&p, ALIGN, n * sizeof(double)) == 0 ? p : NULL;
}

static int begin(void *self,
                 const struct gm_task *task,
                 const struct gm_sink *sink,
                 struct gm_error *err)
{
    struct stream *s = self;
    s->comm = task->comm;
    s->sink = sink;
    s->phase = TOUCH;
    s->done = 0;
    s->n = array_bytes(task->params) / sizeof(double);
    s->repeat = (size_t)gm_param_int(task->params, P_REPEAT);
    s->a = array(s->n);
    s->b = array(s->n);
    s->c = array(s->n);
    s->times = calloc(STREAM_OPS * s->repeat, sizeof(double));
    s->all = calloc(s->comm->n_ranks * STREAM_OPS * s->repeat, sizeof(double));
    if (s->a == NULL || s->b == NULL || s->c == NULL || s->times == NULL ||
        s->all == NULL) {
        end(self, -ENOMEM);
        return gm_fail(err,
                       -ENOMEM,
                       "no memory for three arrays of %zu MiB",
                       s->n * sizeof(double) / MIB);
    }
    threads_set(s->n_threads);
    return 0;
}

static int nothing(void *ctx, uint64_t i, void *out, struct gm_error *err)
{
    (void)ctx;
    (void)i;
    (void)err;
    memset(out, 0, sizeof(int64_t));
    return 0;
}

/* Returns when all ranks of the group are here. */
static int meet(const struct gm_comm *comm, struct gm_error *err)
{
    int64_t sum;
    return comm->n_ranks == 1 ? 0
                              : comm->sum(comm,
                                          GM_I64,
                                          comm->n_ranks,
                                          comm->rank,
                                          1,
                                          1,
                                          nothing,
                                          NULL,
                                          &sum,
                                          err);
}

static int run_loop(struct stream *s, struct gm_error *err)
{
    enum stream_op op = (enum stream_op)(s->done % STREAM_OPS);
    size_t run = s->done / STREAM_OPS; /* the first is not measured */
    int rc = meet(s->comm, err);
    if (rc != 0)
        return rc;
    double start = stopwatch_now();
    stream_run(op, s->n, s->a, s->b, s->c);
    if (run > 0)
        s->times[op * s->repeat + run - 1] = stopwatch_now() - start;
    s->done++;
    s->phase = s->done == STREAM_OPS * (1 + s->repeat) ? CHECK : RUN;
    return 1;
}

static int check(struct stream *s, struct gm_error *err)
{
    size_t wrong = stream_count_wrong(s->n, 1 + s->repeat, s->a, s->b, s->c);
    s->phase = REPORT;
    if (wrong > 0)
        return gm_fail(
            err,
            -EIO,
            "%zu of %zu elements are wrong: this processor or its memory makes "
            "mistakes",
            wrong,
            s->n);
    return 1;
}

static int my_times(void *ctx, uint64_t i, void *out, struct gm_error *err)
{
    (void)err;
    const struct stream *s = ctx;
    size_t n = STREAM_OPS * s->repeat;
    memset(out, 0, s->comm->n_ranks * n * sizeof(double));
    memcpy((double *)out + i * n, s->times, n * sizeof(double));
    return 0;
}

/* times = those of the slowest rank, run by run. */
static int slowest(struct stream *s, struct gm_error *err)
{
    const struct gm_comm *comm = s->comm;
    size_t n = STREAM_OPS * s->repeat;
    int rc = comm->sum(comm,
                       GM_F64,
                       comm->n_ranks,
                       comm->rank,
                       1,
                       comm->n_ranks * n,
                       my_times,
                       s,
                       s->all,
                       err);
    for (size_t i = 0; rc == 0 && i < comm->n_ranks * n; i++)
        s->times[i % n] = s->all[i] > s->times[i % n] ? s->all[i] : s->times[i % n];
    return rc;
}

static int report(struct stream *s, struct gm_error *err)
{
    int rc = s->comm->n_ranks > 1 ? slowest(s, err) : 0;
    for (unsigned op = 0; rc == 0 && op < STREAM_OPS; op++) {
        double *times = s->times + op * s->repeat;
        double gigabytes = 1e-9 * bytes_of[op] * (double)s->n * (double)s->comm->n_ranks;
        double median = stopwatch_median(times, s->repeat);
        rc = gm_put_f64(s->sink, O_COPY + op, gigabytes / times[0], err);
        if (rc == 0)
            rc = gm_put_f64(s->sink, O_COPY_MEDIAN + op, gigabytes / median, err);
    }
    return rc == 0 ? gm_put_i64(s->sink, O_ARRAY, (int64_t)(s->n * sizeof(double)), err)
                   : rc;
}

static int step(void *self, struct gm_error *err)
{
    struct stream *s = self;
    if (s->comm->cancelled(s->comm))
        return gm_fail(err, -ECANCELED, "stopped after %zu loops", s->done);
    switch (s->phase) {
    case TOUCH:
        stream_fill(s->n, s->a, s->b, s->c);
        s->phase = RUN;
        return 1;
    case RUN:
        return run_loop(s, err);
    case CHECK:
        return check(s, err);
    case REPORT:
        break;
    }
    return report(s, err);
}

/* Of one rank: the arrays are each rank's own. */
static int cost(const struct gm_params *p, double *ret_flops, double *ret_bytes)
{
    if (!gm_param_given(p, P_REPEAT))
        return -ENODATA;
    double n = (double)(array_bytes(p) / sizeof(double)),
           runs = (double)gm_param_int(p, P_REPEAT) + 1;
    *ret_flops = 4 * n * runs;
    *ret_bytes = 80 * n * runs;
    return 0;
}

const struct gm_kernel stream_kernel = {.abi = GM_KERNEL_ABI,
                                        .size = sizeof(struct gm_kernel),
                                        .name = "stream",
                                        .summary = "measure the memory's bandwidth",
                                        .params = params,
                                        .n_params = sizeof(params) / sizeof(params[0]),
                                        .outputs = outputs,
                                        .n_outputs = sizeof(outputs) / sizeof(outputs[0]),
                                        .traits =
                                            GM_BOUND_MEMORY | GM_ON_CPU | GM_TAKES_GROUP,
                                        .open = open_,
                                        .begin = begin,
                                        .step = step,
                                        .end = end,
                                        .cost = cost,
                                        .close = free};
