/* A command's private folder, its TMPDIR: empty at its start, gone after the last. One
 * serves a lane's commands one after the other, so that a command that leaves nothing in
 * it costs one look. */
#ifndef RUNNER_TMPDIR_H
#define RUNNER_TMPDIR_H

#include "base/auto.h"
#include "gridmill/error.h"

struct tmpdir;

/* Also removes those that ranks left there which were killed.
 * In our own TMPDIR, in /tmp, or in `last` (the job's folder), the first that works. */
int tmpdir_make(const char *job,
                const char *last,
                struct tmpdir **ret,
                struct gm_error *err);
const char *tmpdir_path(const struct tmpdir *t);
/* Removes what a command left in it. */
int tmpdir_empty(struct tmpdir *t, struct gm_error *err);
void tmpdir_free(struct tmpdir *t); /* and the folder; takes NULL */

AUTO_TYPE(tmpdir, tmpdir_free)

#endif
