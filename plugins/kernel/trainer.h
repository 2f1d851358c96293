/* Training a network on labelled rows, data-parallel over a group of ranks, with bits
 * that do not depend on how many they are.
 *
 * A mini-batch is cut into micro-shards of `micro_batch` rows. A micro-shard's gradient
 * is a leaf of comm->sum's fixed tree; each rank computes a contiguous run of leaves
 * (gm_share) and all get the same sum, so all take the same step. Rows are shuffled anew
 * each epoch by Philox from the seed. Private to plugins/kernel. */
#ifndef PLUGINS_KERNEL_TRAINER_H
#define PLUGINS_KERNEL_TRAINER_H

#include "dataset.h"
#include "kernels/model/mlp.h"
#include "kernels/op/adamw.h"
#include "kernels/op/sgd.h"

struct trainer_options {
    struct mlp_shape shape;
    bool is_adamw; /* else momentum descent */
    struct sgd sgd;
    struct adamw adamw;
    uint64_t epochs, batch, micro_batch, seed;
    double scale;          /* kept with the model; the rows have been multiplied by it */
    struct device *device; /* borrowed: where it computes */
};

enum trainer_state {
    TRAINER_OVER = 0,
    TRAINER_MORE = 1,
    TRAINER_EPOCH = 2 /* an epoch has just ended; more may follow */
};

struct trainer {
    struct trainer_options opt;
    const struct gm_comm *comm;
    const struct dataset *data; /* borrowed */
    size_t *train, *valid;      /* numbers of the rows */
    size_t n_train, n_valid;
    struct mlp *model;
    /* of the epoch that ended last */
    double loss, accuracy; /* mean over the training rows; over the validation rows */
    uint64_t epoch;        /* epochs that are over */
    double seconds;        /* in training steps, of all epochs */
    uint64_t samples;
    struct trainer_scratch *scratch;
};

struct trainer_scratch {
    size_t *order;   /* [n_train] positions in `train`, shuffled for the epoch */
    float *x;        /* one leaf's rows */
    int32_t *labels; /* and their labels */
    float *sum;      /* [n_params + 1]: the gradient, then the summed loss; the host's */
    float *first, *second; /* optimizer state, [n_params]; the device's, as `grad` is */
    float *grad;           /* [n_params]; NULL where the device's memory is the host's */
    float *copy;           /* [n_params] of the host, for checkpoints; NULL as `grad` */
    struct mlp_work *work;
    uint64_t step; /* of the optimizer, from 1 */
    size_t at;     /* rows of the epoch that are done */
    size_t batch_rows;
    size_t valid_at;
    int64_t correct; /* of the validation rows so far */
    double loss;     /* summed over the epoch so far */
};

/* The order of the rows in the epoch that begins. */
void trainer_shuffle(struct trainer *t);

/* part: enum split_part of each row. `data` must outlive *ret. */
int trainer_make(const struct trainer_options *opt,
                 const struct dataset *data,
                 const uint8_t *part,
                 const struct gm_comm *comm,
                 struct trainer **ret,
                 struct gm_error *err);
void trainer_free(struct trainer *t); /* takes NULL */

/* One mini-batch, or some of the validation: enum trainer_state, or < 0. Allocates
 * nothing. */
int trainer_step(struct trainer *t, struct gm_error *err);

/* trainer_state.c: all that the next steps depend on, and back into a trainer that was
 * made alike. After a failed load the trainer must be freed. */
int trainer_save(const struct trainer *t,
                 const struct gm_saver *saver,
                 struct gm_error *err);
int trainer_load(struct trainer *t, const struct gm_loader *loader, struct gm_error *err);

#endif
