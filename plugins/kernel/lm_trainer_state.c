/* A language model trainer's checkpoint: parameters, the optimizer's state, and the place
 * in the steps. The order of windows follows from the seed and the step; all other
 * buffers are written before they are read. */
#include "lm_trainer.h"
#include "parts.h"

enum { PART_PLACE, PART_PARAMS, PART_FIRST, PART_SECOND };

#define PLACE_VERSION 1u

/* Part 0. Its first six members say of which trainer it is. */
struct place {
    uint64_t version, n_params, n_train, n, batch, steps;
    uint64_t step, validating, valid_at;
    double valid_sum, valid_right, loss, valid_loss, valid_correct, seconds;
};

int lm_trainer_save(const struct lm_trainer *t,
                    const struct gm_saver *saver,
                    struct gm_error *err)
{
    const struct lm_trainer_scratch *s = t->scratch;
    const size_t nbytes = t->model->n_params * sizeof(float);
    const struct place p = {.version = PLACE_VERSION,
                            .n_params = t->model->n_params,
                            .n_train = t->text.n_train,
                            .n = t->text.n,
                            .batch = t->opt.batch,
                            .steps = t->opt.steps,
                            .step = t->step,
                            .validating = s->validating,
                            .valid_at = s->valid_at,
                            .valid_sum = s->valid_sum,
                            .valid_right = s->valid_right,
                            .loss = t->loss,
                            .valid_loss = t->valid_loss,
                            .valid_correct = t->valid_correct,
                            .seconds = t->seconds};
    int rc = saver->put(saver, PART_PLACE, &p, sizeof(p), err);
    if (rc == 0)
        rc = saver->put(saver, PART_PARAMS, t->model->params, nbytes, err);
    if (rc == 0)
        rc = saver->put(saver, PART_FIRST, s->first, nbytes, err);
    if (rc == 0)
        rc = saver->put(saver, PART_SECOND, s->second, nbytes, err);
    return rc;
}

static bool fits(const struct lm_trainer *t, const struct place *p)
{
    return p->version == PLACE_VERSION && p->n_params == t->model->n_params &&
           p->n_train == t->text.n_train && p->n == t->text.n &&
           p->batch == t->opt.batch && p->steps == t->opt.steps && p->step <= p->steps &&
           p->validating <= 1 && (p->valid_at == 0 || p->valid_at < p->n - p->n_train);
}

int lm_trainer_load(struct lm_trainer *t,
                    const struct gm_loader *loader,
                    struct gm_error *err)
{
    struct lm_trainer_scratch *s = t->scratch;
    const size_t nbytes = t->model->n_params * sizeof(float);
    struct place p;
    int rc = parts_take(loader, PART_PLACE, &p, sizeof(p), err);
    if (rc == 0 && !fits(t, &p))
        rc = gm_fail(err, -EINVAL, "it is the state of another network or text");
    if (rc == 0)
        rc = parts_take(loader, PART_PARAMS, t->model->params, nbytes, err);
    if (rc == 0)
        rc = parts_take(loader, PART_FIRST, s->first, nbytes, err);
    if (rc == 0)
        rc = parts_take(loader, PART_SECOND, s->second, nbytes, err);
    if (rc < 0)
        return rc;
    t->step = p.step;
    s->validating = p.validating != 0;
    s->valid_at = p.valid_at;
    s->valid_sum = p.valid_sum;
    s->valid_right = p.valid_right;
    t->loss = p.loss;
    t->valid_loss = p.valid_loss;
    t->valid_correct = p.valid_correct;
    t->seconds = p.seconds;
    return 0;
}
