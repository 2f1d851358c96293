/* The jobs of one file and what they wait for: who runs next. Needs (RFC 26) name jobs of
 * the same file; they run one after another. */
#ifndef CLI_ORDER_H
#define CLI_ORDER_H

#include "spec/jobspec.h"
#include <limits.h>

enum order_end {
    ORDER_WAITS = 0,
    ORDER_DONE,
    ORDER_FAILED, /* it ran, and did not end well */
    ORDER_NOT_RUN
};

struct order_job {
    const struct jobspec *spec;
    enum order_end end;
    const char *why;    /* NOT_RUN: the reason */
    const unsigned *of; /* a need each: the job that it names; ORDER_NONE: no job */
    double begin;       /* unix s: not before; 0: at once */
};

#define ORDER_NONE UINT_MAX

struct order {
    struct arena *arena;
    struct order_job *jobs;
    unsigned n;
};

/* -EINVAL: a need names no job of the file, is of a kind that cannot be waited for here,
 * or jobs wait for each other: all told. */
int order_make(const struct jobspec_jobs *jobs,
               struct jobspec_faults *faults,
               struct order **ret);
void order_free(struct order *o); /* takes NULL */
/* Jobs that wait for each other alone: a name that the file lacks may be another's. */
void order_tell_cycles(const struct jobspec_jobs *jobs, struct jobspec_faults *faults);
/* The next job, and when it may begin (unix s, in the past: now). ORDER_NONE: all are
 * over. A job whose needs can never be met becomes NOT_RUN on the way. */
unsigned order_next(struct order *o, double now, double *ret_begin);

AUTO_TYPE(order, order_free)

#endif
