/* mlp.infer: score rows with a trained network.
 *
 * What a row is given does not depend on how rows were cut into shards: batches have one
 * fixed shape, padded with zeros, and a row always takes the same place in its batch, its
 * ordinal among the rows of `part` in the whole table, modulo the batch. */
#include "dataset.h"
#include "gridmill/kernel.h"
#include "kernels/io/split.h"
#include "kernels/io/table.h"
#include "kernels/model/mlp.h"
#include "kernels/op/gemm.h"
#include "kernels/op/threads.h"
#include "stopwatch.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define BATCH 64 /* rows of a batch; part of the results' definition */

enum { P_MODEL, P_DATA, P_LABELS, P_PART, P_SPLIT, P_SPLIT_SEED };

enum {
    O_ROW,
    O_CLASS,
    O_PROBABILITY,
    O_ROWS,
    O_CORRECT,
    O_ACCURACY,
    O_CONFUSION,
    O_ROWS_PER_S
};

static const struct gm_param_spec params[] = {
    [P_MODEL] = {.name = "model",
                 .help = "a model of mlp.train, or a .safetensors file of one",
                 .type = GM_PARAM_MODEL,
                 .flags = GM_REQUIRED},
    [P_DATA] = {.name = "data",
                .help = "rows of inputs; not needed where `shards` say which",
                .type = GM_PARAM_DATA},
    [P_LABELS] = {.name = "labels",
                  .help = "whether the last column is the label",
                  .preset = "last",
                  .choices = "last|none",
                  .type = GM_PARAM_CHOICE},
    [P_PART] = {.name = "part",
                .help = "which rows to score: all, or a part of the split",
                .preset = "all",
                .choices = "all|train|valid|test",
                .type = GM_PARAM_CHOICE},
    [P_SPLIT] = {.name = "split",
                 .help = "per cent of each class to train, validate and test on",
                 .unit = "%",
                 .preset = "[60, 20, 20]",
                 .min = 0,
                 .max = 100,
                 .type = GM_PARAM_INT_LIST},
    [P_SPLIT_SEED] = {.name = "split-seed",
                      .help = "which row goes where: as in mlp.train",
                      .preset = "0",
                      .min = 0,
                      .max = 9e15,
                      .type = GM_PARAM_INT},
};

static const struct gm_output_spec outputs[] = {
    [O_ROW] = {.name = "row",
               .help = "number of the row in its table, from 0",
               .unit = "1",
               .shape = "[rows]",
               .dtype = GM_I64,
               .ndim = 1,
               .flags = GM_RAGGED},
    [O_CLASS] = {.name = "class",
                 .help = "the class of the highest probability",
                 .unit = "1",
                 .shape = "[rows]",
                 .dtype = GM_I32,
                 .ndim = 1,
                 .flags = GM_RAGGED},
    [O_PROBABILITY] = {.name = "probability",
                       .help = "of each class",
                       .unit = "1",
                       .shape = "[rows, classes]",
                       .dtype = GM_F32,
                       .ndim = 2,
                       .flags = GM_RAGGED},
    [O_ROWS] = {.name = "rows",
                .help = "rows that were scored",
                .unit = "1",
                .shape = "",
                .dtype = GM_I64,
                .summary = GM_SUM_TOTAL},
    [O_CORRECT] = {.name = "correct",
                   .help = "rows whose class is their label",
                   .unit = "1",
                   .shape = "",
                   .dtype = GM_I64,
                   .summary = GM_SUM_TOTAL},
    [O_ACCURACY] = {.name = "accuracy",
                    .help = "correct / rows; NaN for no rows",
                    .unit = "1",
                    .shape = "",
                    .weight = "rows",
                    .dtype = GM_F64,
                    .summary = GM_SUM_MEAN},
    [O_CONFUSION] = {.name = "confusion",
                     .help = "rows by label (down) and class given (across)",
                     .unit = "1",
                     .shape = "[classes, classes]",
                     .dtype = GM_I64,
                     .ndim = 2,
                     .summary = GM_SUM_MATRIX},
    [O_ROWS_PER_S] = {.name = "rows_per_s",
                      .help = "rows over the time spent in batches",
                      .unit = "1/s",
                      .shape = "",
                      .dtype = GM_F64,
                      .flags = GM_MEASURED,
                      .summary = GM_SUM_MEAN},
};

