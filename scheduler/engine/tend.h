/* One launch, from the start of its launcher to the end of it: reads what the ranks say,
 * stops them when that is asked for or due, and ends what does not end by itself. */
#ifndef ENGINE_TEND_H
#define ENGINE_TEND_H

#include "child.h"
#include "relay.h"

struct tend {
    struct relay *relay;
    const char *const
        *env;        /* beyond the line's, "NAME=value", NULL at the end; or NULL */
    double deadline; /* clock_monotonic: from then on the ranks drain; INFINITY: never */
    double grace;    /* s that they have for it */
    double start;    /* s that the ranks have to come up; INFINITY: no limit */
    bool several;    /* hosts: one that is lost can leave rank 0 silent for ever */
    bool parent;     /* all ranks are the launcher's children */
    void *ctx;
    void (*stopping)(void *ctx, const char *why);
    void (*ended)(void *ctx);  /* the ranks have said their last word; they finalize */
    bool (*bereft)(void *ctx); /* rank 0's loss is noted (asked about once a second) */
    /* What came of it: */
    const char *why; /* what stopped it, or NULL */
    bool silent;     /* rank 0 was not heard of any more */
    bool noted;      /* its loss was */
    bool deserted;   /* all ranks had gone, and the launcher stayed */
    bool stuck;      /* they did not come up */
};

/* Runs the line. *child: the launcher, gone; yours to close. < 0: it was not started. */
int tend_launch(struct tend *t,
                const struct launch_line *line,
                struct child *child,
                struct gm_error *err);
/* The ranks say that they have lost one of them that they cannot go on without. */
bool tend_lost(const struct relay *r);

#endif
