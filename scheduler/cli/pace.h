/* How fast a job goes that is watched: tasks a second since the last look (of its launch
 * so far, where none was over since), and the time that is left. */
#ifndef CLI_PACE_H
#define CLI_PACE_H

#include "result/scan.h"

struct pace {  /* all zero: nothing seen yet */
    double at; /* clock_monotonic of the last look; 0: none */
    uint64_t *over;
    double *rates; /* a stage each, then of all */
    unsigned n;
};

/* now: unix s, monotonic s. job NULL: nothing is known. */
void pace_look(struct pace *p, const struct scan_job *job, double unix_s, double mono_s);
void pace_free(struct pace *p); /* what is inside */

/* stage: job->n_stages for all of it. */
double pace_rate(const struct pace *p, unsigned stage);
/* By each stage's own mean, and by how many ranks' work was done at a time so far. < 0:
 * not known. *ret_at_least: a stage of which no task is over comes on top. */
double
pace_left(const struct scan_job *job, unsigned stage, double unix_s, bool *ret_at_least);
uint64_t pace_over(const struct scan_stage *s);

#endif
