/* What a leaf computes depends on the step and the leaf's number alone: so do the
 * weights, for any number of ranks and threads. */
#include "lm_trainer.h"

#include "kernels/op/clip.h"
#include "kernels/op/philox.h"
#include "stopwatch.h"
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Philox streams of the seed: epoch e's order, and where its first window begins. */
#define ORDER_STREAM ((uint64_t)1 << 32)
#define SHIFT_STREAM ((uint64_t)1 << 33)

#define VALID_LEAVES 32 /* of one call */

void lm_trainer_free(struct lm_trainer *t)
{
    if (t == NULL)
        return;
    struct lm_trainer_scratch *s = t->scratch;
    if (s != NULL) {
        struct device *d = t->model->device;
        d->op->release(d, s->first);
        d->op->release(d, s->second);
        transformer_work_free(s->work);
        free(s->order);
        free(s->starts);
        free(s->ids);
        free(s->labels);
        free(s->sum);
        free(s->groups);
        free(s);
    }
    free(t);
}

static int check(const struct lm_trainer_options *o,
                 const struct lm_tokens *text,
                 const struct transformer *model,
                 struct gm_error *err)
{
    const struct weights_config *c = &model->config;
    if (o->context > c->context)
        return gm_fail(err,
                       -EINVAL,
                       "context: %zu tokens, where the network has places for %zu",
                       o->context,
                       c->context);
    if (text->n_train <= o->context)
        return gm_fail(err,
                       -EINVAL,
                       "data: %zu tokens are left to train on, and a sequence takes %zu: "
                       "lower context or valid-share",
                       text->n_train,
                       o->context + 1);
    if (o->dropout > 0 && c->arch != WEIGHTS_GPT2)
        return gm_fail(err, -EINVAL, "dropout: only networks of arch gpt2 have it");
    for (size_t i = 0; i < text->n; i++) {
        if (text->ids[i] < 0 || (size_t)text->ids[i] >= c->vocab)
            return gm_fail(err,
                           -EINVAL,
                           "data: token %" PRId32 " where the network knows 0-%zu",
                           text->ids[i],
                           c->vocab - 1);
    }
    return 0;
}

static int copy_groups(struct lm_trainer *t, struct gm_error *err)
{
    struct lm_trainer_scratch *s = t->scratch;
    s->groups = calloc(t->model->n_groups + 1, sizeof(*s->groups));
    if (s->groups == NULL)
        return gm_fail(err, -ENOMEM, "out of memory");
    for (size_t i = 0; i < t->model->n_groups; i++) {
        s->groups[i] = t->model->groups[i];
        s->groups[i].decay *= t->opt.adamw.decay;
    }
    return 0;
}

/* Windows of an epoch: one fewer than fit, so that they can begin anywhere in a window.
 */
static size_t count_windows(const struct lm_trainer *t)
{
    size_t fit = (t->text.n_train - 1) / t->opt.context;
    return fit > 1 ? fit - 1 : 1;
}

static int make_scratch(struct lm_trainer *t, struct gm_error *err)
{
    struct lm_trainer_scratch *s = t->scratch = calloc(1, sizeof(*s));
    if (s == NULL)
        return gm_fail(err, -ENOMEM, "out of memory");
    struct device *d = t->model->device;
    const size_t n = t->model->n_params, bytes = n * sizeof(float);
    size_t leaf;
    if (__builtin_mul_overflow(t->opt.micro_batch, t->opt.context, &leaf))
        return gm_fail(err, -ENOMEM, "micro-batch: %zu sequences", t->opt.micro_batch);
    s->windows = count_windows(t);
    s->order = calloc(s->windows, sizeof(*s->order));
    s->starts = calloc(t->opt.batch, sizeof(*s->starts));
    s->ids = calloc(leaf, sizeof(*s->ids));
    s->labels = calloc(leaf, sizeof(*s->labels));
    s->sum = calloc(n + 1, sizeof(*s->sum));
    if (s->order == NULL || s->starts == NULL || s->ids == NULL || s->labels == NULL ||
        s->sum == NULL)
        return gm_fail(err,
                       -ENOMEM,
                       "no memory to train %zu parameters on %zu sequences of %zu tokens",
                       n,
                       t->opt.micro_batch,
                       t->opt.context);
    int rc = copy_groups(t, err);
    if (rc == 0)
        rc = d->op->alloc(d, bytes, (void **)&s->first, err);
    if (rc == 0)
        rc = d->op->alloc(d, bytes, (void **)&s->second, err);
    if (rc == 0)
        rc = transformer_work_make(
            t->model, t->opt.micro_batch, t->opt.context, true, &s->work, err);
    return rc;
}

