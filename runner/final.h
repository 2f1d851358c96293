/* A job's end: its closed shards become the one file, packed by a few ranks of each host
 * together, and the folder goes. */
#ifndef RUNNER_FINAL_H
#define RUNNER_FINAL_H

#include "session.h"

#define FINAL_PACKERS 4u /* ranks of a host: more would wait for its memory and disk */

struct final {
    const struct session_request *req;
    const struct session_end *end;
    bool alone; /* after a loss: rank 0 packs, and the others need not call */
    /* Asked while ranks wait for each other: was one lost? NULL: none can be. */
    bool (*lost)(void *ctx);
    void *ctx;
};

/* Collective over all ranks of the job unless it is alone; no world collective is called.
 * It is rank 0's answer that counts. *ret_damaged: tasks that have failed by a value that
 * could not be read. */
int final_pack(const struct final *f, uint64_t *ret_damaged, struct gm_error *err);

#endif
