/* The job folder FILE.gm/ beside the results file FILE: plan.json, rankfile, a lock,
 * shards. Everything in flight lives there; it goes once FILE is whole. */
#ifndef ENGINE_FOLDER_H
#define ENGINE_FOLDER_H

#include "base/auto.h"
#include "spec/plan.h"
#include <stdbool.h>

struct folder; /* holds the lock while it is open */

/* Takes FILE and FILE.gm for this run, or refuses: -EEXIST (results, or an unfinished
 * run, are there: the sentence says how to go on), -EBUSY (a run holds the lock),
 * -EACCES, -ENOSPC. force: FILE is moved to FILE.old, FILE.gm to FILE.gm.old (older ones
 * are replaced). Writes plan.json. */
int folder_open(const struct plan *plan,
                bool force,
                struct folder **ret,
                struct gm_error *err);
/* Removes the folder (the results file is whole); or leaves it for a resume. */
int folder_remove(struct folder *f, struct gm_error *err);
void folder_close(struct folder *f); /* lets go of the lock; takes NULL */

AUTO_TYPE(folder, folder_close)

#endif
