/* Training a language model on a text, data-parallel over a group of ranks, with bits
 * that do not depend on how many they are (as trainer.h, for rows).
 *
 * A step takes `batch` sequences of `context` tokens. `micro_batch` of them are a leaf of
 * comm->sum's fixed tree; each rank computes a contiguous run of leaves, one after the
 * other in the same buffers, and all take the same step. The text is cut into windows
 * that do not overlap, from a place and in an order that are new each epoch (Philox from
 * the seed); steps go on over the ends of epochs.
 *
 * Validation is the mean over all held-out tokens, each once, in windows that do not
 * overlap: the first of them is foretold from the last token before it. Private to
 * plugins/kernel. */
#ifndef PLUGINS_KERNEL_LM_TRAINER_H
#define PLUGINS_KERNEL_LM_TRAINER_H

#include "gridmill/kernel.h"
#include "kernels/model/transformer.h"
#include "kernels/op/schedule.h"

struct lm_trainer_options {
    struct adamw adamw; /* its lr comes from the schedule, its decay is for groups */
    struct schedule schedule;
    double clip;    /* of the gradient's norm; 0: none */
    double dropout; /* 0: none */
    uint64_t steps, seed;
    uint64_t valid_every; /* steps; 0: after the last alone */
    size_t batch, micro_batch, context;
};

/* The whole text: trained on up to n_train, held out from there on. */
struct lm_tokens {
    const int32_t *ids; /* [n], borrowed */
    size_t n_train, n;
};

enum lm_trainer_state {
    LM_TRAINER_OVER = 0,
    LM_TRAINER_MORE = 1,
    LM_TRAINER_STEP = 2, /* a step has just been taken: loss, step_seconds */
    LM_TRAINER_VALID = 3 /* a validation is over: valid_loss, valid_correct */
};

struct lm_trainer {
    struct lm_trainer_options opt;
    const struct gm_comm *comm;
    struct lm_tokens text;
    struct transformer *model; /* borrowed */
    uint64_t step;             /* that are over */
    uint64_t taken;            /* of them since begin or load */
    double loss;               /* mean over the tokens of the step before */
    double step_seconds;
    double seconds; /* in steps, of all */
    double valid_loss, valid_correct;
    struct lm_trainer_scratch *scratch;
};

struct lm_trainer_scratch {
    size_t *order; /* [windows] of the epoch */
    size_t windows, shift;
    uint64_t epoch;        /* that order is of; from 1, 0: of none */
    size_t *starts;        /* [batch] places in the text of the step's sequences */
    int32_t *ids, *labels; /* a leaf's */
    float *sum;            /* [n_params + 1]: the gradient, then the summed loss */
    float *first, *second; /* the optimizer's, device memory */
    struct adamw_group *groups;
    struct transformer_work *work;
    bool validating;
    size_t valid_at; /* held-out tokens that have been scored */
    double valid_sum, valid_right;
};

/* The model's memory is the host's. */
int lm_trainer_make(const struct lm_trainer_options *opt,
                    const struct lm_tokens *text,
                    struct transformer *model,
                    const struct gm_comm *comm,
                    struct lm_trainer **ret,
                    struct gm_error *err);
void lm_trainer_free(struct lm_trainer *t); /* takes NULL */

/* A step, or some of a validation: enum lm_trainer_state, or < 0. Allocates nothing. */
int lm_trainer_step(struct lm_trainer *t, struct gm_error *err);

/* lm_trainer_state.c: all that the next steps depend on, and back. After a failed load
 * trainer and model must be freed. */
int lm_trainer_save(const struct lm_trainer *t,
                    const struct gm_saver *saver,
                    struct gm_error *err);
int lm_trainer_load(struct lm_trainer *t,
                    const struct gm_loader *loader,
                    struct gm_error *err);

AUTO_TYPE(lm_trainer, lm_trainer_free)

#endif
