/* Who was lost, in the job folder: the file `losses`, a line each,
 *   lost LAUNCH RANK DATE WHY          a rank: when (unix s), and why, in a few words
 *   crash LAUNCH RANK STAGE TASK       what it was running
 * so that /ranks can tell, and a task that kills rank after rank, and launch after
 * launch, comes to its crash-limit. Rank 0 writes them; of rank 0 itself a rank that is
 * left; and a rank that ends by a signal of its own, while it dies. So there may be
 * several lines of one rank and launch: the first `lost` counts, and each task once. */
#ifndef RESULT_LOSSES_H
#define RESULT_LOSSES_H

#include "base/auto.h"
#include "gridmill/error.h"
#include <stddef.h>
#include <stdint.h>

struct losses_rank {
    uint32_t launch, rank;
    double when;
    const char *why;
};

struct losses_crash {
    uint32_t launch, rank, stage;
    uint64_t task;
};

struct losses { /* in the order in which they were written */
    struct losses_rank *ranks;
    struct losses_crash *crashes;
    size_t n_ranks, n_crashes;
    char *text;
};

/* What cannot be written is not known later. */
void losses_add_rank(const char *folder, const struct losses_rank *r);
void losses_add_crash(const char *folder, const struct losses_crash *c);

/* A folder without any: 0 and none. */
int losses_read(const char *folder, struct losses *ret, struct gm_error *err);
/* Crashes of launches before this one count no more. */
void losses_forgive(struct losses *l, uint32_t launch);
void losses_clear(struct losses *l); /* what is inside */
/* The rank's last loss, or NULL. */
const struct losses_rank *losses_last(const struct losses *l, uint32_t rank);
/* What it was running in that launch, the first of it; or NULL. */
const struct losses_crash *
losses_crash_of(const struct losses *l, uint32_t launch, uint32_t rank);

#endif
