/* A kernel for tests of lost ranks: x squared, summed over its group's ranks the long way
 * round, after `seconds`; each run of a task leaves a line in the file `log`. The task x
 * = `crash` takes the last rank of its group down by SIGSEGV: each time, or, where `once`
 * names a file, while that is there; before, it fails, where `fail` names one. Tasks from
 * x = `hold` on wait as long as the file `gate` is there. */
#include "gridmill/kernel.h"
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { P_X, P_CRASH, P_ONCE, P_FAIL, P_LOG, P_SECONDS, P_HOLD, P_GATE, N_PARAMS };

static const struct gm_param_spec params[] = {
    [P_X] = {.name = "x", .help = "a number", .type = GM_PARAM_INT, .flags = GM_REQUIRED},
    [P_CRASH] = {.name = "crash",
                 .help = "crash for this x",
                 .preset = "-1",
                 .type = GM_PARAM_INT},
    [P_ONCE] = {.name = "once",
                .help = "crash only while this file is there, and remove it",
                .type = GM_PARAM_STRING},
    [P_FAIL] = {.name = "fail",
                .help = "that x fails first while this file is there, and removes it",
                .type = GM_PARAM_STRING},
    [P_LOG] = {.name = "log",
               .help = "a line a run goes here",
               .type = GM_PARAM_STRING,
               .flags = GM_REQUIRED},
    [P_SECONDS] = {.name = "seconds",
                   .help = "how long it takes",
                   .unit = "s",
                   .preset = "0.01",
                   .type = GM_PARAM_FLOAT},
    [P_HOLD] = {.name = "hold",
                .help = "wait from this x on",
                .preset = "1000000000",
                .type = GM_PARAM_INT},
    [P_GATE] = {.name = "gate",
                .help = "while this file is there",
                .type = GM_PARAM_STRING},
};

static const struct gm_output_spec outputs[] = {
    {.name = "square", .help = "x * x", .unit = "1", .shape = "", .dtype = GM_I64},
};

struct self {
    const struct gm_task *task;
    const struct gm_sink *sink;
};

static int open_(const struct gm_params *common,
                 const struct gm_seat *seat,
                 void **ret,
                 struct gm_error *err)
{
    (void)common;
    (void)seat;
    *ret = calloc(1, sizeof(struct self));
    return *ret != NULL ? 0 : gm_fail(err, -ENOMEM, "crash: out of memory");
}

static int begin(void *self,
                 const struct gm_task *task,
                 const struct gm_sink *sink,
                 struct gm_error *err)
{
    (void)err;
    *(struct self *)self = (struct self){.task = task, .sink = sink};
    return 0;
}

static void leave_line(const char *path, int64_t x)
{
    char line[32];
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    int n = snprintf(line, sizeof(line), "%lld\n", (long long)x);
    if (fd >= 0) {
        (void)!write(fd, line, (size_t)n);
        (void)close(fd);
    }
}

static int one(void *ctx, uint64_t i, void *out, struct gm_error *err)
{
    (void)i;
    (void)err;
    *(int64_t *)out = *(const int64_t *)ctx;
    return 0;
}

/* x added x times, by all ranks of the group. */
static int square(const struct gm_comm *comm, int64_t x, int64_t *ret, struct gm_error *e)
{
    uint64_t first, count, total = (uint64_t)x > 0 ? (uint64_t)x : 1;
    gm_share(total, comm->n_ranks, comm->rank, &first, &count);
    return comm->sum(comm, GM_I64, total, first, count, 1, one, &x, ret, e);
}

static int step(void *self, struct gm_error *err)
{
    const struct self *s = self;
    const struct gm_params *p = s->task->params;
    const struct gm_comm *comm = s->task->comm;
    int64_t x = gm_param_int(p, P_X), out = 0;
    double seconds = gm_param_float(p, P_SECONDS);
    struct timespec t = {.tv_sec = (time_t)seconds};
    t.tv_nsec = (long)(1e9 * (seconds - (double)t.tv_sec));
    (void)nanosleep(&t, NULL);
    while (x >= gm_param_int(p, P_HOLD) && gm_param_given(p, P_GATE) &&
           access(gm_param(p, P_GATE)->as.s, F_OK) == 0)
        (void)usleep(5000);
    bool bad = x == gm_param_int(p, P_CRASH) && comm->rank == comm->n_ranks - 1;
    if (bad && gm_param_given(p, P_FAIL) && unlink(gm_param(p, P_FAIL)->as.s) == 0)
        return gm_fail(err, -EIO, "failed as it was told");
    bool once = gm_param_given(p, P_ONCE);
    if (bad && (!once || unlink(gm_param(p, P_ONCE)->as.s) == 0))
        (void)raise(SIGSEGV);
    int rc = square(comm, x, &out, err);
    if (rc == 0 && comm->rank == 0)
        leave_line(gm_param(p, P_LOG)->as.s, x);
    return rc < 0 ? rc : gm_put_i64(s->sink, 0, out, err);
}

static void end(void *self, int outcome)
{
    (void)self;
    (void)outcome;
}

GM_EXPORT extern const struct gm_kernel test_crash_kernel;
const struct gm_kernel test_crash_kernel = {
    .abi = GM_KERNEL_ABI,
    .size = sizeof(struct gm_kernel),
    .name = "test.crash",
    .summary = "takes its rank down",
    .params = params,
    .n_params = N_PARAMS,
    .outputs = outputs,
    .n_outputs = 1,
    .traits = GM_ON_CPU | GM_TAKES_GROUP,
    .open = open_,
    .begin = begin,
    .step = step,
    .end = end,
    .close = free,
};
