/* The processes that pack together: each calls the same functions in the same order, and
 * speaks with the others through two collectives alone. Private to scheduler/result but
 * for pack_mpi.h, which makes one of an MPI communicator. */
#ifndef RESULT_TEAM_H
#define RESULT_TEAM_H

#include "gridmill/error.h"
#include <stddef.h>

struct team {
    unsigned rank, n;
    void *ctx;
    /* NULL where n is 1. 0, or -EOWNERDEAD: a member is lost, and the pack with it. */
    int (*share)(void *ctx, void *buf, size_t n);                    /* rank 0's to all */
    int (*gather)(void *ctx, const void *mine, size_t n, void *ret); /* n bytes of each */
};

extern const struct team team_alone;

int team_share(const struct team *t, void *buf, size_t n, struct gm_error *err);
int team_gather(
    const struct team *t, const void *mine, size_t n, void *ret, struct gm_error *err);
/* Each gives its code (and sentence); all get those of the lowest member that failed. */
int team_agree(const struct team *t, int rc, struct gm_error *err);

#endif
