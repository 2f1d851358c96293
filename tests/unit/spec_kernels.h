/* What the tests of spec are run with: a few kernels that only declare themselves (their
 * functions are never called here) and a look function that knows made-up files. */
#ifndef TEST_SPEC_KERNELS_H
#define TEST_SPEC_KERNELS_H

#include "spec/jobspec.h"
#include <float.h>

static const struct gm_param_spec train_params[] = {
    {.name = "data",
     .help = "training table",
     .type = GM_PARAM_DATA,
     .flags = GM_REQUIRED},
    {.name = "layers",
     .help = "widths",
     .type = GM_PARAM_INT_LIST,
     .preset = "[64, 10]",
     .min = 1,
     .max = 4096},
    {.name = "lr",
     .help = "learning rate",
     .type = GM_PARAM_FLOAT,
     .preset = "0.1",
     .min = 0,
     .max = 10},
    {.name = "epochs",
     .help = "passes over the data",
     .type = GM_PARAM_INT,
     .preset = "10",
     .min = 1,
     .max = 100000},
    {.name = "init-seed", .help = "seed", .type = GM_PARAM_INT, .preset = "0"},
    {.name = "optimizer",
     .help = "rule",
     .type = GM_PARAM_CHOICE,
     .preset = "sgd",
     .choices = "sgd|adamw"},
    {.name = "shuffle", .help = "order", .type = GM_PARAM_BOOL, .preset = "true"},
    {.name = "note", .help = "free text", .type = GM_PARAM_STRING},
    {.name = "betas", .help = "two numbers", .type = GM_PARAM_FLOAT_LIST},
    {.name = "momentum",
     .help = "of SGD",
     .type = GM_PARAM_FLOAT,
     .preset = "0.9",
     .min = 0,
     .max = DBL_MAX},
};
enum {
    TRAIN_DATA,
    TRAIN_LAYERS,
    TRAIN_LR,
    TRAIN_EPOCHS,
    TRAIN_SEED,
    TRAIN_OPTIMIZER,
    TRAIN_SHUFFLE,
    TRAIN_NOTE,
    TRAIN_BETAS
};

static const struct gm_output_spec train_outputs[] = {
    {.name = "model",
     .shape = "[bytes]",
     .dtype = GM_U8,
     .ndim = 1,
     .flags = GM_MODEL | GM_RAGGED},
    {.name = "seconds", .shape = "", .dtype = GM_F64, .flags = GM_MEASURED},
    {.name = "accuracy", .shape = "", .dtype = GM_F64, .summary = GM_SUM_BEST},
    {.name = "loss", .shape = "", .dtype = GM_F64, .flags = GM_SERIES},
    {.name = "weights", .shape = "[in, out]", .dtype = GM_F32, .ndim = 2},
    {.name = "best_epoch", .shape = "", .dtype = GM_I64},
};

static inline int
fake_save(void *self, const struct gm_saver *saver, struct gm_error *err)
{
    (void)self;
    (void)saver;
    return gm_fail(err, -ENOSYS, "no state");
}

static inline int
fake_load(void *self, const struct gm_loader *loader, struct gm_error *err)
{
    (void)self;
    (void)loader;
    return gm_fail(err, -ENOSYS, "no state");
}

static const struct gm_kernel kernel_train = {.abi = GM_KERNEL_ABI,
                                              .size = sizeof(struct gm_kernel),
                                              .name = "mlp.train",
                                              .params = train_params,
                                              .n_params = 10,
                                              .outputs = train_outputs,
                                              .n_outputs = 6,
                                              .save = fake_save,
                                              .load = fake_load,
                                              .traits = GM_ON_CPU | GM_TAKES_GROUP};

