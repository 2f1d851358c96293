/* The parts of a pack: what pack.c calls in turn. Private to scheduler/result. */
#ifndef RESULT_PACKING_H
#define RESULT_PACKING_H

#include "shards.h"
#include "window.h"

struct packing {
    hid_t file; /* being written */
    const struct head *head;
    struct shards *shards;
    uint64_t *first,
        *n; /* a stage's rows of /tasks: [first, first + n), n 0 or n_tasks */
    uint64_t n_rows;
};

int packing_ranks(struct packing *p, struct gm_error *err);
int packing_tasks(struct packing *p, struct gm_error *err);
int packing_attempts(struct packing *p, struct gm_error *err);
/* Outputs, series and logs. */
int packing_values(struct packing *p, struct gm_error *err);

/* Appends a value's bytes to a one-dimensional stream (or whole rows of them), through a
 * buffer when they are many, and compares their checksum. */
int packing_copy(struct packing *p,
                 struct feed *to,
                 const struct source_value *v,
                 struct gm_error *err);

#endif
