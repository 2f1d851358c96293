/* Fences: until which row a shard's commits count. A rank that is given up for lost may
 * still be alive (stopped, or behind a cut link) and may write later; so before its tasks
 * go elsewhere its shard is sealed: FOLDER/fences/NAME.h5 (a small text: "commits N")
 * says how many commit rows stood there when it was looked at, and no reader believes a
 * later one. Whoever seals first decides; a fence is never changed. It is written under
 * another name, synced and renamed. The lost rank itself looks for its fence before it
 * commits, and stops when it finds one; the seal holds without that. */
#ifndef RESULT_FENCE_H
#define RESULT_FENCE_H

#include "gridmill/error.h"
#include <stdbool.h>
#include <stdint.h>

/* Seals the shard that this rank writes in this launch (the newest of its name). */
int fence_rank(const char *folder, unsigned rank, struct gm_error *err);
/* Seals every shard that is there: at the start of a launch that resumes. */
int fence_all(const char *folder, struct gm_error *err);
/* Is there a fence for this shard (its path)? *ret_rows: commit rows that count. */
bool fence_of(const char *shard_path, uint64_t *ret_rows);

#endif
