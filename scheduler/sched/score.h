/* How good a placement is, term by term: docs/design/placement.md has the formulas. Each
 * term is 0 where nothing is lost against the empty machine and grows with what is lost
 * (by bounds that no placement can be below, and not each request can reach); the total
 * is their weighted sum. Ranks that are not bound lose nothing. Pure. */
#ifndef SCHED_SCORE_H
#define SCHED_SCORE_H

#include "base/str.h"
#include "comm.h"
#include "place.h"

enum score_term {
    SCORE_STRADDLE = 0, /* slots over more domains (L3, NUMA, package) than they need */
    SCORE_GPU,      /* GPUs away from their rank's cores, or from each other in a group */
    SCORE_MEMORY,   /* memory-bound: ranks crowded on few memory controllers */
    SCORE_COMM,     /* hop-bytes of the pattern, or of the groups' reduction trees */
    SCORE_SMT,      /* compute-bound: ranks on sibling threads of one core */
    SCORE_KIND,     /* cores of a slower class than were free */
    SCORE_FRAGMENT, /* domains that are left neither whole nor full */
    SCORE_N_TERMS
};

struct score {
    double term[SCORE_N_TERMS];
    double total;
};

/* occ: what was held before. comm: NULL where the job names no pattern. */
void score_placement(const struct restree *tree,
                     const struct occupancy *occ,
                     const struct place_request *req,
                     const struct comm_graph *comm,
                     const struct placement *p,
                     struct score *ret);
const char *score_term_name(enum score_term t); /* "straddle" */
const char *score_term_help(enum score_term t); /* one line */
double score_term_weight(enum score_term t);
/* "1.250 = memory 2 x 0.500 + fragment 0.25 x 1.000" */
void score_explain(const struct score *s, struct str *out);

#endif
