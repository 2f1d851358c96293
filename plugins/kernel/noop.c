/* noop: computes nothing; puts out bytes that tell which task they are of. What a job of
 * it costs is the cost of the farm and of the results (bench/run farm). With `tally`, a
 * file of a byte a task, each task adds one to its own byte: who counts them afterwards
 * knows how often each task ran, whatever was killed meanwhile. */
#include "gridmill/kernel.h"
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { P_WIDTH, P_TALLY };

enum { O_BYTES };

enum { LEAST = 8, MOST = 4096 };

static const struct gm_param_spec params[] = {
    [P_WIDTH] = {.name = "width",
                 .help = "how many bytes a task puts out",
                 .unit = "bytes",
                 .preset = "16",
                 .min = LEAST,
                 .max = MOST,
                 .type = GM_PARAM_INT},
    [P_TALLY] = {.name = "tally",
                 .help =
                     "absolute path of a file of a byte a task, each counts there how "
                     "often it ran",
                 .type = GM_PARAM_STRING}, /* no PATH: it is no input */
};

static const struct gm_output_spec outputs[] = {
    [O_BYTES] = {.name = "bytes",
                 .help = "the task's index, its seed, and the seed again",
                 .unit = "1",
                 .shape = "[width]",
                 .dtype = GM_U8,
                 .ndim = 1},
};

struct noop {
    const struct gm_sink *sink;
    uint64_t width;
    _Atomic unsigned char *tally; /* mapped; NULL: none */
    uint64_t n_tally;
    uint64_t bytes[MOST / sizeof(uint64_t)];
};

static int open_tally(struct noop *n, const char *path, struct gm_error *err)
{
    struct stat s;
    int fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &s) < 0) {
        int code = -errno;
        if (fd >= 0)
            (void)close(fd);
        return gm_fail(err, code, "%s: %s", path, strerror(-code));
    }
    n->n_tally = (uint64_t)s.st_size;
    void *at = n->n_tally > 0
                   ? mmap(NULL, n->n_tally, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0)
                   : MAP_FAILED;
    (void)close(fd);
    if (at == MAP_FAILED)
        return gm_fail(err, -EINVAL, "%s: cannot be mapped", path);
    n->tally = at;
    return 0;
}

static void close_(void *self)
{
    struct noop *n = self;
    if (n->tally != NULL)
        (void)munmap((void *)n->tally, n->n_tally);
    free(n);
}

static int open_(const struct gm_params *common,
                 const struct gm_seat *seat,
                 void **ret,
                 struct gm_error *err)
{
    (void)seat;
    struct noop *n = calloc(1, sizeof(*n));
    if (n == NULL)
        return gm_fail(err, -ENOMEM, "noop: out of memory");
    const char *path = gm_param_text(common, P_TALLY);
    int rc = path != NULL ? open_tally(n, path, err) : 0;
    if (rc < 0) {
        free(n);
        return rc;
    }
    *ret = n;
    return 0;
}

static int begin(void *self,
                 const struct gm_task *task,
                 const struct gm_sink *sink,
                 struct gm_error *err)
{
    struct noop *n = self;
    n->sink = sink;
    n->width = (uint64_t)gm_param_int(task->params, P_WIDTH);
    n->bytes[0] = task->index;
    for (uint64_t i = 1; i < (n->width + 7) / 8; i++)
        n->bytes[i] = task->seed;
    if (n->tally == NULL)
        return 0;
    if (task->index >= n->n_tally)
        return gm_fail(err,
                       -EINVAL,
                       "tally: a file of %llu bytes has none for task %llu",
                       (unsigned long long)n->n_tally,
                       (unsigned long long)task->index);
    (void)atomic_fetch_add_explicit(&n->tally[task->index], 1, memory_order_relaxed);
    return 0;
}

static int step(void *self, struct gm_error *err)
{
    struct noop *n = self;
    return n->sink->put(n->sink, O_BYTES, 1, &n->width, n->bytes, err);
}

static void end(void *self, int outcome)
{
    (void)self;
    (void)outcome;
}

const struct gm_kernel noop_kernel = {.abi = GM_KERNEL_ABI,
                                      .size = sizeof(struct gm_kernel),
                                      .name = "noop",
                                      .summary =
                                          "put out a few bytes, and compute nothing",
                                      .params = params,
                                      .n_params = sizeof(params) / sizeof(params[0]),
                                      .outputs = outputs,
                                      .n_outputs = sizeof(outputs) / sizeof(outputs[0]),
                                      .traits = GM_ON_CPU,
                                      .open = open_,
                                      .begin = begin,
                                      .step = step,
                                      .end = end,
                                      .close = close_};
