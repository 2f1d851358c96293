/* The shards of a job folder as one: an index over every commit that can be trusted. A
 * commit is trusted when its row, and every record row it speaks of, match their
 * checksums and fit the file. The bytes of a value are checked when they are read.
 * Private to scheduler/result. */
#ifndef RESULT_SHARDS_H
#define RESULT_SHARDS_H

#include "commits.h"
#include "source.h"

struct shards;

/* head: of FOLDER/job.h5; borrowed. */
int shards_open(const char *folder,
                const struct head *head,
                struct shards **ret,
                struct gm_error *err);
/* Of one shard alone, by its path; NULL: all. */
int shards_open_one(const char *folder,
                    const char *path,
                    const struct head *head,
                    struct shards **ret,
                    struct gm_error *err);
int shards_refresh(struct shards *s, struct gm_error *err);
void shards_close(struct shards *s); /* takes NULL */

/* Each shard's path, and how many of its commit rows count: up to the last good one. */
unsigned shards_n_files(const struct shards *s);
const char *shards_file(const struct shards *s, unsigned i, uint64_t *ret_rows);
bool shards_fenced(const struct shards *s, unsigned i);
/* See commits_next. */
bool shards_next(struct shards *s,
                 unsigned stage,
                 uint64_t from,
                 struct commits_span *ret);
/* A checksum over all commits: alike where the same are seen. */
uint32_t shards_print(const struct shards *s);
/* -ENODATA: a task has no commit, or its last attempt was to be followed by another. */
int shards_whole(struct shards *s, struct gm_error *err);

int shards_task(struct shards *s,
                unsigned stage,
                uint64_t task,
                struct reader_task *ret,
                struct gm_error *err);
/* -ENOENT (err untouched): no such value. */
int shards_find(struct shards *s,
                unsigned stage,
                uint64_t task,
                uint32_t kind,
                uint32_t index,
                struct source_value *ret,
                struct gm_error *err);
/* The value's bytes [first, first + n); the checksum is the caller's to extend and
 * compare. */
int shards_part(struct shards *s,
                const struct source_value *v,
                uint64_t first,
                uint64_t n,
                void *out,
                struct gm_error *err);
/* All of the value, checked. */
int shards_read(struct shards *s,
                const struct source_value *v,
                void *out,
                struct gm_error *err);
int shards_damaged(const struct shards *s,
                   const struct source_value *v,
                   struct gm_error *err);

/* Every attempt of a stage, in the order of (task, attempt): how many, and the i-th, its
 * `count` being the tasks that share its times. */
uint64_t shards_n_attempts(struct shards *s, unsigned stage);
int shards_attempt(struct shards *s,
                   unsigned stage,
                   uint64_t i,
                   struct row_commit *ret,
                   struct gm_error *err);

/* What pack reads rows by, many tasks a call. The run [task, end) of tasks for each of
 * which the same commit of rows counts, as long as it can be: the pack then asks no more
 * of single tasks. */
struct shards_run {
    uint64_t task, end;
    const struct result_field *fields; /* of a row, one after the other, no padding */
    unsigned n_fields;
    uint64_t row_bytes;
    unsigned part;   /* the source's own: which shard, ... */
    uint64_t record; /* ... and where in it */
};

/* -ENOENT (err untouched): what counts for this task is a commit of its own, or none. */
int shards_run(struct shards *s,
               unsigned stage,
               uint64_t task,
               struct shards_run *ret,
               struct gm_error *err);
/* Rows of tasks [first, first + n) of the run, their checksum compared (-EBADMSG). */
int shards_run_rows(struct shards *s,
                    const struct shards_run *run,
                    uint64_t first,
                    uint64_t n,
                    void *out,
                    struct gm_error *err);

/* What was used, by all that was taken so far; borrowed. */
struct used;
const struct used *shards_used(const struct shards *s);
unsigned shards_n_ranks(const struct shards *s);
void shards_rank(const struct shards *s, unsigned rank, struct reader_rank *ret);

#endif
