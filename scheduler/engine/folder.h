/* The job folder FILE.gm/ beside the results file FILE: plan.json, rankfile, shards, and
 *
 *   lock      held (flock) by the run that owns the folder, as long as it lives
 *   token     the id of the launch whose ranks may pack
 *   packing   held by the rank that packs, from its look at the token until the folder is
 *             gone, and by who writes a new token
 *
 * Everything in flight lives there; it goes once FILE is whole. */
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
/* Takes the unfinished run in the folder `from` for a later launch, whose plan this is:
 * once nobody writes there, all shards are sealed and the plan is written; `from` becomes
 * plan->folder. -EBUSY: a run goes on there, or its ranks still pack (10 s are given).
 * -EALREADY: it was finished meanwhile. -EEXIST: plan->results are somebody else's. */
int folder_resume(const struct plan *plan,
                  const char *from,
                  struct folder **ret,
                  struct gm_error *err);
/* The same for the run that holds it: its last launch was lost. -EALREADY: no, it
 * was finished. */
int folder_again(struct folder *f, const struct plan *plan, struct gm_error *err);
/* Makes the folder `path`, whose lock is *ret_lock until you close it; what is left of
 * one that nobody holds is removed. -EBUSY: somebody is at it. */
int folder_claim(const char *path, int *ret_lock, struct gm_error *err);
/* Removes the folder: the results file is whole. */
int folder_remove(struct folder *f, struct gm_error *err);
/* Nothing came of this run: removes the folder unless an earlier run made it. */
void folder_drop(struct folder *f);
void folder_close(struct folder *f); /* lets go of the lock; takes NULL */

AUTO_TYPE(folder, folder_close)

#endif
