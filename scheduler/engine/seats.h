/* A canonical job's ranks: its resources matched (sched/match.h), its tasks stood on the
 * slots, one rank each, stage by stage. And what of it can be told without a machine. */
#ifndef ENGINE_SEATS_H
#define ENGINE_SEATS_H

#include "sched/place.h"
#include "spec/jobspec.h"

struct seats {
    struct placement *at; /* one seat a task; mapping "slots" */
    uint64_t *tasks;      /* one a stage */
    bool shared;          /* some ranks have PUs in common */
};

/* -ENOSPC, -EOVERFLOW, -EINVAL as match_make, with the file's name in front. */
int seats_make(const struct jobspec *spec,
               const struct restree *tree,
               struct seats **ret,
               struct gm_error *err);
void seats_free(struct seats *s); /* takes NULL */

/* Tasks a stage when there are to be n ranks all in all, whatever they stand on: moldable
 * counts, the outermost first, as large as n allows; yours to free. -EINVAL: the job is
 * of another number of tasks, which the sentence tells. */
int seats_count(const struct jobspec *spec,
                unsigned n,
                uint64_t **ret,
                struct gm_error *err);

/* The folder in which the commands start must be there: -ENOENT and others. */
int seats_check_folder(const struct jobspec *spec, struct gm_error *err);

AUTO_TYPE(seats, seats_free)

#endif
