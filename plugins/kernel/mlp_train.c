/* mlp.train: the declaration, and the way from parameters to a trainer and from a trainer
 * to outputs. The training itself is trainer.c. */
#include "dataset.h"
#include "gridmill/kernel.h"
#include "kernels/io/split.h"
#include "kernels/io/table.h"
#include "kernels/op/gemm.h"
#include "kernels/op/threads.h"
#include "trainer.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    P_DATA,
    P_LABELS,
    P_LAYERS,
    P_ACTIVATION,
    P_SCALE,
    P_SPLIT,
    P_SPLIT_SEED,
    P_INIT_SEED,
    P_EPOCHS,
    P_BATCH,
    P_MICRO_BATCH,
    P_OPTIMIZER,
    P_LR,
    P_MOMENTUM,
    P_WEIGHT_DECAY,
    P_BETA1,
    P_BETA2,
    P_EPS
};

enum { O_MODEL, O_LOSS, O_VALID_ACCURACY, O_ACCURACY, O_SAMPLES_PER_S };

static const struct gm_param_spec params[] = {
    [P_DATA] =
        {.name = "data",
         .help = "rows of inputs; the last column is the label unless `labels` is given",
         .type = GM_PARAM_DATA,
         .flags = GM_REQUIRED},
    [P_LABELS] = {.name = "labels",
                  .help = "a file with a label a row, where `data` holds inputs only",
                  .type = GM_PARAM_DATA},
    [P_LAYERS] = {.name = "layers",
                  .help = "widths: inputs, hidden layers, classes",
                  .min = 1,
                  .max = MLP_MAX_WIDTH,
                  .type = GM_PARAM_INT_LIST,
                  .flags = GM_REQUIRED},
    [P_ACTIVATION] = {.name = "activation",
                      .help = "after each layer but the last",
                      .preset = "relu",
                      .choices = "relu|gelu",
                      .type = GM_PARAM_CHOICE},
    [P_SCALE] = {.name = "scale",
                 .help = "inputs are multiplied by this; the model keeps it",
                 .preset = "1",
                 .type = GM_PARAM_FLOAT},
    [P_SPLIT] = {.name = "split",
                 .help = "per cent of each class to train, validate and test on",
                 .unit = "%",
                 .preset = "[60, 20, 20]",
                 .min = 0,
                 .max = 100,
                 .type = GM_PARAM_INT_LIST},
    [P_SPLIT_SEED] = {.name = "split-seed",
                      .help = "which row goes where",
                      .preset = "0",
                      .min = 0,
                      .max = 9e15,
                      .type = GM_PARAM_INT},
    [P_INIT_SEED] = {.name = "init-seed",
                     .help = "of the first weights and of the order of rows",
                     .preset = "0",
                     .min = 0,
                     .max = 9e15,
                     .type = GM_PARAM_INT},
    [P_EPOCHS] = {.name = "epochs",
                  .help = "passes over the training rows",
                  .preset = "20",
                  .min = 1,
                  .max = 1e9,
                  .type = GM_PARAM_INT},
    [P_BATCH] = {.name = "batch",
                 .help = "rows of a step",
                 .unit = "rows",
                 .preset = "32",
                 .min = 1,
                 .max = 1 << 24,
                 .type = GM_PARAM_INT},
    [P_MICRO_BATCH] =
        {.name = "micro-batch",
         .help =
             "rows of the shards that a step is cut into: the unit of work of a "
             "rank; the weights' bits depend on it, not on the ranks; 0 is 8, or 64 for "
             "a network of more than 100,000 weights",
         .unit = "rows",
         .preset = "0",
         .min = 0,
         .max = 1 << 24,
         .type = GM_PARAM_INT},
    [P_OPTIMIZER] = {.name = "optimizer",
                     .help = "sgd (with momentum) or adamw",
                     .preset = "sgd",
                     .choices = "sgd|adamw",
                     .type = GM_PARAM_CHOICE},
    [P_LR] = {.name = "lr",
              .help = "learning rate",
              .preset = "0.05",
              .min = 0,
              .max = 1e6,
              .type = GM_PARAM_FLOAT},
    [P_MOMENTUM] = {.name = "momentum",
                    .help = "of sgd",
                    .preset = "0.9",
                    .min = 0,
                    .max = 1,
                    .type = GM_PARAM_FLOAT},
    [P_WEIGHT_DECAY] = {.name = "weight-decay",
                        .help = "L2 with sgd, decoupled with adamw",
                        .preset = "0",
                        .min = 0,
                        .max = 1e6,
                        .type = GM_PARAM_FLOAT},
    [P_BETA1] = {.name = "beta1",
                 .help = "of adamw",
                 .preset = "0.9",
                 .min = 0,
                 .max = 0.999999,
                 .type = GM_PARAM_FLOAT},
    [P_BETA2] = {.name = "beta2",
                 .help = "of adamw",
                 .preset = "0.999",
                 .min = 0,
                 .max = 0.999999,
                 .type = GM_PARAM_FLOAT},
    [P_EPS] = {.name = "eps",
               .help = "of adamw",
               .preset = "1e-8",
               .min = 1e-30,
               .max = 1,
               .type = GM_PARAM_FLOAT},
};

