/* latency: how long a message takes between each two ranks of a group, and what the
 * group's broadcast and sum take, by the size of the message.
 *
 * A task is a walk: pair by pair, the others waiting, then bcast and sum of each size, a
 * step each; rank 0 reports. A pair sends to and fro: half of the median round trip is
 * what stands in the results, and each message carries what its receiver looks for.
 * Nothing is allocated after begin. */
#include "gridmill/kernel.h"
#include "stopwatch.h"
#include <math.h>
#include <string.h>

#define MOST_SIZES 32
#define MOST_BYTES (1 << 30)
#define FULL_BYTES 32768 /* larger messages are sent as many fewer times */
#define LEAST      4     /* times */

enum { P_SIZES, P_REPEAT };

enum { O_LATENCY, O_FARTHEST, O_BANDWIDTH, O_SIZE, O_HALF_TRIP, O_BCAST, O_SUM };

static const struct gm_param_spec params[] = {
    [P_SIZES] = {.name = "sizes",
                 .help = "of the messages, the smallest first",
                 .unit = "bytes",
                 .preset = "[8, 64, 512, 4096, 32768, 262144, 1048576]",
                 .min = 8,
                 .max = MOST_BYTES,
                 .type = GM_PARAM_INT_LIST},
    [P_REPEAT] = {.name = "repeat",
                  .help = "round trips a pair and size; messages above 32 KiB make fewer",
                  .preset = "200",
                  .min = LEAST,
                  .max = 1000000,
                  .type = GM_PARAM_INT},
};

static const struct gm_output_spec outputs[] = {
    [O_LATENCY] = {.name = "latency",
                   .help = "half a round trip of the smallest message: median over pairs",
                   .unit = "us",
                   .shape = "",
                   .dtype = GM_F64,
                   .flags = GM_MEASURED,
                   .summary = GM_SUM_LEAST},
    [O_FARTHEST] = {.name = "farthest",
                    .help = "half a round trip of the smallest message: the slowest pair",
                    .unit = "us",
                    .shape = "",
                    .dtype = GM_F64,
                    .flags = GM_MEASURED,
                    .summary = GM_SUM_BEST},
    [O_BANDWIDTH] = {.name = "bandwidth",
                     .help = "largest message over half its round trip: median over "
                             "pairs",
                     .unit = "GB/s",
                     .shape = "",
                     .dtype = GM_F64,
                     .flags = GM_MEASURED,
                     .summary = GM_SUM_BEST},
    [O_SIZE] = {.name = "size",
                .help = "bytes of the messages",
                .unit = "bytes",
                .shape = "[sizes]",
                .dtype = GM_I64,
                .ndim = 1},
    [O_HALF_TRIP] = {.name = "half_trip",
                     .help = "half a round trip between two ranks of the group (0: with "
                             "itself)",
                     .unit = "us",
                     .shape = "[sizes, ranks, ranks]",
                     .dtype = GM_F64,
                     .ndim = 3,
                     .flags = GM_MEASURED},
    [O_BCAST] = {.name = "bcast",
                 .help = "a broadcast to the group, each rank being the root in turn",
                 .unit = "us",
                 .shape = "[sizes]",
                 .dtype = GM_F64,
                 .ndim = 1,
                 .flags = GM_MEASURED},
    [O_SUM] = {.name = "sum",
               .help = "a sum over the group of doubles, given to all",
               .unit = "us",
               .shape = "[sizes]",
               .dtype = GM_F64,
               .ndim = 1,
               .flags = GM_MEASURED},
};

struct latency {
    /* the task's */
    const struct gm_comm *comm;
    const struct gm_sink *sink;
    size_t sizes[MOST_SIZES], n_sizes, repeat;
    uint32_t one, other;  /* the pair whose turn it is; one == n_ranks: all had theirs */
    size_t next;          /* size of bcast and sum whose turn it is */
    unsigned char *buf;   /* of the largest size */
    double *sum;          /* as large */
    double *times;        /* [repeat] */
    double *half, *whole; /* [size][rank][rank], us: what this rank found; all ranks */
    double bcast[MOST_SIZES], sums[MOST_SIZES]; /* us */
};

