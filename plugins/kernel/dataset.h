/* Labelled rows for a kernel: from a parameter's file, or from a tensor that the runner
 * read. Private to plugins/kernel. */
#ifndef PLUGINS_KERNEL_DATASET_H
#define PLUGINS_KERNEL_DATASET_H

#include "gridmill/kernel.h"
#include <stdbool.h>

struct dataset {
    float *x;        /* [rows][inputs], multiplied by the scale */
    int32_t *labels; /* [rows]; NULL: none */
    uint64_t rows, inputs;
};

/* Where a dataset comes from. Two that are equal (dataset_same) give the same rows. */
struct dataset_source {
    const char *path;              /* the table; NULL with an input */
    const struct gm_input *input;  /* the table as a tensor, or NULL */
    const char *labels_path;       /* labels apart, or NULL */
    const struct gm_input *labels; /* the same as a tensor, or NULL */
    bool last_is_label;            /* the table's last column is the label */
    uint64_t first, count;         /* rows of the table; TABLE_ALL: to the end */
    double scale;
};

int dataset_load(const struct dataset_source *from,
                 struct dataset *ret,
                 struct gm_error *err);
void dataset_free(struct dataset *d); /* what is inside */
/* The name of the table for errors. */
const char *dataset_name(const struct dataset_source *from);

/* The table has `inputs` columns for the network, every label fits its classes:
 * "row 12: label 10, but the last layer has 10 classes (0-9)". `first`: number of row 0.
 */
int dataset_check(const struct dataset *d,
                  const char *name,
                  uint64_t first,
                  uint64_t inputs,
                  uint64_t classes,
                  struct gm_error *err);

/* A dataset that is kept from task to task as long as the source stays the same file. */
struct dataset_cache {
    struct dataset data;
    struct dataset_source from; /* path strings are copies */
    bool filled;
};

/* *ret is borrowed from the cache until the next call. A source with tensors is not kept.
 */
int dataset_cached(struct dataset_cache *c,
                   const struct dataset_source *from,
                   const struct dataset **ret,
                   struct gm_error *err);
void dataset_cache_free(struct dataset_cache *c);

#endif
