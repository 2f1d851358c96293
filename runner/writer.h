/* The writer thread of a rank: the only one that ever calls HDF5. It appends what tasks
 * commit to the rank's shard, flushes, and only then reports the tasks to the farm; and
 * it reads for the compute thread what other tasks committed. A rank whose shard is
 * fenced (result/fence.h) commits no more: its writer fails with -EOWNERDEAD and, as any
 * failure, asks for the job's end. Who was given up by rank 0 is not heard there any
 * more, so this ends a launch only when another has taken over. */
#ifndef RUNNER_WRITER_H
#define RUNNER_WRITER_H

#include "base/idset.h"
#include "parcel.h"
#include "pulse.h"
#include "result/job.h"
#include "result/reader.h"
#include "result/shard.h"

struct checkpoint_head;
struct writer;
struct rows;

/* Makes this rank's shard (and on rank 0 the head of the results, when job is given).
 * Returns when both are there. */
int writer_start(const char *folder,
                 unsigned rank,
                 const struct result_job *job,
                 struct writer **ret,
                 struct gm_error *err);
/* The number of its shard (shard_launch). */
unsigned writer_launch(const struct writer *w);
/* Before the first commit: where commits are reported. */
void writer_attach(struct writer *w, struct pulse *pulse);

/* Hands the attempt over; blocks while more than 64 MiB wait. `final`: the task is over
 * (done or failed): reported to the farm once it is on file. -ECANCELED: the writer
 * failed before; the parcel is freed and the task reported as given back. */
int writer_commit(struct writer *w,
                  const struct result_commit *c,
                  struct parcel *p,
                  bool final);
/* The rank has nothing to do until something is on file: commits that are handed over are
 * written now, and do not wait for others to go with. */
void writer_hurry(struct writer *w);
/* Tasks at once, by rows (which chunk.c fills and keeps): what `table` points to is the
 * writer's until writer_emptied gives `rows` back; reported when it is on file. */
void writer_rows(struct writer *w, struct rows *rows, const struct result_rows *table);
/* Rows that were copied to the batch, or given back after a failure; waits for them while
 * the writer has any. NULL: it has none. */
struct rows *writer_emptied(struct writer *w);
/* What the farm decided of tasks: one row, or one a task that was tried (rank 0). */
void writer_verdict(struct writer *w, const struct farm_verdict *v);
/* Removes a checkpoint once all that was handed over before is on file. */
void writer_spent(struct writer *w,
                  const struct checkpoint_head *spent,
                  uint32_t n_files);
/* Rank 0: seals a lost rank's shard, of that number, reports what it had committed, notes
 * the loss (result/losses.h) and says so to the pulse (pulse_sealed). Does not wait. */
void writer_seal(struct writer *w, unsigned rank, unsigned launch, const char *why);
/* What this rank is and saw; the last call counts. */
void writer_rank(struct writer *w, const struct result_rank *about);

/* What this rank used; the last call counts. */
void writer_use(struct writer *w, const struct result_use *use);
/* s that who commits has waited until there was room: a slow disk's. */
double writer_blocked(struct writer *w);

/* The reads: on the writer thread, waited for. */
int writer_best(struct writer *w,
                unsigned stage,
                unsigned scalar,
                bool least,
                uint64_t *ret_task,
                struct gm_error *err);
int writer_value(struct writer *w,
                 unsigned stage,
                 uint64_t task,
                 unsigned output,
                 struct reader_value *ret,
                 struct gm_error *err);
int writer_table(struct writer *w,
                 const char *path,
                 struct reader_value *ret,
                 struct gm_error *err);
/* A results file of these stages' committed tasks. */
int writer_results(struct writer *w,
                   const struct idset *stages,
                   const char *file,
                   struct gm_error *err);

/* Flushes, closes the shard, ends the thread. The first error of the writer's life; frees
 * always. */
int writer_finish(struct writer *w, struct gm_error *err);

#endif