struct infer {
    struct device *device;
    struct dataset_cache cache;
    /* the task's */
    const struct gm_comm *comm;
    const struct gm_sink *sink;
    const struct dataset *data;
    struct mlp *model;
    struct mlp_work *work;
    size_t classes;
    size_t n, done;     /* rows to score, scored */
    size_t *ordinal;    /* [n] among the part's rows in the whole table */
    size_t *at;         /* [n] row of `data` */
    int64_t *row;       /* [n] number in the table */
    int32_t *class;     /* [n] */
    float *probability; /* [n][classes] */
    int64_t *confusion; /* [classes][classes] */
    float *x, *p;       /* [BATCH][inputs], [BATCH][classes] */
    int32_t *predicted; /* [BATCH] */
    double seconds;
};

/* Which rows a task is about. */
struct range {
    struct dataset_source from; /* what is read */
    uint64_t base;              /* number in the table of the first row that is read */
    uint64_t first, count;      /* rows of the table to score; TABLE_ALL: to the end */
};

static int open_(const struct gm_params *common,
                 const struct gm_seat *seat,
                 void **ret,
                 struct gm_error *err)
{
    (void)common;
    struct infer *s = calloc(1, sizeof(*s));
    if (s == NULL)
        return gm_fail(err, -ENOMEM, "mlp.infer: out of memory");
    threads_set(seat->n_threads);
    int rc = device_open(seat->device, &s->device, err);
    if (rc == 0)
        *ret = s;
    else
        free(s);
    return rc;
}

static bool whole_table_wanted(const struct gm_params *p)
{
    return strcmp(gm_param_text(p, P_PART), "all") != 0;
}

static int find_range(const struct gm_task *task,
                      double scale,
                      struct range *ret,
                      struct gm_error *err)
{
    const struct gm_params *p = task->params;
    const struct gm_slice *shard = task->shard;
    const char *data = gm_param_text(p, P_DATA);
    struct range r = {
        .from = {.path = data,
                 .input = gm_task_input(task, P_DATA),
                 .count = TABLE_ALL,
                 .scale = scale,
                 .last_is_label = strcmp(gm_param_text(p, P_LABELS), "last") == 0},
        .count = TABLE_ALL};
    if (shard == NULL) {
        if (data == NULL && r.from.input == NULL)
            return gm_fail(err, -EINVAL, "data: must be given where there are no shards");
        *ret = r;
        return 0;
    }
    if (shard->unit != GM_ROWS)
        return gm_fail(err, -EINVAL, "shards: mlp.infer takes rows, not lines");
    if (data != NULL && strcmp(data, shard->path) != 0)
        return gm_fail(
            err, -EINVAL, "data: is %s, but the shards are of %s", data, shard->path);
    r.from.path = shard->path;
    r.first = shard->first;
    r.count = shard->count;
    /* a tensor may be the whole table, or the shard's rows alone */
    bool cut = r.from.input != NULL && r.from.input->dims[0] != shard->total;
    bool whole = whole_table_wanted(p);
    if (cut && whole)
        return gm_fail(err,
                       -EINVAL,
                       "part: a split needs the whole table, but %s has only the "
                       "shard's rows",
                       dataset_name(&r.from));
    if (r.from.input == NULL && !whole) {
        r.from.first = shard->first;
        r.from.count = shard->count;
    }
    if (cut || r.from.first > 0)
        r.base = shard->first;
    *ret = r;
    return 0;
}

