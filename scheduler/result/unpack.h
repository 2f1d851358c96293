/* One results file -> a job folder with one shard, so that a job that was packed can be
 * resumed (its failed tasks run again). FILE stays. */
#ifndef RESULT_UNPACK_H
#define RESULT_UNPACK_H

#include "gridmill/error.h"

/* Writes FOLDER/job.h5 and the shard of rank 0, flushed and closed; the folder is there,
 * and has no shard. Every attempt is committed, its values with the one that counts.
 * After a failure the folder is the caller's to remove. */
int unpack_run(const char *file, const char *folder, struct gm_error *err);

#endif