static const struct gm_param_spec infer_params[] = {
    {.name = "model",
     .help = "the network",
     .type = GM_PARAM_MODEL,
     .flags = GM_REQUIRED},
    {.name = "start", .help = "first epoch", .type = GM_PARAM_INT, .min = 0, .max = 1000},
    {.name = "extra", .help = "a tensor", .type = GM_PARAM_TENSOR},
    {.name = "threshold", .help = "a number", .type = GM_PARAM_FLOAT},
    {.name = "table", .help = "a file", .type = GM_PARAM_PATH},
    {.name = "label", .help = "free text", .type = GM_PARAM_STRING},
    {.name = "rows-of", .help = "a data set", .type = GM_PARAM_DATA},
};
enum {
    INFER_MODEL,
    INFER_START,
    INFER_EXTRA,
    INFER_THRESHOLD,
    INFER_TABLE,
    INFER_LABEL,
    INFER_ROWS_OF
};

static const struct gm_output_spec infer_outputs[] = {
    {.name = "correct", .shape = "", .dtype = GM_I64},
    {.name = "probabilities",
     .shape = "[rows, classes]",
     .dtype = GM_F32,
     .ndim = 2,
     .flags = GM_RAGGED},
};

static const struct gm_kernel kernel_infer = {.abi = GM_KERNEL_ABI,
                                              .size = sizeof(struct gm_kernel),
                                              .name = "mlp.infer",
                                              .params = infer_params,
                                              .n_params = 7,
                                              .outputs = infer_outputs,
                                              .n_outputs = 2,
                                              .traits = GM_ON_CPU | GM_NEEDS_SHARDS};

static const struct gm_param_spec sleep_params[] = {
    {.name = "seconds",
     .help = "how long",
     .unit = "s",
     .type = GM_PARAM_FLOAT,
     .flags = GM_REQUIRED,
     .min = 0,
     .max = 1e6},
};
static const struct gm_output_spec sleep_outputs[] = {
    {.name = "trace", .shape = "[n]", .dtype = GM_F64, .ndim = 1},
};

static const struct gm_kernel kernel_sleep = {.abi = GM_KERNEL_ABI,
                                              .size = sizeof(struct gm_kernel),
                                              .name = "sleep",
                                              .params = sleep_params,
                                              .n_params = 1,
                                              .outputs = sleep_outputs,
                                              .n_outputs = 1,
                                              .traits = GM_ON_CPU};

static const struct gm_kernel *const fake_kernels[] = {
    &kernel_train, &kernel_infer, &kernel_sleep};

/* Files whose name holds "missing" are not there, "ragged" are broken, "empty" have no
 * rows, "short" ones 500; all others have 1000 rows (bytes, files) and a digest made of
 * their name's last letter. */
static int fake_look(void *ctx,
                     const char *path,
                     uint32_t unit,
                     struct arena *a,
                     struct jobspec_source *ret,
                     struct gm_error *err)
{
    unsigned *n_looks = ctx;
    if (n_looks != NULL)
        ++*n_looks;
    if (strstr(path, "missing") != NULL)
        return gm_fail(err, -ENOENT, "%s: No such file or directory", path);
    if (strstr(path, "ragged") != NULL)
        return gm_fail(err, -EINVAL, "%s:7: 3 columns, the lines before have 4", path);
    *ret = (struct jobspec_source){
        .size = 4242, .mtime_ns = 1700000000123456789, .unit = unit};
    ret->rows = unit == 0 || strstr(path, "empty") != NULL ? 0 : 1000;
    if (strstr(path, "short") != NULL && unit != 0)
        ret->rows = 500;
    if (unit == GM_FILES && ret->rows > 0) {
        const char **files = arena_alloc(a, ret->rows, sizeof(*files));
        for (uint64_t i = 0; i < ret->rows; i++)
            files[i] = arena_printf(a, "%s/%04llu.csv", path, (unsigned long long)i);
        ret->files = files;
    }
    memset(
        ret->sha256, "0123456789abcdef"[(unsigned char)path[strlen(path) - 1] % 16], 64);
    return 0;
}

static inline struct jobspec_options fake_options(void)
{
    return (struct jobspec_options){
        .kernels = fake_kernels, .n_kernels = 3, .look = fake_look, .dir = "/job"};
}

#endif