static int open_(const struct gm_params *common,
                 const struct gm_seat *seat,
                 void **ret,
                 struct gm_error *err)
{
    (void)common;
    (void)seat;
    *ret = calloc(1, sizeof(struct latency));
    return *ret != NULL ? 0 : gm_fail(err, -ENOMEM, "latency: out of memory");
}

static void end(void *self, int outcome)
{
    (void)outcome;
    struct latency *l = self;
    free(l->buf);
    free(l->sum);
    free(l->times);
    free(l->half);
    free(l->whole);
    l->buf = NULL;
    l->sum = l->times = l->half = l->whole = NULL;
}

static int read_sizes(struct latency *l, const struct gm_params *p, struct gm_error *err)
{
    const struct gm_value *v = gm_param(p, P_SIZES);
    if (v->n < 1 || v->n > MOST_SIZES)
        return gm_fail(err, -EINVAL, "sizes: 1 to %d, not %u", MOST_SIZES, v->n);
    l->n_sizes = v->n;
    for (uint32_t i = 0; i < v->n; i++) {
        l->sizes[i] = (size_t)v->as.ints[i];
        if (l->sizes[i] % sizeof(double) != 0)
            return gm_fail(err, -EINVAL, "sizes: %zu is no multiple of 8", l->sizes[i]);
        if (i > 0 && l->sizes[i] <= l->sizes[i - 1])
            return gm_fail(
                err, -EINVAL, "sizes: %zu follows %zu", l->sizes[i], l->sizes[i - 1]);
    }
    return 0;
}

static int begin(void *self,
                 const struct gm_task *task,
                 const struct gm_sink *sink,
                 struct gm_error *err)
{
    struct latency *l = self;
    uint32_t n = task->comm->n_ranks;
    *l = (struct latency){.comm = task->comm, .sink = sink, .other = 1};
    l->repeat = (size_t)gm_param_int(task->params, P_REPEAT);
    int rc = read_sizes(l, task->params, err);
    if (rc != 0)
        return rc;
    if (n < 2)
        return gm_fail(
            err, -EINVAL, "a message needs two ranks: give the stage group: 2 or all");
    size_t largest = l->sizes[l->n_sizes - 1], cells = l->n_sizes * n * n;
    l->buf = calloc(largest, 1);
    l->sum = calloc(largest, 1);
    l->times = calloc(l->repeat, sizeof(double));
    l->half = calloc(cells, sizeof(double));
    l->whole = calloc(cells, sizeof(double));
    if (l->buf == NULL || l->sum == NULL || l->times == NULL || l->half == NULL ||
        l->whole == NULL) {
        end(self, -ENOMEM);
        return gm_fail(err, -ENOMEM, "no memory for messages of %zu bytes", largest);
    }
    return 0;
}