/* Each row's part of the split; *ret NULL where all rows are wanted. */
static int find_parts(const struct gm_params *p,
                      const struct dataset *d,
                      uint8_t **ret,
                      struct gm_error *err)
{
    const struct gm_value *percent = gm_param(p, P_SPLIT);
    if (!whole_table_wanted(p))
        return 0;
    if (d->labels == NULL)
        return gm_fail(
            err, -EINVAL, "part: a split is made by labels, and labels is none");
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

static enum split_part part_of(const struct gm_params *p)
{
    const char *word = gm_param_text(p, P_PART);
    return strcmp(word, "train") == 0   ? SPLIT_TRAIN
           : strcmp(word, "valid") == 0 ? SPLIT_VALID
                                        : SPLIT_TEST;
}

/* Fills s->at, s->row and s->ordinal with the rows to score. */
static void select_rows(struct infer *s,
                        const struct range *r,
                        const uint8_t *part,
                        enum split_part wanted)
{
    size_t ordinal = r->base; /* without a split a row's ordinal is its number */
    for (size_t i = 0; i < s->data->rows; i++) {
        if (part != NULL && part[i] != wanted)
            continue;
        uint64_t number = r->base + i;
        if (number >= r->first && number - r->first < r->count) {
            s->at[s->n] = i;
            s->row[s->n] = (int64_t)number;
            s->ordinal[s->n++] = ordinal;
        }
        ordinal++;
    }
}

static int make_buffers(struct infer *s, struct gm_error *err)
{
    size_t n = s->data->rows + 1, probabilities;
    s->classes = s->model->shape.widths[s->model->shape.n_layers];
    if (__builtin_mul_overflow(n, s->classes, &probabilities))
        return gm_fail(
            err, -ENOMEM, "no memory for %zu x %zu probabilities", n, s->classes);
    s->ordinal = calloc(n, sizeof(*s->ordinal));
    s->at = calloc(n, sizeof(*s->at));
    s->row = calloc(n, sizeof(*s->row));
    s->class = calloc(n, sizeof(*s->class));
    s->probability = calloc(probabilities, sizeof(*s->probability));
    s->confusion = calloc(s->classes * s->classes, sizeof(*s->confusion));
    s->x = calloc(BATCH * s->data->inputs, sizeof(*s->x));
    s->p = calloc(BATCH * s->classes, sizeof(*s->p));
    s->predicted = calloc(BATCH, sizeof(*s->predicted));
    if (s->ordinal == NULL || s->at == NULL || s->row == NULL || s->class == NULL ||
        s->probability == NULL || s->confusion == NULL || s->x == NULL || s->p == NULL ||
        s->predicted == NULL)
        return gm_fail(err, -ENOMEM, "no memory to score %zu rows", n);
    return mlp_work_make(s->model, s->device, BATCH, &s->work, err);
}

static void end(void *self, int outcome)
{
    (void)outcome;
    struct infer *s = self;
    free(s->ordinal);
    free(s->at);
    free(s->row);
    free(s->class);
    free(s->probability);
    free(s->confusion);
    free(s->x);
    free(s->p);
    free(s->predicted);
    mlp_work_free(s->work);
    mlp_free(s->model);
    *s = (struct infer){.device = s->device, .cache = s->cache};
}

static int load_model(const struct gm_task *task, struct mlp **ret, struct gm_error *err)
{
    const struct gm_input *input = gm_task_input(task, P_MODEL);
    if (input == NULL)
        return mlp_load(gm_param_text(task->params, P_MODEL), ret, err);
    if (input->dtype != GM_U8 || input->ndim != 1)
        return gm_fail(err, -EINVAL, "model: %s is not a model", input->origin);
    return mlp_parse(input->origin, input->data, input->nbytes, ret, err);
}

static int prepare(struct infer *s, const struct gm_task *task, struct gm_error *err)
{
    struct range r;
    uint8_t *part = NULL;
    int rc = load_model(task, &s->model, err);
    if (rc == 0)
        rc = find_range(task, s->model->scale, &r, err);
    if (rc == 0)
        rc = dataset_cached(&s->cache, &r.from, &s->data, err);
    if (rc == 0)
        rc = dataset_check(s->data,
                           dataset_name(&r.from),
                           r.base,
                           s->model->shape.widths[0],
                           s->model->shape.widths[s->model->shape.n_layers],
                           err);
    if (rc == 0)
        rc = find_parts(task->params, s->data, &part, err);
    if (rc == 0)
        rc = make_buffers(s, err);
    if (rc == 0)
        select_rows(s, &r, part, part_of(task->params));
    free(part);
    return rc;
}

static int begin(void *self,
                 const struct gm_task *task,
                 const struct gm_sink *sink,
                 struct gm_error *err)
{
    struct infer *s = self;
    s->comm = task->comm;
    s->sink = sink;
    int rc = prepare(s, task, err);
    if (rc != 0)
        end(s, rc);
    return rc;
}

/* The rows that share a batch with the next one. */
static int score_batch(struct infer *s, struct gm_error *err)
{
    size_t inputs = s->data->inputs, batch = s->ordinal[s->done] / BATCH, last = s->done;
    memset(s->x, 0, BATCH * inputs * sizeof(*s->x));
    for (; last < s->n && s->ordinal[last] / BATCH == batch; last++)
        memcpy(s->x + s->ordinal[last] % BATCH * inputs,
               s->data->x + s->at[last] * inputs,
               inputs * sizeof(*s->x));
    int rc = mlp_predict(s->work, BATCH, s->x, s->p, s->predicted, err);
    if (rc < 0)
        return rc;
    for (size_t i = s->done; i < last; i++) {
        size_t place = s->ordinal[i] % BATCH;
        s->class[i] = s->predicted[place];
        memcpy(s->probability + i * s->classes,
               s->p + place * s->classes,
               s->classes * sizeof(*s->p));
        if (s->data->labels != NULL)
            s->confusion[(size_t)s->data->labels[s->at[i]] * s->classes +
                         (size_t)s->class[i]]++;
    }
    s->done = last;
    return 0;
}

static int put_scores(const struct infer *s, struct gm_error *err)
{
    if (s->data->labels == NULL)
        return 0;
    const uint64_t square[2] = {s->classes, s->classes};
    int64_t correct = 0;
    for (size_t c = 0; c < s->classes; c++)
        correct += s->confusion[c * s->classes + c];
    int rc = gm_put_i64(s->sink, O_CORRECT, correct, err);
    if (rc == 0)
        rc = gm_put_f64(s->sink,
                        O_ACCURACY,
                        s->n > 0 ? (double)correct / (double)s->n : (double)NAN,
                        err);
    return rc == 0 ? s->sink->put(s->sink, O_CONFUSION, 2, square, s->confusion, err)
                   : rc;
}

static int put_rows(const struct infer *s, struct gm_error *err)
{
    const struct gm_sink *sink = s->sink;
    const uint64_t dims[2] = {s->n, s->classes};
    int rc = sink->put(sink, O_ROW, 1, dims, s->row, err);
    if (rc == 0)
        rc = sink->put(sink, O_CLASS, 1, dims, s->class, err);
    if (rc == 0)
        rc = sink->put(sink, O_PROBABILITY, 2, dims, s->probability, err);
    if (rc == 0)
        rc = gm_put_i64(sink, O_ROWS, (int64_t)s->n, err);
    if (rc == 0 && s->seconds > 0)
        rc = gm_put_f64(sink, O_ROWS_PER_S, (double)s->n / s->seconds, err);
    return rc;
}

static int step(void *self, struct gm_error *err)
{
    struct infer *s = self;
    if (s->comm->cancelled(s->comm))
        return gm_fail(err, -ECANCELED, "stopped after %zu of %zu rows", s->done, s->n);
    if (s->done < s->n) {
        double start = stopwatch_now();
        int scored = score_batch(s, err);
        s->seconds += stopwatch_now() - start;
        return scored < 0 ? scored : 1;
    }
    int rc = put_rows(s, err);
    return rc == 0 ? put_scores(s, err) : rc;
}

/* Products alone; each batch reads the weights. */
static void work(void *self, struct gm_work *ret)
{
    const struct infer *s = self;
    const struct mlp_shape *shape = &s->model->shape;
    double rows = (double)s->n, batches = ceil(rows / BATCH), all = 0;
    for (unsigned i = 0; i < shape->n_layers; i++)
        all += (double)shape->widths[i] * shape->widths[i + 1];
    ret->flops = 2 * all * rows;
    ret->bytes =
        4 * (rows * ((double)shape->widths[0] + (double)s->classes) + batches * all);
    ret->gpu_s = s->device->host ? 0 : s->seconds;
}

static void close_(void *self)
{
    struct infer *s = self;
    dataset_cache_free(&s->cache);
    device_close(s->device);
    free(s);
}

const struct gm_kernel mlp_infer_kernel = {
    .abi = GM_KERNEL_ABI,
    .size = sizeof(struct gm_kernel),
    .name = "mlp.infer",
    .summary = "score rows with a trained network",
    .params = params,
    .n_params = sizeof(params) / sizeof(params[0]),
    .outputs = outputs,
    .n_outputs = sizeof(outputs) / sizeof(outputs[0]),
    .traits = GM_BOUND_MEMORY | GM_ON_CPU | GM_ON_CUDA | GM_TAKES_SHARDS,
    .probe = gemm_probe,
    .open = open_,
    .begin = begin,
    .step = step,
    .end = end,
    .close = close_,
    .work = work};
