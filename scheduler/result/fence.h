/* Fences: until which row a shard's commits count. A rank that is given up for lost may
 * still be alive (stopped, or behind a cut link) and may write later; so before its tasks
 * go elsewhere its shard is sealed: FOLDER/fences/NAME.txt ("commits N") says how many
 * commit rows stood there, whole, when it was looked at, and no reader believes a later
 * one. Whoever seals first decides; a fence is never changed. It is written under another
 * name, synced, and then given its own, unless that is taken. The lost rank itself looks
 * for its fence before it commits, and stops when it finds one; the seal holds without
 * that. By the one thread that calls HDF5. */
#ifndef RESULT_FENCE_H
#define RESULT_FENCE_H

#include "gridmill/error.h"
#include <stdint.h>

/* Seals one shard: this rank's of that number (shard_launch). */
int fence_rank(const char *folder, unsigned rank, unsigned launch, struct gm_error *err);
/* Seals every shard that is there: at the start of a launch that resumes. */
int fence_all(const char *folder, struct gm_error *err);
/* Is there a fence for this shard (its path)? 1: *ret_rows commit rows count; 0: none;
 * -EINVAL and others: it cannot be read. */
int fence_of(const char *shard_path, uint64_t *ret_rows, struct gm_error *err);

#endif
