/* A trainer's checkpoint. Between two steps the next ones depend on the parameters, the
 * optimizer's state, the place in the epoch and what was summed up so far; the order of
 * rows follows from the seed and the epoch, and is made anew. All other buffers are
 * written before they are read. */
#include "parts.h"
#include "trainer.h"

enum { PART_PLACE, PART_PARAMS, PART_FIRST, PART_SECOND };

#define PLACE_VERSION 1u

/* Part 0. Its first five members say of which trainer it is. */
struct place {
    uint64_t version, n_params, n_train, n_valid, epochs;
    uint64_t epoch, at, valid_at, step, samples;
    int64_t correct;
    double summed, loss, accuracy, seconds;
};

/* An array of n_params floats that is the device's. */
static int put_array(const struct trainer *t,
                     const struct gm_saver *saver,
                     unsigned part,
                     const float *at,
                     struct gm_error *err)
{
    struct device *d = t->opt.device;
    size_t nbytes = t->model->n_params * sizeof(*at);
    if (!d->host) {
        d->op->get(d, t->scratch->copy, at, nbytes);
        int rc = d->op->sync(d, err);
        if (rc < 0)
            return rc;
        at = t->scratch->copy;
    }
    return saver->put(saver, part, at, nbytes, err);
}

static int take_array(const struct trainer *t,
                      const struct gm_loader *loader,
                      unsigned part,
                      float *at,
                      struct gm_error *err)
{
    struct device *d = t->opt.device;
    size_t nbytes = t->model->n_params * sizeof(*at);
    int rc = parts_take(loader, part, d->host ? at : t->scratch->copy, nbytes, err);
    if (rc == 0 && !d->host)
        d->op->put(d, at, t->scratch->copy, nbytes);
    return rc;
}

int trainer_save(const struct trainer *t,
                 const struct gm_saver *saver,
                 struct gm_error *err)
{
    const struct trainer_scratch *s = t->scratch;
    const size_t nbytes = t->model->n_params * sizeof(float);
    const struct place p = {.version = PLACE_VERSION,
                            .n_params = t->model->n_params,
                            .n_train = t->n_train,
                            .n_valid = t->n_valid,
                            .epochs = t->opt.epochs,
                            .epoch = t->epoch,
                            .at = s->at,
                            .valid_at = s->valid_at,
                            .step = s->step,
                            .samples = t->samples,
                            .correct = s->correct,
                            .summed = s->loss,
                            .loss = t->loss,
                            .accuracy = t->accuracy,
                            .seconds = t->seconds};
    int rc = mlp_fetch(s->work, err);
    if (rc == 0)
        rc = saver->put(saver, PART_PLACE, &p, sizeof(p), err);
    if (rc == 0)
        rc = saver->put(saver, PART_PARAMS, t->model->params, nbytes, err);
    if (rc == 0)
        rc = put_array(t, saver, PART_FIRST, s->first, err);
    if (rc == 0 && s->second != NULL)
        rc = put_array(t, saver, PART_SECOND, s->second, err);
    return rc;
}

static bool fits(const struct trainer *t, const struct place *p)
{
    return p->version == PLACE_VERSION && p->n_params == t->model->n_params &&
           p->n_train == t->n_train && p->n_valid == t->n_valid &&
           p->epochs == t->opt.epochs && p->epoch <= p->epochs && p->at <= p->n_train &&
           (p->valid_at == 0 || p->valid_at < p->n_valid);
}

int trainer_load(struct trainer *t, const struct gm_loader *loader, struct gm_error *err)
{
    struct trainer_scratch *s = t->scratch;
    const size_t nbytes = t->model->n_params * sizeof(float);
    struct place p;
    int rc = parts_take(loader, PART_PLACE, &p, sizeof(p), err);
    if (rc == 0 && !fits(t, &p))
        rc = gm_fail(err, -EINVAL, "it is the state of another network or data set");
    if (rc == 0)
        rc = parts_take(loader, PART_PARAMS, t->model->params, nbytes, err);
    if (rc == 0)
        rc = take_array(t, loader, PART_FIRST, s->first, err);
    if (rc == 0 && s->second != NULL)
        rc = take_array(t, loader, PART_SECOND, s->second, err);
    if (rc < 0)
        return rc;
    mlp_store(s->work);
    t->epoch = p.epoch;
    t->samples = p.samples;
    t->loss = p.loss;
    t->accuracy = p.accuracy;
    t->seconds = p.seconds;
    s->at = p.at;
    s->valid_at = p.valid_at;
    s->step = p.step;
    s->correct = p.correct;
    s->loss = p.summed;
    if (s->at > 0)
        trainer_shuffle(t);
    return 0;
}
