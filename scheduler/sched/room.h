/* How many ranks of a request a host has room for. */
#ifndef SCHED_ROOM_H
#define SCHED_ROOM_H

#include "slot.h"

/* A request with its defaults filled in, on a machine as it is now. */
struct room_job {
    const struct restree *tree;
    const struct occupancy *occ;
    const struct place_request *req;
    struct slot_request slot;
    bool share; /* cores do not count: the ranks share them */
};

struct room_job room_job(const struct restree *tree,
                         const struct occupancy *occ,
                         const struct place_request *req);

/* Ranks that were asked for; 0: as many as fit. */
uint64_t room_ranks(const struct place_request *req);
/* May its ranks share cores where there are too few? Not with GPUs. */
bool room_may_share(const struct room_job *j);
/* 0: the host is none of the job's, or has no room for one. */
unsigned room_on(const struct room_job *j, unsigned host);
/* No host has room for more, whatever is held. */
unsigned room_most(const struct room_job *j);
/* The first host at or after `from` that may have room for n ranks, by its cores and
 * GPUs; n_hosts: there is none. */
unsigned room_find(const struct room_job *j, unsigned from, unsigned n);
/* The host with the least to spare of those with room for n; n_hosts: there is none.
 * taken: hosts that do not count, ascending. */
unsigned room_tightest(const struct room_job *j,
                       unsigned n,
                       const unsigned *taken,
                       unsigned n_taken);
/* NUMA nodes with cores; 1 where the machine tells none. */
unsigned room_numas(const struct topo_shape *s);

#endif
