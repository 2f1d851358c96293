/* A shard: what one rank committed, in HDF5's SWMR mode. Datasets are made before SWMR
 * starts; a batch is heap and records, flush, then its commit rows, flush. So a reader
 * sees a commit only when all it speaks of is there. Unfiltered, a CRC-32C in every
 * record. The file gets its final name once SWMR is on. One thread calls all of it. */
#ifndef RESULT_SHARD_H
#define RESULT_SHARD_H

#include "base/auto.h"
#include "result/record.h"
#include <stdbool.h>

struct shard;

/* FOLDER/shards/000/rank-000000.h5 (a subfolder for each 256 ranks); where an earlier
 * launch left that name taken, rank-000000.1.h5 and so on: nothing is ever overwritten,
 * also when another launch makes its own at the same moment. */
int shard_create(const char *folder,
                 unsigned rank,
                 struct shard **ret,
                 struct gm_error *err);
unsigned shard_launch(const struct shard *s); /* that number in its name */
/* Adds to the batch; written to the file by the next flush (or sooner, in part). The
 * records added since the last commit are the next commit's. After a failure (a full
 * disk) all calls return that failure; what was flushed before stays readable. */
int shard_add(struct shard *s, const struct result_record *r, struct gm_error *err);
/* The same of a value that stands in a file, its first nbytes (r->data is not looked at):
 * read in pieces, so that its length is none of ours. */
int shard_add_file(struct shard *s,
                   const struct result_record *r,
                   int fd,
                   struct gm_error *err);
int shard_commit(struct shard *s, const struct result_commit *c, struct gm_error *err);
/* A run of tasks at once: their commits, and their values as rows of one table. Part of
 * the batch. */
int shard_rows(struct shard *s, const struct result_rows *r, struct gm_error *err);
/* Says who this rank is; may be called again, the last one counts. Part of the batch. */
int shard_rank(struct shard *s, const struct result_rank *rank, struct gm_error *err);
/* The same of another rank, whose shard is no more. */
int shard_rank_of(struct shard *s,
                  unsigned number,
                  const struct result_rank *rank,
                  struct gm_error *err);
/* What a rank used in this shard's launch; the last call counts. Part of the batch. */
int shard_use(struct shard *s,
              unsigned rank,
              const struct result_use *use,
              struct gm_error *err);
/* After it returns 0 the batch's commits are seen by readers. */
int shard_flush(struct shard *s, struct gm_error *err);
/* Somebody fenced this shard (fence.h), or moved or removed the job's folder: what is
 * written from now on counts for nothing. */
bool shard_fenced(const struct shard *s);
uint64_t shard_pending(const struct shard *s); /* bytes added and not flushed */
int shard_close(struct shard *s,
                struct gm_error *err); /* flushes; takes NULL; frees always */

#endif
