/* The training loop, one mini-batch a call. What a leaf computes depends on the
 * mini-batch and the leaf's number alone, and so do the products' bits: that is
 * what makes the weights equal for any number of ranks. */
#include "trainer.h"

#include "kernels/io/split.h"
#include "kernels/op/philox.h"
#include "stopwatch.h"
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Philox streams: layers take 0, 1, ... for their weights, epochs these for their order.
 */
#define SHUFFLE_STREAM ((uint64_t)1 << 32)

#define VALID_ROWS   64 /* rows of a validation leaf */
#define VALID_LEAVES 32 /* leaves of one step */

void trainer_free(struct trainer *t)
{
    if (t == NULL)
        return;
    struct trainer_scratch *s = t->scratch;
    if (s != NULL) {
        free(s->order);
        free(s->x);
        free(s->labels);
        free(s->sum);
        free(s->copy);
        struct device *d = t->opt.device;
        d->op->release(d, s->first);
        d->op->release(d, s->second);
        d->op->release(d, s->grad);
        mlp_work_free(s->work);
        free(s);
    }
    free(t->train);
    free(t->valid);
    mlp_free(t->model);
    free(t);
}

static int take_rows(struct trainer *t, const uint8_t *part, struct gm_error *err)
{
    size_t rows = t->data->rows;
    t->train = calloc(rows + 1, sizeof(*t->train));
    t->valid = calloc(rows + 1, sizeof(*t->valid));
    if (t->train == NULL || t->valid == NULL)
        return gm_fail(err, -ENOMEM, "no memory for the numbers of %zu rows", rows);
    for (size_t i = 0; i < rows; i++) {
        if (part[i] == SPLIT_TRAIN)
            t->train[t->n_train++] = i;
        else if (part[i] == SPLIT_VALID)
            t->valid[t->n_valid++] = i;
    }
    if (t->n_train == 0)
        return gm_fail(
            err, -EINVAL, "split: none of the %zu rows is left to train on", rows);
    return 0;
}

static int
alloc(struct device *d, bool wanted, size_t n, float **ret, struct gm_error *err)
{
    void *at = NULL;
    int rc = wanted ? d->op->alloc(d, n * sizeof(**ret), &at, err) : 0;
    *ret = at;
    return rc;
}

/* What is the device's: n is at most what the parameters take. */
static int make_state(struct trainer *t, size_t leaf, struct gm_error *err)
{
    struct trainer_scratch *s = t->scratch;
    struct device *d = t->opt.device;
    size_t n = t->model->n_params;
    int rc = alloc(d, true, n, &s->first, err);
    if (rc == 0)
        rc = alloc(d, t->opt.is_adamw, n, &s->second, err);
    if (rc == 0)
        rc = alloc(d, !d->host, n, &s->grad, err);
    return rc == 0 ? mlp_work_make(t->model, d, leaf, &s->work, err) : rc;
}

static int make_scratch(struct trainer *t, struct gm_error *err)
{
    struct trainer_scratch *s = t->scratch = calloc(1, sizeof(*s));
    if (s == NULL)
        return gm_fail(err, -ENOMEM, "out of memory");
    size_t micro = t->opt.micro_batch, n = t->model->n_params;
    size_t leaf = micro > VALID_ROWS ? micro : VALID_ROWS, floats;
    if (__builtin_mul_overflow(leaf, t->data->inputs, &floats))
        return gm_fail(err, -ENOMEM, "no memory for micro-batches of %zu rows", micro);
    s->order = calloc(t->n_train, sizeof(*s->order));
    s->x = calloc(floats, sizeof(*s->x));
    s->labels = calloc(leaf, sizeof(*s->labels));
    s->sum = calloc(n + 1, sizeof(*s->sum));
    s->copy = t->opt.device->host ? NULL : calloc(n, sizeof(*s->copy));
    if (s->order == NULL || s->x == NULL || s->labels == NULL || s->sum == NULL ||
        (!t->opt.device->host && s->copy == NULL))
        return gm_fail(err, -ENOMEM, "no memory for a network of %zu parameters", n);
    return make_state(t, leaf, err);
}

