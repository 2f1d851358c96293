/* An unfinished run, found again: its job as it was stored, for the next launch. */
#ifndef ENGINE_RESUME_H
#define ENGINE_RESUME_H

#include "engine.h"

struct resume_request {
    const char *results; /* FILE, or FILE.gm */
    const char *const *sets;
    unsigned n_sets; /* on top of the run's own */
    bool failed;     /* tasks that have failed are run again */
};

struct resume {
    struct plan *plan;    /* of the launch before */
    struct jobspec *spec; /* of the next one */
    char *folder;         /* where the shards are; the next plan may have another name */
    bool again;           /* as in struct plan */
};

/* What FILE.gm holds, with the changes applied. -ENOENT: nothing is there. -EALREADY:
 * FILE is whole, and nothing of it is to be run (failed: a
 * whole FILE with failed tasks is unpacked into FILE.gm). -EINVAL: a change that is not
 * allowed (the sentence names the key), an input that is not what it was, faults of a
 * --set (all of them in *faults, which is yours to free in any case). */
int resume_load(const struct resume_request *req,
                struct resume *ret,
                struct jobspec_faults *faults,
                struct gm_error *err);
/* The unfinished run that a job finds where its results are to be. -ENOENT: there is
 * none; -EINVAL: of another job, the sentence says in what. */
int resume_find(const struct jobspec *spec, struct resume *ret, struct gm_error *err);
/* A seated job must stand on as many slots again. */
int resume_check_plan(const struct plan *before,
                      const struct plan *now,
                      struct gm_error *err);
/* Makes the plan one of a later launch. */
void resume_number(const struct plan *before, bool again, struct plan *now);
void resume_clear(struct resume *r); /* what is inside */

#endif