int lm_trainer_make(const struct lm_trainer_options *opt,
                    const struct lm_tokens *text,
                    struct transformer *model,
                    const struct gm_comm *comm,
                    struct lm_trainer **ret,
                    struct gm_error *err)
{
    AUTO(lm_trainer) t = calloc(1, sizeof(*t));
    if (t == NULL)
        return gm_fail(err, -ENOMEM, "out of memory");
    t->opt = *opt;
    t->comm = comm;
    t->text = *text;
    t->model = model;
    if (t->opt.micro_batch > t->opt.batch)
        t->opt.micro_batch = t->opt.batch;
    int rc = check(opt, text, model, err);
    if (rc == 0)
        rc = make_scratch(t, err);
    if (rc != 0)
        return rc;
    t->scratch->validating = opt->steps == 0 && text->n > text->n_train;
    *ret = steal(&t);
    return 0;
}

/* Where sequence `number` of the whole training begins. */
static size_t start_of(struct lm_trainer *t, uint64_t number)
{
    struct lm_trainer_scratch *s = t->scratch;
    const uint64_t epoch = number / s->windows;
    if (s->epoch != epoch + 1) {
        struct philox draw = philox_make(t->opt.seed, SHIFT_STREAM + epoch);
        philox_permutation(t->opt.seed, ORDER_STREAM + epoch, s->windows, s->order);
        s->shift = philox_below(&draw, t->text.n_train - s->windows * t->opt.context);
        s->epoch = epoch + 1;
    }
    return s->shift + s->order[number % s->windows] * t->opt.context;
}

/* Micro-shard `i` of the step: its gradient and its loss. */
static int train_leaf(void *ctx, uint64_t i, void *out, struct gm_error *err)
{
    struct lm_trainer *t = ctx;
    struct lm_trainer_scratch *s = t->scratch;
    const size_t tokens = t->opt.context, from = i * t->opt.micro_batch;
    const size_t left = t->opt.batch - from;
    const size_t n = left < t->opt.micro_batch ? left : t->opt.micro_batch;
    const float scale = 1.0F / (float)(t->opt.batch * tokens);
    const struct transformer_dropout dropout = {.p = (float)t->opt.dropout,
                                                .seed = t->opt.seed,
                                                .step = t->step,
                                                .first_sequence = from};
    if (t->comm->cancelled(t->comm))
        return gm_fail(err,
                       -ECANCELED,
                       "stopped in step %" PRIu64 " of %" PRIu64,
                       t->step + 1,
                       t->opt.steps);
    for (size_t q = 0; q < n; q++) {
        const int32_t *at = t->text.ids + s->starts[from + q];
        memcpy(s->ids + q * tokens, at, tokens * sizeof(*at));
        memcpy(s->labels + q * tokens, at + 1, tokens * sizeof(*at));
    }
    float *grad = out;
    struct xent_tokens score = {0};
    int rc = transformer_gradient(t->model,
                                  s->work,
                                  n,
                                  tokens,
                                  s->ids,
                                  s->labels,
                                  scale,
                                  t->opt.dropout > 0 ? &dropout : NULL,
                                  grad,
                                  &score,
                                  err);
    grad[t->model->n_params] = (float)score.loss;
    return rc;
}

static int update(struct lm_trainer *t, double lr, struct gm_error *err)
{
    struct lm_trainer_scratch *s = t->scratch;
    struct device *d = t->model->device;
    struct adamw o = t->opt.adamw;
    double norm = 0;
    o.lr = lr;
    if (t->opt.clip > 0)
        d->op->norm(d, t->model->n_params, s->sum, &norm);
    int rc = d->op->sync(d, err);
    if (rc != 0)
        return rc;
    if (!isfinite(norm))
        return gm_fail(err,
                       -EDOM,
                       "step %" PRIu64 ": the gradient is no longer finite: training "
                       "diverged (lr %g): lower lr, or clip",
                       t->step + 1,
                       lr);
    d->op->adamw(d,
                 &o,
                 t->step + 1,
                 clip_factor(norm, t->opt.clip),
                 t->model->n_groups,
                 s->groups,
                 t->model->params,
                 s->first,
                 s->second,
                 s->sum);
    return d->op->sync(d, err);
}

