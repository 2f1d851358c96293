/* A job on a machine -> who stands where, and how good that is. The one place that knows
 * which part of sched answers which word of `mapping`. */
#ifndef ENGINE_MAPPING_H
#define ENGINE_MAPPING_H

#include "sched/comm.h"
#include "sched/place.h"
#include "sched/score.h"
#include "spec/jobspec.h"

struct mapping {
    struct placement *at;
    struct comm_graph *comm; /* or NULL */
    struct score score;      /* of short-form jobs */
    const uint64_t *seated;  /* of a seated job, its tasks a stage; else NULL */
    struct seats *seats;     /* owns what is above, for a seated job */
};

/* The request that a short-form job makes; everything borrowed. */
struct place_request mapping_request(const struct jobspec *spec);

/* words NULL: the job's own `mapping`; else that one instead (`plan --compare`). */
int mapping_make(const struct jobspec *spec,
                 const struct restree *tree,
                 const char *words,
                 struct mapping *ret,
                 struct gm_error *err);
void mapping_clear(struct mapping *m); /* what is inside; not m itself */

#endif
