/* Inside of score.c and refine.c: from sums to the terms of the score. */
#ifndef SCHED_TERMS_H
#define SCHED_TERMS_H

#include "score.h"
#include "tally.h"

/* What the sums are measured by: the request, and the machine as it is when it is empty.
 */
struct terms {
    const struct place_request *req;
    unsigned n_ranks;
    double apart[TALLY_N_KINDS]; /* how much being apart counts, a kind of domain */
    double crowd[TALLY_N_KINDS]; /* the least that n ranks can sum up to */
    double slow;                 /* the least sum of the ranks */
    double siblings;             /* the least share of the PUs */
};

/* comm is in units of the way between packages (comm_tree.h); a link's part in gpu. */
#define TERMS_PACKAGES 5.0
#define TERMS_LINKS    0.5

extern const double terms_weights[SCORE_N_TERMS];

struct terms terms_make(const struct restree *tree,
                        const struct place_request *req,
                        const struct placement *p);
/* All but fragments and communication, which it leaves as they are, and the total. */
void terms_fill(const struct terms *t, const struct tally_sums *sums, struct score *ret);
/* The graph of the job's groups; NULL where none speak to each other. Yours to free. */
struct comm_graph *terms_groups(const struct place_request *req, unsigned n_ranks);
/* Of two ranks that speak to each other: how far their GPUs are, if they have any. */
double terms_gpus_apart(const struct restree *tree,
                        const struct place_seat *a,
                        const struct place_seat *b);

#endif