static size_t n_times(const struct latency *l, size_t bytes)
{
    size_t n = bytes > FULL_BYTES ? l->repeat * FULL_BYTES / bytes : l->repeat;
    return n < LEAST ? LEAST : n;
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
static int meet(const struct gm_comm *c, struct gm_error *err)
{
    int64_t sum;
    return c->sum(c, GM_I64, c->n_ranks, c->rank, 1, 1, nothing, NULL, &sum, err);
}

/* Message number i: its first and last byte tell it, so that one that is late, short or
 * another's shows. */
static void mark(unsigned char *buf, size_t bytes, size_t i)
{
    buf[0] = (unsigned char)(i % 251);
    buf[bytes - 1] = (unsigned char)(1 + i % 241);
}

static int look(const unsigned char *buf,
                size_t bytes,
                size_t i,
                const char *what,
                struct gm_error *err)
{
    if (buf[0] == i % 251 && buf[bytes - 1] == 1 + i % 241)
        return 0;
    return gm_fail(err,
                   -EIO,
                   "%s %zu of %zu bytes came with other bytes than were sent",
                   what,
                   i,
                   bytes);
}

/* One round trip after the first, which is not measured: the lower rank begins. */
static int ping_pong(struct latency *l, size_t bytes, double *ret, struct gm_error *err)
{
    const struct gm_comm *c = l->comm;
    bool first = c->rank == l->one;
    uint32_t peer = first ? l->other : l->one;
    size_t n = n_times(l, bytes);
    int rc = 0;
    for (size_t i = 0; i <= n && rc == 0; i++) {
        double start = stopwatch_now();
        if (first) {
            mark(l->buf, bytes, 2 * i);
            rc = c->exchange(c, peer, l->buf, bytes, GM_NOBODY, NULL, 0, err);
        }
        if (rc == 0)
            rc = c->exchange(c, GM_NOBODY, NULL, 0, peer, l->buf, bytes, err);
        if (rc == 0)
            rc = look(l->buf, bytes, first ? 2 * i + 1 : 2 * i, "message", err);
        if (rc == 0 && !first) {
            mark(l->buf, bytes, 2 * i + 1);
            rc = c->exchange(c, peer, l->buf, bytes, GM_NOBODY, NULL, 0, err);
        }
        if (i > 0)
            l->times[i - 1] = stopwatch_now() - start;
    }
    *ret = 1e6 * stopwatch_median(l->times, n) / 2;
    return rc;
}

/* The turn of one pair. */
static int run_pair(struct latency *l, struct gm_error *err)
{
    const struct gm_comm *c = l->comm;
    uint32_t n = c->n_ranks;
    int rc = meet(c, err);
    for (size_t s = 0; s < l->n_sizes && rc == 0; s++) {
        double half = 0;
        if (c->rank != l->one && c->rank != l->other)
            break;
        rc = ping_pong(l, l->sizes[s], &half, err);
        if (c->rank == l->one) {
            l->half[(s * n + l->one) * n + l->other] = half;
            l->half[(s * n + l->other) * n + l->one] = half;
        }
    }
    l->other++;
    if (l->other == n) {
        l->one++;
        l->other = l->one + 1;
    }
    if (l->other >= n)
        l->one = n;
    return rc == 0 ? 1 : rc;
}

/* As many broadcasts as make whole turns of the root: each waits for the one before. */
static int time_bcast(struct latency *l, size_t bytes, double *ret, struct gm_error *err)
{
    const struct gm_comm *c = l->comm;
    size_t turns = (n_times(l, bytes) + c->n_ranks - 1) / c->n_ranks, i = 0;
    double start = 0;
    int rc = meet(c, err);
    for (; i < (turns + 1) * c->n_ranks && rc == 0; i++) {
        uint32_t root = (uint32_t)(i % c->n_ranks);
        if (i == c->n_ranks)
            start = stopwatch_now();
        if (c->rank == root)
            mark(l->buf, bytes, i);
        rc = c->bcast(c, root, l->buf, bytes, err);
        if (rc == 0)
            rc = look(l->buf, bytes, i, "broadcast", err);
    }
    *ret = 1e6 * (stopwatch_now() - start) / (double)(turns * c->n_ranks);
    return rc;
}

static int ones(void *ctx, uint64_t i, void *out, struct gm_error *err)
{
    (void)i;
    (void)err;
    const size_t *n = ctx;
    for (size_t k = 0; k < *n; k++)
        ((double *)out)[k] = 1;
    return 0;
}

static int time_sum(struct latency *l, size_t bytes, double *ret, struct gm_error *err)
{
    const struct gm_comm *c = l->comm;
    size_t turns = n_times(l, bytes), n = bytes / sizeof(double);
    int rc = meet(c, err);
    for (size_t i = 0; i <= turns && rc == 0; i++) {
        double start = stopwatch_now();
        rc = c->sum(c, GM_F64, c->n_ranks, c->rank, 1, n, ones, &n, l->sum, err);
        if (i > 0)
            l->times[i - 1] = stopwatch_now() - start;
        if (rc == 0 && !(l->sum[0] == c->n_ranks && l->sum[n - 1] == c->n_ranks))
            return gm_fail(err,
                           -EIO,
                           "a sum of ones over %u ranks gave %g and %g",
                           c->n_ranks,
                           l->sum[0],
                           l->sum[n - 1]);
    }
    *ret = 1e6 * stopwatch_median(l->times, turns);
    return rc;
}

static int run_group(struct latency *l, struct gm_error *err)
{
    size_t i = l->next++;
    int rc = time_bcast(l, l->sizes[i], &l->bcast[i], err);
    if (rc == 0)
        rc = time_sum(l, l->sizes[i], &l->sums[i], err);
    return rc == 0 ? 1 : rc;
}

static int my_half(void *ctx, uint64_t i, void *out, struct gm_error *err)
{
    (void)i;
    (void)err;
    const struct latency *l = ctx;
    memcpy(
        out, l->half, l->n_sizes * l->comm->n_ranks * l->comm->n_ranks * sizeof(double));
    return 0;
}

/* The median over pairs of the s-th size, and the largest; into `half`, which is over. */
static double over_pairs(struct latency *l, size_t s, double *ret_most)
{
    uint32_t n = l->comm->n_ranks;
    size_t pairs = 0;
    for (uint32_t i = 0; i < n; i++) {
        for (uint32_t k = i + 1; k < n; k++)
            l->half[pairs++] = l->whole[(s * n + i) * n + k];
    }
    double median = stopwatch_median(l->half, pairs);
    *ret_most = l->half[pairs - 1];
    return median;
}

static int report(struct latency *l, struct gm_error *err)
{
    const struct gm_comm *c = l->comm;
    const struct gm_sink *k = l->sink;
    uint64_t n = l->n_sizes, dims[3] = {n, c->n_ranks, c->n_ranks};
    int64_t sizes[MOST_SIZES];
    double farthest, most;
    int rc = c->sum(c,
                    GM_F64,
                    c->n_ranks,
                    c->rank,
                    1,
                    (size_t)(n * c->n_ranks * c->n_ranks),
                    my_half,
                    l,
                    l->whole,
                    err);
    if (rc != 0)
        return rc;
    for (uint64_t i = 0; i < n; i++)
        sizes[i] = (int64_t)l->sizes[i];
    double nearest = over_pairs(l, 0, &farthest), large = over_pairs(l, n - 1, &most);
    rc = gm_put_f64(k, O_LATENCY, nearest, err);
    if (rc == 0)
        rc = gm_put_f64(k, O_FARTHEST, farthest, err);
    if (rc == 0)
        rc = gm_put_f64(k, O_BANDWIDTH, 1e-3 * (double)l->sizes[n - 1] / large, err);
    if (rc == 0)
        rc = k->put(k, O_SIZE, 1, dims, sizes, err);
    if (rc == 0)
        rc = k->put(k, O_HALF_TRIP, 3, dims, l->whole, err);
    if (rc == 0)
        rc = k->put(k, O_BCAST, 1, dims, l->bcast, err);
    return rc == 0 ? k->put(k, O_SUM, 1, dims, l->sums, err) : rc;
}

static int step(void *self, struct gm_error *err)
{
    struct latency *l = self;
    if (l->comm->cancelled(l->comm))
        return gm_fail(err, -ECANCELED, "stopped");
    if (l->one < l->comm->n_ranks)
        return run_pair(l, err);
    return l->next < l->n_sizes ? run_group(l, err) : report(l, err);
}

const struct gm_kernel latency_kernel = {
    .abi = GM_KERNEL_ABI,
    .size = sizeof(struct gm_kernel),
    .name = "latency",
    .summary = "measure messages between ranks",
    .params = params,
    .n_params = sizeof(params) / sizeof(params[0]),
    .outputs = outputs,
    .n_outputs = sizeof(outputs) / sizeof(outputs[0]),
    .traits = GM_BOUND_COMM | GM_ON_CPU | GM_TAKES_GROUP,
    .open = open_,
    .begin = begin,
    .step = step,
    .end = end,
    .close = free};
