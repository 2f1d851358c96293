/* The arguments of one task after the other, for stages whose tasks differ by their axes
 * and shards alone: as tasks_args gives them (a test compares), without an allocation a
 * task. */
#ifndef SPEC_WALK_H
#define SPEC_WALK_H

#include "base/auto.h"
#include "spec/tasks.h"

struct walk;

/* -ENOTSUP: its tasks read what others committed, or texts are put together for each:
 * tasks_args it is, every time. */
int walk_make(const struct jobspec *spec,
              unsigned stage,
              struct walk **ret,
              struct gm_error *err);
void walk_free(struct walk *w); /* takes NULL */

/* Parameters, shard and seed of this task; the neighbour of the last one costs least.
 * `varying` is not set. Valid until the next call. */
const struct tasks_args *walk_to(struct walk *w, uint64_t task, uint64_t *ret_seed);

AUTO_TYPE(walk, walk_free)

#endif
