/* What the files of a group's conversation share: comm.c waits, joins and settles,
 * comm_tree.c carries a kernel's data. */
#ifndef RUNNER_COMM_INSIDE_H
#define RUNNER_COMM_INSIDE_H

#include "base/memory.h"
#include "comm.h"

enum { LEVELS = 64 };

enum wait {
    WAIT_RECEIVE,
    WAIT_SEND,
    WAIT_LAST_RECEIVE, /* the end of a task: every living member comes */
    WAIT_LAST_SEND
};

struct comm {
    struct gm_comm face;
    MPI_Comm mpi;
    struct comm_hooks hooks;
    uint32_t *members;
    uint64_t attempt; /* epoch and number of the attempt: what abandons is said of */
    int data_tag;
    uint64_t n_data_tags;    /* as many as MPI has: what a failed attempt left unreceived
                                lies    there until its tag comes again */
    bool abandoned, aborted; /* by another rank; by this one */
    bool stopped;            /* the members have agreed to stop */
    double waited;           /* s in all, for others */
    double shield, heard;    /* s that a stop waits; when it came (monotonic s), or 0 */
    void *dropped;           /* where data goes that nobody wants any more */
    size_t dropped_bytes;
    void *work[LEVELS]; /* one buffer a level of the tree */
    size_t work_bytes[LEVELS];
    void *sends[2 * LEVELS]; /* values in flight to other ranks */
    size_t send_bytes[2 * LEVELS];
};

static inline void *comm_buffer(void **p, size_t *have, size_t want)
{
    if (*have < want) {
        *p = xrealloc(*p, want, 1);
        *have = want;
    }
    return *p;
}

/* 0, or -EOWNERDEAD and who of the group is lost. */
int comm_check_members(const struct comm *c, struct gm_error *err);
/* Ends when the request does, or when the attempt has come to nothing: the request is
 * over in each case. */
int comm_wait_for(struct comm *c,
                  MPI_Request *request,
                  uint32_t peer,
                  enum wait what,
                  struct gm_error *err);
int comm_receive(struct comm *c,
                 uint32_t from,
                 int tag,
                 void *buf,
                 size_t nbytes,
                 enum wait what,
                 struct gm_error *err);
int comm_send(struct comm *c,
              uint32_t to,
              int tag,
              const void *buf,
              size_t nbytes,
              enum wait what,
              struct gm_error *err);

/* comm_tree.c: the face's slots. */
int comm_sum(const struct gm_comm *face,
             uint32_t dtype,
             uint64_t total,
             uint64_t first,
             uint64_t count,
             size_t n,
             int (*leaf)(void *ctx, uint64_t i, void *out, struct gm_error *err),
             void *ctx,
             void *out,
             struct gm_error *err);
int comm_bcast(const struct gm_comm *face,
               uint32_t root,
               void *buf,
               size_t nbytes,
               struct gm_error *err);
int comm_exchange(const struct gm_comm *face,
                  uint32_t to,
                  const void *out,
                  size_t n_out,
                  uint32_t from,
                  void *in,
                  size_t n_in,
                  struct gm_error *err);

#endif