static const struct gm_output_spec outputs[] = {
    [O_MODEL] = {.name = "model",
                 .help = "the network after the last epoch, as safetensors",
                 .unit = "1",
                 .shape = "[bytes]",
                 .dtype = GM_U8,
                 .ndim = 1,
                 .flags = GM_MODEL | GM_RAGGED},
    [O_LOSS] = {.name = "loss",
                .help = "mean cross-entropy of the training rows, an epoch a row",
                .unit = "nat",
                .shape = "[epochs]",
                .dtype = GM_F64,
                .flags = GM_SERIES},
    [O_VALID_ACCURACY] =
        {.name = "valid_accuracy",
         .help = "fraction of the validation rows that are right, an epoch a "
                 "row",
         .unit = "1",
         .shape = "[epochs]",
         .dtype = GM_F64,
         .flags = GM_SERIES},
    [O_ACCURACY] = {.name = "accuracy",
                    .help = "the same after the last epoch",
                    .unit = "1",
                    .shape = "",
                    .dtype = GM_F64,
                    .summary = GM_SUM_BEST},
    [O_SAMPLES_PER_S] =
        {.name = "samples_per_s",
         .help = "training rows over the time spent in steps, validation apart",
         .unit = "1/s",
         .shape = "",
         .dtype = GM_F64,
         .flags = GM_MEASURED,
         .summary = GM_SUM_MEAN},
};

struct train {
    struct device *device;
    struct dataset_cache cache;
    const struct gm_sink *sink;
    struct trainer *trainer;
    uint64_t samples0, epoch0; /* where this attempt began */
    double seconds0;
};

static int open_(const struct gm_params *common,
                 const struct gm_seat *seat,
                 void **ret,
                 struct gm_error *err)
{
    (void)common;
    struct train *s = calloc(1, sizeof(*s));
    if (s == NULL)
        return gm_fail(err, -ENOMEM, "mlp.train: out of memory");
    threads_set(seat->n_threads);
    int rc = device_open(seat->device, &s->device, err);
    if (rc == 0)
        *ret = s;
    else
        free(s);
    return rc;
}

/* Where it is left to us: networks that fit a core's cache are as fast with few rows, and
 * more ranks find work; others want longer products. */
static uint64_t micro_batch(const struct gm_params *p)
{
    const struct gm_value *layers = gm_param(p, P_LAYERS);
    double weights = 0;
    if (gm_param_int(p, P_MICRO_BATCH) > 0)
        return (uint64_t)gm_param_int(p, P_MICRO_BATCH);
    for (unsigned i = 1; i < layers->n; i++)
        weights += (double)layers->as.ints[i - 1] * (double)layers->as.ints[i];
    return weights > 100e3 ? 64 : 8;
}