static int train_batch(struct lm_trainer *t, struct gm_error *err)
{
    struct lm_trainer_scratch *s = t->scratch;
    const struct gm_comm *comm = t->comm;
    const size_t micro = t->opt.micro_batch, batch = t->opt.batch;
    const double begun = stopwatch_now(), lr = schedule_lr(&t->opt.schedule, t->step);
    for (size_t q = 0; q < batch; q++)
        s->starts[q] = start_of(t, t->step * batch + q);
    uint64_t leaves = (batch + micro - 1) / micro, first, count;
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
    double loss = (double)s->sum[t->model->n_params] / (double)(batch * t->opt.context);
    if (!isfinite(loss))
        return gm_fail(err,
                       -EDOM,
                       "step %" PRIu64 ": the loss is no longer finite: training "
                       "diverged (lr %g): lower lr, or clip",
                       t->step + 1,
                       lr);
    rc = update(t, lr, err);
    if (rc != 0)
        return rc;
    t->loss = loss;
    t->step++;
    t->taken++;
    t->step_seconds = stopwatch_now() - begun;
    t->seconds += t->step_seconds;
    return LM_TRAINER_STEP;
}

/* Leaf `i` of those from s->valid_at on: loss and hits of micro_batch windows. */
static int valid_leaf(void *ctx, uint64_t i, void *out, struct gm_error *err)
{
    struct lm_trainer *t = ctx;
    struct lm_trainer_scratch *s = t->scratch;
    const size_t tokens = t->opt.context, room = t->opt.micro_batch * tokens;
    const size_t from = t->text.n_train + s->valid_at + i * room;
    const size_t left = t->text.n - from, n = left < room ? left : room;
    const size_t sequences = (n + tokens - 1) / tokens;
    memset(s->ids, 0, room * sizeof(*s->ids));
    memset(s->labels, 0xFF, room * sizeof(*s->labels)); /* -1: does not count */
    memcpy(s->ids, t->text.ids + from - 1, n * sizeof(*s->ids));
    memcpy(s->labels, t->text.ids + from, n * sizeof(*s->labels));
    struct xent_tokens score = {0};
    int rc = transformer_loss(
        t->model, s->work, sequences, tokens, s->ids, s->labels, NULL, &score, err);
    double *sums = out;
    sums[0] = score.loss;
    sums[1] = (double)score.correct;
    return rc;
}

static int validate_some(struct lm_trainer *t, struct gm_error *err)
{
    struct lm_trainer_scratch *s = t->scratch;
    const size_t held = t->text.n - t->text.n_train;
    const size_t room = t->opt.micro_batch * t->opt.context;
    uint64_t leaves = (held - s->valid_at + room - 1) / room, first, count;
    double sums[2] = {0};
    if (leaves > VALID_LEAVES)
        leaves = VALID_LEAVES;
    gm_share(leaves, t->comm->n_ranks, t->comm->rank, &first, &count);
    int rc =
        t->comm->sum(t->comm, GM_F64, leaves, first, count, 2, valid_leaf, t, sums, err);
    if (rc != 0)
        return rc;
    s->valid_sum += sums[0];
    s->valid_right += sums[1];
    s->valid_at +=
        leaves * room < held - s->valid_at ? leaves * room : held - s->valid_at;
    if (s->valid_at < held)
        return LM_TRAINER_MORE;
    t->valid_loss = s->valid_sum / (double)held;
    t->valid_correct = s->valid_right / (double)held;
    s->valid_sum = s->valid_right = 0;
    s->valid_at = 0;
    s->validating = false;
    return LM_TRAINER_VALID;
}

int lm_trainer_step(struct lm_trainer *t, struct gm_error *err)
{
    struct lm_trainer_scratch *s = t->scratch;
    if (!s->validating && t->step == t->opt.steps)
        return LM_TRAINER_OVER;
    if (t->comm->cancelled(t->comm))
        return gm_fail(err,
                       -ECANCELED,
                       "stopped after step %" PRIu64 " of %" PRIu64,
                       t->step,
                       t->opt.steps);
    if (s->validating)
        return validate_some(t, err);
    int rc = train_batch(t, err);
    bool due = t->step == t->opt.steps ||
               (t->opt.valid_every > 0 && t->step % t->opt.valid_every == 0);
    s->validating = due && t->text.n > t->text.n_train;
    return rc;
}
