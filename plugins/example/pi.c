/* example.pi: pi by throwing darts, as a kernel of one's own: nothing but the installed
 * header and the C library.
 *
 * The darts are thrown in blocks of 65,536, and dart i depends on (seed, i) alone. So the
 * hits, and with them every bit of the result, are the same on any number of ranks: each
 * rank of the group counts a share of a step's blocks, and the group's sum adds them up.
 */
#define _POSIX_C_SOURCE 200809L /* clock_gettime in strict C */
#include "gridmill/kernel.h"
#include <math.h>
#include <stdlib.h>
#include <time.h>

#define BLOCK    65536 /* darts */
#define PER_STEP 256   /* blocks: some 0.1 s of one core */

enum { P_BLOCKS, P_SEED };

enum { O_PI, O_HITS, O_ERROR, O_RATE };

static const struct gm_param_spec params[] = {
    [P_BLOCKS] = {.name = "blocks",
                  .help = "how many times 65,536 darts",
                  .preset = "1000",
                  .min = 1,
                  .max = 1e9,
                  .type = GM_PARAM_INT},
    [P_SEED] = {.name = "seed",
                .help = "other darts for another seed",
                .preset = "0",
                .min = 0,
                .max = 9e15,
                .type = GM_PARAM_INT},
};

static const struct gm_output_spec outputs[] = {
    [O_PI] = {.name = "pi",
              .help = "four times the share of darts that hit the circle",
              .unit = "1",
              .shape = "",
              .dtype = GM_F64,
              .summary = GM_SUM_MEAN},
    [O_HITS] = {.name = "hits",
                .help = "darts that hit the circle",
                .unit = "1",
                .shape = "",
                .dtype = GM_I64,
                .summary = GM_SUM_TOTAL},
    [O_ERROR] = {.name = "error",
                 .help = "how far it is from pi, in deviations that chance explains",
                 .unit = "1",
                 .shape = "",
                 .dtype = GM_F64},
    [O_RATE] = {.name = "darts_per_s",
                .help = "of the whole group",
                .unit = "1/s",
                .shape = "",
                .dtype = GM_F64,
                .flags = GM_MEASURED,
                .summary = GM_SUM_MEAN},
};

struct pi {
    const struct gm_comm *comm;
    const struct gm_sink *sink;
    uint64_t seed, blocks, done; /* of blocks */
    int64_t hits;
    double start; /* s */
};

static double now(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* A number without order for each i: splitmix64. */
static uint64_t scramble(uint64_t i)
{
    i += UINT64_C(0x9e3779b97f4a7c15);
    i = (i ^ (i >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    i = (i ^ (i >> 27)) * UINT64_C(0x94d049bb133111eb);
    return i ^ (i >> 31);
}

static int open_(const struct gm_params *common,
                 const struct gm_seat *seat,
                 void **ret,
                 struct gm_error *err)
{
    (void)common;
    (void)seat;
    *ret = calloc(1, sizeof(struct pi));
    return *ret != NULL ? 0 : gm_fail(err, -ENOMEM, "example.pi: out of memory");
}

static int begin(void *self,
                 const struct gm_task *task,
                 const struct gm_sink *sink,
                 struct gm_error *err)
{
    struct pi *p = self;
    (void)err;
    *p = (struct pi){.comm = task->comm, .sink = sink, .start = now()};
    p->seed = scramble((uint64_t)gm_param_int(task->params, P_SEED));
    p->blocks = (uint64_t)gm_param_int(task->params, P_BLOCKS);
    return 0;
}

/* The hits of block `done + i`: one leaf of the group's sum. */
static int count_hits(void *self, uint64_t i, void *out, struct gm_error *err)
{
    const struct pi *p = self;
    uint64_t first = (p->done + i) * BLOCK;
    int64_t hits = 0;
    (void)err;
    for (uint64_t k = first; k < first + BLOCK; k++) {
        uint64_t dart = scramble(p->seed ^ k);
        uint64_t x = dart >> 32, y = dart & UINT32_MAX; /* of 2^32: whole numbers */
        hits += x * x / 4 + y * y / 4 < UINT64_C(1) << 62;
    }
    *(int64_t *)out = hits;
    return 0;
}

static int report(const struct pi *p, struct gm_error *err)
{
    const double pi = 3.14159265358979323846;
    double n = (double)p->blocks * BLOCK, found = 4 * (double)p->hits / n;
    double deviation = sqrt(pi * (4 - pi) / n);
    int rc = gm_put_f64(p->sink, O_PI, found, err);
    if (rc == 0)
        rc = gm_put_i64(p->sink, O_HITS, p->hits, err);
    if (rc == 0)
        rc = gm_put_f64(p->sink, O_ERROR, (found - pi) / deviation, err);
    return rc == 0 ? gm_put_f64(p->sink, O_RATE, n / (now() - p->start), err) : rc;
}

static int step(void *self, struct gm_error *err)
{
    struct pi *p = self;
    uint64_t left = p->blocks - p->done, n = left < PER_STEP ? left : PER_STEP;
    uint64_t first, count;
    int64_t hits;
    if (p->comm->cancelled(p->comm))
        return gm_fail(err, -ECANCELED, "stopped");
    gm_share(n, p->comm->n_ranks, p->comm->rank, &first, &count);
    int rc =
        p->comm->sum(p->comm, GM_I64, n, first, count, 1, count_hits, self, &hits, err);
    if (rc != 0)
        return rc;
    p->hits += hits;
    p->done += n;
    return p->done < p->blocks ? 1 : report(p, err);
}

static void end(void *self, int outcome)
{
    (void)self;
    (void)outcome;
}

/* A dart takes some 16 operations on whole numbers, which are no flops. */
static int cost(const struct gm_params *params_, double *ret_flops, double *ret_bytes)
{
    (void)params_;
    *ret_flops = 0;
    *ret_bytes = 0;
    return 0;
}

GM_EXPORT extern const struct gm_kernel example_pi_kernel;
const struct gm_kernel example_pi_kernel = {
    .abi = GM_KERNEL_ABI,
    .size = sizeof(struct gm_kernel),
    .name = "example.pi",
    .summary = "pi by throwing darts",
    .params = params,
    .n_params = sizeof(params) / sizeof(params[0]),
    .outputs = outputs,
    .n_outputs = sizeof(outputs) / sizeof(outputs[0]),
    .traits = GM_BOUND_COMPUTE | GM_ON_CPU | GM_TAKES_GROUP,
    .open = open_,
    .begin = begin,
    .step = step,
    .end = end,
    .cost = cost,
    .close = free,
};
