/* A job as another process sees it: from its folder FILE.gm while it is in flight, from
 * FILE once that is whole. Nothing is written and the run is not disturbed. */
#ifndef ENGINE_FOLLOW_H
#define ENGINE_FOLLOW_H

#include "engine.h"
#include "result/scan.h"

enum follow_state {
    FOLLOW_NOTHING = 0, /* neither is there */
    FOLLOW_STARTING,    /* a run has the folder, no rank has come to its first task */
    FOLLOW_RUNNING,
    FOLLOW_PACKING, /* all tasks are over, and FILE is not whole yet */
    FOLLOW_STOPPED, /* tasks are left in the folder, and no run has it: resume */
    FOLLOW_OVER,    /* FILE is whole */
    FOLLOW_GONE     /* the run has left nothing, or has moved */
};

struct follow;

/* file: FILE, or FILE.gm. Looks for the first time. */
int follow_open(const char *file, struct follow **ret, struct gm_error *err);
/* Looks again. A run whose lock is let go has 2 s to be gone on with before it counts as
 * stopped. */
int follow_turn(struct follow *f, struct gm_error *err);
/* Cheap: has the folder come, gone or been replaced since the last look? */
bool follow_moved(const struct follow *f);
void follow_close(struct follow *f); /* takes NULL */

enum follow_state follow_state(const struct follow *f);
const char *follow_state_name(enum follow_state s); /* "running" */
/* A run has it, or had it a moment ago. */
bool follow_goes_on(const struct follow *f);
const char *follow_file(const struct follow *f);
const struct scan_job *follow_job(const struct follow *f); /* NULL: not known yet */
/* What the job came to: where follow_goes_on is false. */
enum engine_exit follow_exit(const struct follow *f);
const char *follow_outcome(const struct follow *f); /* "done", "failed", "incomplete" */

AUTO_TYPE(follow, follow_close)

#endif
