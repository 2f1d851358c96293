/* How a rank comes to its plan: reads the one that `gridmill run` wrote, or, under a
 * foreign launcher, makes it together with the others. All calls are collective. */
#ifndef RUNNER_PLANNING_H
#define RUNNER_PLANNING_H

#include "base/str.h"
#include "engine/folder.h"
#include "rank.h"
#include "spec/plan.h"

struct planning_request {
    const char *plan;     /* --plan FILE; or NULL and: */
    const char *resume;   /* --resume FILE: the results of the run to go on with; or */
    const char *file;     /* the jobspec */
    const char *document; /* of several in it: a number or a name; or NULL */
    const char *const *sets;
    unsigned n_sets;
    bool force;
    bool failed; /* --failed: with resume, tasks that have failed are run again */
};

struct planning {
    struct plan *plan;
    struct jobspec *spec;
    struct folder *folder; /* rank 0 under a foreign launcher: the lock is ours */
    struct idset *planned; /* this rank's cpus */
    struct str found;      /* what is not as planned here */
    struct str device;     /* what this rank computes with (class.h) */
};

/* On every rank, or on none: the sentence of the lowest failing rank. Faults of a jobspec
 * are printed by rank 0. */
int planning_make(const struct rank *r,
                  const struct planning_request *req,
                  struct planning *ret,
                  struct gm_error *err);
/* What each rank got is what was planned (verify.h), and every rank sees the job folder.
 */
int planning_settle(const struct rank *r, struct planning *p, struct gm_error *err);
void planning_free(struct planning *p);
/* The same where nothing was committed: the folder that was made here goes. */
void planning_drop(struct planning *p);

#endif
