/* A kernel outside of Gridmill: the dot product of a list of whole numbers with itself,
 * by the public headers alone. It is built several times: BROKEN says what is wrong with
 * the table that comes out. */
#include "gridmill/kernel.h"
#include <stdlib.h>

#ifndef BROKEN
#define BROKEN 0
#endif
enum { ABI = 1, SIZE, NO_STEP, NAME, NO_HELP, LARGE, OLD };

/* of the first version */
#define FIRST offsetof(struct gm_kernel, device_class)
#define BYTES                                                                            \
    (BROKEN == SIZE    ? 64                                                              \
     : BROKEN == LARGE ? sizeof(struct gm_kernel) + 8                                    \
     : BROKEN == OLD   ? FIRST                                                           \
                       : sizeof(struct gm_kernel))

enum { P_OF };

static const struct gm_param_spec params[] = {
    [P_OF] = {.name = "of",
              .help = BROKEN == NO_HELP ? NULL : "the numbers",
              .type = GM_PARAM_INT_LIST,
              .flags = GM_REQUIRED,
              .min = -1000,
              .max = 1000},
};

static const struct gm_output_spec outputs[] = {
    {.name = "dot",
     .help = "the sum of their squares",
     .unit = "1",
     .shape = "",
     .dtype = GM_I64,
     .summary = GM_SUM_TOTAL},
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
    return *ret != NULL ? 0 : gm_fail(err, -ENOMEM, "dot: out of memory");
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

static int step(void *self, struct gm_error *err)
{
    const struct self *s = self;
    const struct gm_value *of = gm_param(s->task->params, P_OF);
    int64_t sum = 0;
    for (uint32_t i = 0; i < of->n; i++)
        sum += of->as.ints[i] * of->as.ints[i];
    return gm_put_i64(s->sink, 0, sum, err);
}

static void end(void *self, int outcome)
{
    (void)self;
    (void)outcome;
}

static const char *not_a_function(const struct gm_params *common)
{
    (void)common;
    abort();
}

GM_EXPORT extern const struct gm_kernel my_dot_kernel;
const struct gm_kernel my_dot_kernel = {
    .abi = BROKEN == ABI ? GM_KERNEL_ABI + 1 : GM_KERNEL_ABI,
    .size = BYTES,
    .name = BROKEN == NAME ? "my.dot2" : "my.dot",
    .summary = "the dot product of numbers with themselves",
    .params = params,
    .n_params = 1,
    .outputs = outputs,
    .n_outputs = 1,
    .traits = GM_ON_CPU,
    .open = open_,
    .begin = begin,
    .step = BROKEN == NO_STEP ? NULL : step,
    .end = end,
    .close = free,
    /* An older table ends before this: what lies there is not read. */
    .device_class = BROKEN == OLD ? not_a_function : NULL,
};