int trainer_make(const struct trainer_options *opt,
                 const struct dataset *data,
                 const uint8_t *part,
                 const struct gm_comm *comm,
                 struct trainer **ret,
                 struct gm_error *err)
{
    struct trainer *t = calloc(1, sizeof(*t));
    if (t == NULL)
        return gm_fail(err, -ENOMEM, "out of memory");
    t->opt = *opt;
    t->comm = comm;
    t->data = data;
    int rc = take_rows(t, part, err);
    if (rc == 0 && t->opt.batch > t->n_train)
        t->opt.batch = t->n_train;
    if (t->opt.micro_batch > t->opt.batch)
        t->opt.micro_batch = t->opt.batch;
    if (rc == 0)
        rc = mlp_make(&opt->shape, &t->model, err);
    if (rc == 0) {
        t->model->scale = opt->scale;
        mlp_init(t->model, opt->seed);
        rc = make_scratch(t, err); /* copies the parameters to the device */
    }
    if (rc != 0) {
        trainer_free(t);
        return rc;
    }
    *ret = t;
    return 0;
}

void trainer_shuffle(struct trainer *t)
{
    philox_permutation(
        t->opt.seed, SHUFFLE_STREAM + t->epoch, t->n_train, t->scratch->order);
}

/* Rows number[from .. from + n) of the data, side by side; `order` is a detour or NULL.
 */
static void gather(const struct trainer *t,
                   const size_t *number,
                   const size_t *order,
                   size_t from,
                   size_t n)
{
    struct trainer_scratch *s = t->scratch;
    size_t inputs = t->data->inputs;
    for (size_t i = 0; i < n; i++) {
        size_t row = number[order == NULL ? from + i : order[from + i]];
        memcpy(s->x + i * inputs, t->data->x + row * inputs, inputs * sizeof(float));
        s->labels[i] = t->data->labels[row];
    }
}

/* The one leaf of the one rank is the sum: its gradient need not leave the device. */
static bool stays(const struct trainer *t)
{
    return t->comm->n_ranks == 1 && t->scratch->batch_rows <= t->opt.micro_batch;
}

/* Micro-shard `i` of the mini-batch that begins at s->at: its gradient and its loss. */
static int train_leaf(void *ctx, uint64_t i, void *out, struct gm_error *err)
{
    struct trainer *t = ctx;
    struct trainer_scratch *s = t->scratch;
    struct device *d = t->opt.device;
    size_t micro = t->opt.micro_batch, from = i * micro;
    size_t n = s->batch_rows - from < micro ? s->batch_rows - from : micro;
    float *grad = out;
    gather(t, t->train, s->order, s->at + from, n);
    struct xent_score score;
    int rc = mlp_gradient(s->work,
                          n,
                          s->x,
                          s->labels,
                          1.0F / (float)s->batch_rows,
                          d->host ? grad : s->grad,
                          &score,
                          err);
    if (rc < 0)
        return rc;
    if (!d->host && !stays(t))
        d->op->get(d, grad, s->grad, t->model->n_params * sizeof(*grad));
    grad[t->model->n_params] = (float)score.loss;
    return d->op->sync(d, err);
}

static int take_step(struct trainer *t, struct gm_error *err)
{
    struct trainer_scratch *s = t->scratch;
    struct device *d = t->opt.device;
    const float *grad = d->host ? s->sum : s->grad;
    s->step++;
    if (!d->host && !stays(t))
        d->op->put(d, s->grad, s->sum, t->model->n_params * sizeof(*s->sum));
    if (t->opt.is_adamw)
        mlp_adamw(s->work, &t->opt.adamw, s->step, s->first, s->second, grad);
    else
        mlp_sgd(s->work, &t->opt.sgd, s->first, grad);
    return d->op->sync(d, err);
}

