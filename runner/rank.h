/* This process as one of the ranks: MPI and PMIx, who launched it, what it was bound to.
 */
#ifndef RUNNER_RANK_H
#define RUNNER_RANK_H

#include "base/idset.h"
#include "launch/alloc.h"
#include "visible.h"
#include <mpi.h>

struct rank {
    int world, n_ranks;
    char host[256];
    struct alloc alloc;
    struct idset *inherited; /* the affinity at the start, before MPI could change it */
    struct idset *mems; /* NUMA nodes that its memory can come from; NULL: not told */
    bool mems_strict;   /* by a policy, not by its cpuset alone */
    struct visible gpus;
    MPI_Comm farm, groups; /* the two conversations after the start */
    double start, inited;  /* unix s: of the process, and when MPI_Init was through */
    struct {               /* what PMIx knows; -1 or "" where it does not answer */
        int64_t job_size, local_size, n_nodes;
        char cpuset[256], locality[256], hostname[256];
    } pmix;
};

/* Before MPI_Init: reads the affinity and the launcher's words. */
int rank_prepare(struct rank *ret, struct gm_error *err);
/* MPI_Init_thread, the mis-launch guard, PMIx. On failure MPI may be initialised or not:
 * rank_close knows. */
int rank_open(struct rank *r, int *argc, char ***argv, struct gm_error *err);
void rank_close(struct rank *r);

/* Collective, before the first task and after the last: every rank gives its code and
 * sentence; all get the failure of the lowest failing rank, its sentence preceded by
 * "rank N (HOST)" when `name_rank`. 0: all are fine. */
int rank_agree(const struct rank *r, int code, bool name_rank, struct gm_error *err);
/* Collective: how many ranks say `mine`, and how many of those are lower than this one.
 */
int rank_count(const struct rank *r,
               bool mine,
               unsigned *ret_before,
               unsigned *ret_all,
               struct gm_error *err);
/* Collective: n bytes from rank `from` to all. */
int rank_share(int from, void *buf, size_t n, struct gm_error *err);
/* Collective: n bytes of each rank to rank 0, whose `all` holds them in rank order. */
int rank_collect(const void *mine, size_t n, void *all, struct gm_error *err);
/* Collective: a text from rank 0 to all; *text is yours on every rank (rank 0's stays).
 */
int rank_share_text(const struct rank *r, char **text, size_t *len, struct gm_error *err);

#endif
