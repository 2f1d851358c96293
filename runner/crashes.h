/* What lost ranks were running when they were lost, as the boards of their hosts say. */
#ifndef RUNNER_CRASHES_H
#define RUNNER_CRASHES_H

#include "board.h"
#include "farm.h"

struct crash {
    uint32_t rank, stage;
    uint64_t task;
};

struct crashes {
    struct crash *list;
    size_t n;
};

/* What that seat, of this rank, runs: a command for each of its cores, perhaps. */
void crashes_look(struct crashes *c, const struct board *b, unsigned seat, uint32_t rank);
void crashes_add(struct crashes *c, const struct crash *crash); /* once */
/* Tells the farm of that rank's, and forgets them. False: there are none. */
bool crashes_tell(struct crashes *c, uint32_t rank, struct farm *farm);
void crashes_clear(struct crashes *c); /* what is inside */

#endif
