/* Launchers that only ask something: several at a time, each with a time limit, none of
 * them outliving the call. */
#ifndef ENGINE_ASKING_H
#define ENGINE_ASKING_H

#include "base/str.h"
#include "child.h"

struct asking {
    struct launch_line *line; /* owned */
    struct child child;
    struct str out, err; /* what it said */
    bool started, late;  /* late: it did not end in time, and was ended */
};

/* Starts all and waits until all have ended, `limit` seconds are over or the user asks to
 * stop (-ECANCELED). One that cannot be started says so in its `err`. */
int asking_run(struct asking *all, unsigned n, double limit, struct gm_error *err);
void asking_free(struct asking *a); /* what is inside */

#endif
