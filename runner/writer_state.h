/* The inside of a writer: what writer.c and writer_read.c share. A queue of jobs under
 * one lock; the thread takes all that is there. */
#ifndef RUNNER_WRITER_STATE_H
#define RUNNER_WRITER_STATE_H

#include "result/checkpoint.h"
#include "writer.h"
#include <pthread.h>

enum job_kind {
    JOB_COMMIT,
    JOB_ROWS,
    JOB_VERDICT,
    JOB_RANK,
    JOB_USE,
    JOB_READ,
    JOB_SEAL,
    JOB_SPENT
};

struct read_job {
    int (*call)(struct writer *w, void *arg, struct gm_error *err);
    void *arg;
    struct gm_error *err;
    int rc;
    bool over;
};

struct job {
    struct job *next;
    enum job_kind kind;
    struct result_commit commit; /* of rows: what there is to report of them */
    struct parcel *parcel;
    struct rows *rows; /* lent */
    struct result_rows table;
    struct result_rank about; /* its texts are owned */
    struct result_use use;
    struct read_job *read;
    unsigned launch; /* of the shard to be sealed */
    struct checkpoint_head spent;
    uint32_t n_files; /* of it, its first rank's apart */
    char why[64];
    bool crashed; /* VERDICT: its rank died with it */
    bool final;
};

struct writer {
    const char *folder;
    unsigned rank;
    unsigned launch; /* rank 0: the plan's */
    const struct result_job *head;
    struct pulse *pulse;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t to_writer, from_writer;
    struct job *first, **last; /* under the lock, as all below */
    uint64_t waiting;          /* bytes queued */
    struct rows **emptied;     /* to be fetched */
    unsigned n_emptied, n_lent;
    bool ready, finish;
    double blocked;          /* s that the compute thread has waited for us */
    bool at_once, lingers;   /* somebody waits for what is queued; the thread, for more */
    struct gm_error failure; /* code 0: none */

    struct shard *shard; /* the thread's own, as all below */
    double ended, took;  /* the last batch: when (monotonic s), and for how long */
    struct reader *reader;
};

/* Under the lock. bytes: what the job keeps of memory. */
void writer_enqueue(struct writer *w, struct job *j, uint64_t bytes);
/* The first failure of all: stops the job. */
void writer_fail(struct writer *w, const struct gm_error *err);
/* A job of kind JOB_READ, JOB_SEAL or JOB_SPENT, on the writer's thread. */
void writer_call(struct writer *w, struct job *j);

#endif
