/* Which hosts take how many ranks: arithmetic on what each has room for.
 * docs/design/placement.md, "Hosts". */
#ifndef SCHED_DEAL_H
#define SCHED_DEAL_H

#include "room.h"

struct deal_share {
    unsigned host, n; /* n > 0 */
};

struct deal {
    struct deal_share *shares; /* by host, ascending */
    unsigned n;
    uint64_t ranks;
};

/* ranks 0: as many as fit. apart: evenly over hosts, `turn` ranks at a time (1, or what
 * belongs together), else on as few hosts as can be. False: they do not fit; then *ret is
 * not touched. */
bool deal_make(const struct room_job *j,
               uint64_t ranks,
               bool apart,
               unsigned turn,
               struct deal *ret);
/* The same for ranks that share cores, so that each has the same, as far as can be;
 * ranks 0: one, or one a node. */
bool deal_shared(const struct room_job *j, uint64_t ranks, struct deal *ret);
/* One way or the other. */
bool deal_fits(const struct room_job *j, uint64_t ranks);
void deal_clear(struct deal *d); /* what is inside; not d itself */

#endif
