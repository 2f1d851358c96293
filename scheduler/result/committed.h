/* What is committed in a job folder, a stage each: what a resumed job need not run again,
 * and what a lost rank had done before it was. Read by the one thread that calls HDF5. */
#ifndef RESULT_COMMITTED_H
#define RESULT_COMMITTED_H

#include "base/taskset.h"
#include "result/record.h"

struct committed_attempts { /* tasks that were tried and are not done */
    uint64_t task;
    uint32_t attempts, status; /* enum result_status of the last attempt */
};

struct committed_stage {
    uint64_t n_tasks;
    struct taskset *done, *failed, *skipped; /* the commit that counts says so */
    struct taskset *again;                   /* failed, and to be run again (again.h) */
    struct committed_attempts *tried;        /* ascending; failed ones, too */
    uint64_t n_tried;
};

struct committed {
    struct committed_stage *stages;
    unsigned n_stages;
};

/* All of the folder (or of a packed file). */
int committed_load(const char *path, struct committed **ret, struct gm_error *err);
void committed_free(struct committed *c); /* takes NULL */

/* The commits of one shard alone: after fence_rank. */
int committed_load_rank(const char *folder,
                        unsigned rank,
                        unsigned launch,
                        struct committed **ret,
                        struct gm_error *err);

AUTO_TYPE(committed, committed_free)

#endif
