/* A job's end: its closed shards become the one file, packed by a few ranks of each host
 * together, and the folder goes. */
#ifndef RUNNER_FINAL_H
#define RUNNER_FINAL_H

#include "session.h"

#define FINAL_PACKERS 4u  /* ranks of a host: more would wait for its memory and disk */
#define FINAL_MOST    64u /* of all hosts: each reads all commits */

struct final {
    const struct session_request *req;
    const struct session_end *end;
    /* Of final_join. MPI_COMM_NULL on rank 0: it packs alone, after a loss. */
    MPI_Comm packers;
    /* Asked while ranks wait for each other: was one lost? */
    bool (*lost)(void *ctx);
    void *ctx;
};

/* Collective over all ranks, while none can be lost: the ranks that will pack. *ret:
 * MPI_COMM_NULL where this rank has no part in it. */
int final_join(const struct plan *plan, int world, MPI_Comm *ret, struct gm_error *err);
/* By the packers, or rank 0 alone; nobody waits for one that is lost. It is rank 0's
 * answer that counts. *ret_damaged: tasks that have failed by a value that could not be
 * read. */
int final_pack(const struct final *f, uint64_t *ret_damaged, struct gm_error *err);

#endif