static int
options(const struct gm_params *p, struct trainer_options *ret, struct gm_error *err)
{
    const struct gm_value *layers = gm_param(p, P_LAYERS);
    double lr = gm_param_float(p, P_LR), decay = gm_param_float(p, P_WEIGHT_DECAY);
    bool gelu = strcmp(gm_param_text(p, P_ACTIVATION), "gelu") == 0;
    *ret = (struct trainer_options){
        .is_adamw = strcmp(gm_param_text(p, P_OPTIMIZER), "adamw") == 0,
        .sgd = {.lr = lr, .momentum = gm_param_float(p, P_MOMENTUM), .decay = decay},
        .adamw = {.lr = lr,
                  .beta1 = gm_param_float(p, P_BETA1),
                  .beta2 = gm_param_float(p, P_BETA2),
                  .eps = gm_param_float(p, P_EPS),
                  .decay = decay},
        .epochs = (uint64_t)gm_param_int(p, P_EPOCHS),
        .batch = (uint64_t)gm_param_int(p, P_BATCH),
        .micro_batch = micro_batch(p),
        .seed = (uint64_t)gm_param_int(p, P_INIT_SEED),
        .scale = gm_param_float(p, P_SCALE)};
    return mlp_shape_make(
        layers->as.ints, layers->n, gelu ? ACT_GELU : ACT_RELU, &ret->shape, err);
}

/* The parts of the rows, by the `split` parameters. *ret is yours to free. */
static int split(const struct gm_params *p,
                 const struct dataset *d,
                 uint8_t **ret,
                 struct gm_error *err)
{
    const struct gm_value *percent = gm_param(p, P_SPLIT);
    if (percent->n != SPLIT_PARTS)
        return gm_fail(err,
                       -EINVAL,
                       "split: has %u numbers where train, validate and test want three",
                       percent->n);
    uint8_t *part = malloc(d->rows + 1);
    if (part == NULL)
        return gm_fail(err, -ENOMEM, "split: out of memory");
    int rc = split_rows(d->labels,
                        d->rows,
                        (uint64_t)gm_param_int(p, P_SPLIT_SEED),
                        percent->as.ints,
                        part,
                        err);
    if (rc == 0)
        *ret = part;
    else
        free(part);
    return rc;
}

static int begin(void *self,
                 const struct gm_task *task,
                 const struct gm_sink *sink,
                 struct gm_error *err)
{
    struct train *s = self;
    struct trainer_options opt;
    int rc = options(task->params, &opt, err);
    if (rc != 0)
        return rc;
    opt.device = s->device;
    struct dataset_source from = {.path = gm_param_text(task->params, P_DATA),
                                  .input = gm_task_input(task, P_DATA),
                                  .labels_path = gm_param_text(task->params, P_LABELS),
                                  .labels = gm_task_input(task, P_LABELS),
                                  .count = TABLE_ALL,
                                  .scale = opt.scale};
    from.last_is_label = from.labels_path == NULL && from.labels == NULL;
    const struct dataset *data = NULL;
    uint8_t *part = NULL;
    rc = dataset_cached(&s->cache, &from, &data, err);
    if (rc == 0)
        rc = dataset_check(data,
                           dataset_name(&from),
                           0,
                           opt.shape.widths[0],
                           opt.shape.widths[opt.shape.n_layers],
                           err);
    if (rc == 0)
        rc = split(task->params, data, &part, err);
    if (rc == 0)
        rc = trainer_make(&opt, data, part, task->comm, &s->trainer, err);
    s->samples0 = s->epoch0 = 0;
    s->seconds0 = 0;
    free(part);
    s->sink = sink;
    return rc;
}

static int put_epoch(const struct train *s, struct gm_error *err)
{
    const struct trainer *t = s->trainer;
    int rc = s->sink->append(s->sink, O_LOSS, 1, &t->loss, err);
    if (rc == 0 && t->n_valid > 0)
        rc = s->sink->append(s->sink, O_VALID_ACCURACY, 1, &t->accuracy, err);
    return rc;
}