static int train_batch(struct trainer *t, struct gm_error *err)
{
    struct trainer_scratch *s = t->scratch;
    const struct gm_comm *comm = t->comm;
    double start = stopwatch_now();
    if (s->at == 0)
        trainer_shuffle(t);
    size_t left = t->n_train - s->at, micro = t->opt.micro_batch;
    s->batch_rows = left < t->opt.batch ? left : t->opt.batch;
    uint64_t leaves = (s->batch_rows + micro - 1) / micro, first, count;
    gm_share(leaves, comm->n_ranks, comm->rank, &first, &count);
    int rc = comm->sum(comm,
                       GM_F32,
                       leaves,
                       first,
                       count,
                       t->model->n_params + 1,
                       train_leaf,
                       t,
                       s->sum,
                       err);
    if (rc != 0)
        return rc;
    double loss = (double)s->sum[t->model->n_params];
    if (!isfinite(loss))
        return gm_fail(err,
                       -EDOM,
                       "epoch %" PRIu64
                       ": the loss is no longer finite: training diverged "
                       "(lr %g): lower lr or scale the inputs",
                       t->epoch + 1,
                       t->opt.is_adamw ? t->opt.adamw.lr : t->opt.sgd.lr);
    rc = take_step(t, err);
    if (rc < 0)
        return rc;
    s->loss += loss;
    s->at += s->batch_rows;
    t->samples += s->batch_rows;
    t->seconds += stopwatch_now() - start;
    return 0;
}

/* Validation leaf `i` of those from s->valid_at on: how many rows are right. */
static int valid_leaf(void *ctx, uint64_t i, void *out, struct gm_error *err)
{
    struct trainer *t = ctx;
    struct trainer_scratch *s = t->scratch;
    size_t from = s->valid_at + i * VALID_ROWS, left = t->n_valid - from;
    size_t n = left < VALID_ROWS ? left : VALID_ROWS;
    gather(t, t->valid, NULL, from, n);
    const float *scores = NULL;
    int rc = mlp_scores(s->work, n, s->x, &scores, err);
    if (rc < 0)
        return rc;
    size_t classes = t->opt.shape.widths[t->opt.shape.n_layers];
    int64_t correct = 0;
    for (size_t r = 0; r < n; r++)
        correct += xent_class(classes, scores + r * classes) == s->labels[r];
    *(int64_t *)out = correct;
    return 0;
}

static int validate_some(struct trainer *t, struct gm_error *err)
{
    struct trainer_scratch *s = t->scratch;
    uint64_t leaves = (t->n_valid - s->valid_at + VALID_ROWS - 1) / VALID_ROWS, first,
             count;
    if (leaves > VALID_LEAVES)
        leaves = VALID_LEAVES;
    int64_t correct = 0;
    gm_share(leaves, t->comm->n_ranks, t->comm->rank, &first, &count);
    int rc = t->comm->sum(
        t->comm, GM_I64, leaves, first, count, 1, valid_leaf, t, &correct, err);
    if (rc != 0)
        return rc;
    s->correct += correct;
    s->valid_at += leaves * VALID_ROWS;
    return 0;
}

static int end_epoch(struct trainer *t)
{
    struct trainer_scratch *s = t->scratch;
    t->loss = s->loss / (double)t->n_train;
    t->accuracy = t->n_valid > 0 ? (double)s->correct / (double)t->n_valid : 0;
    t->epoch++;
    s->loss = 0;
    s->at = s->valid_at = 0;
    s->correct = 0;
    return TRAINER_EPOCH;
}

int trainer_step(struct trainer *t, struct gm_error *err)
{
    struct trainer_scratch *s = t->scratch;
    int rc = 0;
    if (t->epoch == t->opt.epochs)
        return TRAINER_OVER;
    if (t->comm->cancelled(t->comm))
        return gm_fail(err,
                       -ECANCELED,
                       "stopped in epoch %" PRIu64 " of %" PRIu64,
                       t->epoch + 1,
                       t->opt.epochs);
    if (s->at < t->n_train)
        rc = train_batch(t, err);
    else if (s->valid_at < t->n_valid)
        rc = validate_some(t, err);
    if (rc != 0)
        return rc;
    bool over = s->at == t->n_train && s->valid_at >= t->n_valid;
    return over ? end_epoch(t) : TRAINER_MORE;
}
