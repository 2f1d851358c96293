/* The end of a job on its ranks, by messages from one to one: a collective would wait for
 * a rank that is lost. Each rank closes its shard and says so to rank 0 (parting_meet),
 * which waits for all that live, and tells them how it goes on (parting_tell). */
#ifndef RUNNER_PARTING_H
#define RUNNER_PARTING_H

#include "rank.h"
#include "watch.h"

#define PARTING_NOTES 8u

/* What rank 0 heard; elsewhere empty. */
struct parting {
    unsigned n_here; /* ranks that have come, with this one */
    bool *came;      /* [n_ranks] */
    unsigned n_notes;
    char notes[PARTING_NOTES][512]; /* the first of them: "rank N (HOST): ..." */
};

/* Gives this rank's code and sentence, and a note ("": none). On rank 0: the failure of
 * the lowest failing rank, "rank N (HOST)" before its sentence, or 0. Elsewhere: code. */
int parting_meet(const struct rank *r,
                 const struct watch *w,
                 int code,
                 const char *note,
                 struct parting *ret,
                 struct gm_error *err);

/* After that, any number of times: rank 0's word to all that came; -EOWNERDEAD: rank 0
 * was lost. */
void parting_tell(const struct rank *r,
                  const struct watch *w,
                  const struct parting *p,
                  int32_t *word);
/* Rank 0: every rank has come and none was ever lost, also not after it had come: what
 * all call together will not wait for one. */
bool parting_whole(const struct rank *r, const struct watch *w, const struct parting *p);
void parting_clear(struct parting *p); /* what is inside */

#endif