static int put_results(const struct train *s, struct gm_error *err)
{
    const struct trainer *t = s->trainer;
    unsigned char *bytes = NULL;
    size_t len = 0;
    int rc = mlp_fetch(t->scratch->work, err);
    if (rc == 0)
        rc = mlp_format(t->model, &bytes, &len, err);
    if (rc != 0)
        return rc;
    const uint64_t dims[1] = {len};
    rc = s->sink->put(s->sink, O_MODEL, 1, dims, bytes, err);
    free(bytes);
    if (rc == 0 && t->n_valid > 0)
        rc = gm_put_f64(s->sink, O_ACCURACY, t->accuracy, err);
    if (rc == 0)
        rc = gm_put_f64(s->sink, O_SAMPLES_PER_S, (double)t->samples / t->seconds, err);
    return rc;
}

static int step(void *self, struct gm_error *err)
{
    struct train *s = self;
    int state = trainer_step(s->trainer, err);
    if (state == TRAINER_OVER)
        return put_results(s, err);
    int rc = state == TRAINER_EPOCH ? put_epoch(s, err) : state;
    return rc < 0 ? rc : 1;
}

static void end(void *self, int outcome)
{
    (void)outcome;
    struct train *s = self;
    trainer_free(s->trainer);
    s->trainer = NULL;
}

/* All ranks of a group have the same state: the first one's does for all. */
static int save(void *self, const struct gm_saver *saver, struct gm_error *err)
{
    const struct train *s = self;
    return s->trainer->comm->rank == 0 ? trainer_save(s->trainer, saver, err) : 0;
}

static int load(void *self, const struct gm_loader *loader, struct gm_error *err)
{
    struct train *s = self;
    int rc = trainer_load(s->trainer, loader, err);
    if (rc == 0) {
        s->samples0 = s->trainer->samples;
        s->epoch0 = s->trainer->epoch;
        s->seconds0 = s->trainer->seconds;
    }
    return rc;
}

/* A step has as many leaves as micro-batches: a rank beyond them has none. */
static uint64_t width(const struct gm_params *common)
{
    if (!gm_param_given(common, P_BATCH) || !gm_param_given(common, P_MICRO_BATCH) ||
        !gm_param_given(common, P_LAYERS))
        return 0;
    uint64_t batch = (uint64_t)gm_param_int(common, P_BATCH), micro = micro_batch(common);
    return batch / micro + (batch % micro != 0);
}

/* Products alone: forward, and backward twice as many, less the first layer's gradient by
 * its inputs. A step reads the weights for both, writes and reads the gradient, and reads
 * and writes what the optimizer keeps. */
static void work(void *self, struct gm_work *ret)
{
    const struct train *s = self;
    const struct trainer *t = s->trainer;
    const uint32_t *widths = t->opt.shape.widths;
    double rows = (double)(t->samples - s->samples0), all = 0;
    double valid = (double)(t->epoch - s->epoch0) * (double)t->n_valid;
    double steps = ceil(rows / (double)t->opt.batch);
    for (unsigned i = 0; i < t->opt.shape.n_layers; i++)
        all += (double)widths[i] * widths[i + 1];
    ret->flops = rows * (6 * all - 2 * (double)widths[0] * widths[1]) + valid * 2 * all;
    ret->bytes = 4 * ((rows + valid) * widths[0] +
                      steps * all * (t->opt.is_adamw ? 10 : 8) + valid / 64 * all);
    ret->gpu_s = t->opt.device->host ? 0 : t->seconds - s->seconds0;
}

static void close_(void *self)
{
    struct train *s = self;
    dataset_cache_free(&s->cache);
    device_close(s->device);
    free(s);
}

const struct gm_kernel mlp_train_kernel = {
    .abi = GM_KERNEL_ABI,
    .size = sizeof(struct gm_kernel),
    .name = "mlp.train",
    .summary = "train a multilayer perceptron, data-parallel over its ranks",
    .params = params,
    .n_params = sizeof(params) / sizeof(params[0]),
    .outputs = outputs,
    .n_outputs = sizeof(outputs) / sizeof(outputs[0]),
    .traits = GM_BOUND_COMPUTE | GM_ON_CPU | GM_ON_CUDA | GM_TAKES_GROUP,
    .probe = gemm_probe,
    .open = open_,
    .begin = begin,
    .step = step,
    .end = end,
    .save = save,
    .load = load,
    .close = close_,
    .width = width,
    .work = work};
