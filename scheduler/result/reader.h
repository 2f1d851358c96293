/* Reads results: a packed file, or the shards of a job folder (also while it runs). The
 * same calls serve both. Not thread-safe: the one thread that calls HDF5. */
#ifndef RESULT_READER_H
#define RESULT_READER_H

#include "base/auto.h"
#include "result/record.h"
#include <stdbool.h>

struct reader;

struct reader_output {
    const char *name, *unit, *help, *shape, *weight;
    uint32_t dtype, ndim, flags, summary; /* enum gm_output_flags, gm_summary */
};

struct reader_stage {
    const char *name, *kernel;   /* kernel "" for a command */
    const char *args, *identity; /* canonical JSON: as written; with input digests */
    uint64_t n_tasks;
    const struct reader_output *outputs;
    unsigned n_outputs;
};

struct reader_task {
    uint32_t status, reason; /* enum result_status, result_reason of the last attempt */
    int32_t exit_code, signal;
    uint32_t attempts, rank, n_ranks;
    double start, end;
    uint64_t timed_with; /* tasks that share these times; 1: they are its own */
    uint64_t digest; /* of what it computed, in a packed file; 0: nothing, not known */
};

struct reader_value { /* data is yours to free */
    uint32_t dtype, ndim;
    uint64_t dims[GM_MAX_DIMS];
    void *data; /* followed by a 0 byte, so that text can be read as such */
    uint64_t nbytes;
};

/* path: the results file; where it is not there, its folder PATH.gm; or the folder
 * itself. */
int reader_open(const char *path, struct reader **ret, struct gm_error *err);
/* Sees what was committed since (shards; a packed file does not change). */
int reader_refresh(struct reader *r, struct gm_error *err);
void reader_close(struct reader *r); /* takes NULL */

bool reader_is_packed(const struct reader *r);
unsigned reader_n_stages(const struct reader *r);
const struct reader_stage *reader_stage(const struct reader *r, unsigned stage);
/* Text of /job: "name", "jobspec", "canonical", "plan", "id", "build". NULL: not there.
 */
const char *reader_job_text(const struct reader *r, const char *key);
/* The job's outcome, and when it ended. NULL: it had not, or was not packed at its end.
 */
const char *reader_outcome(const struct reader *r, double *ret_end);
/* Rows of /ranks. */
struct reader_rank {
    const char *host, *device, *planned, *seen; /* "" where nothing is known */
    uint64_t tasks; /* attempts that this rank led and committed */
    double busy_s;
    const char *inherited, *memory, *gpus, *mismatch;
    uint64_t pid;
    double lost;          /* unix s when it was lost last; 0: it never was */
    const char *lost_why; /* in a few words, or "" */
};
unsigned reader_n_ranks(const struct reader *r);
int reader_rank(const struct reader *r,
                unsigned rank,
                struct reader_rank *ret,
                struct gm_error *err);

/* See receipt.h; of a run that is not over, so far. Yours to free. NULL: an earlier
 * version's file. */
struct receipt;
int reader_receipt(const struct reader *r, struct receipt **ret, struct gm_error *err);

int reader_task(struct reader *r,
                unsigned stage,
                uint64_t task,
                struct reader_task *ret,
                struct gm_error *err);
/* kind and index as in result_record. Outputs and series are those of tasks that are
 * done; empty text and a series without rows are no values. -ENOENT: the task has no such
 * value. -EBADMSG: its bytes do not match their checksum. */
int reader_value(struct reader *r,
                 unsigned stage,
                 uint64_t task,
                 uint32_t kind,
                 uint32_t index,
                 struct reader_value *ret,
                 struct gm_error *err);
/* The same without the bytes: data is NULL. */
int reader_shape(struct reader *r,
                 unsigned stage,
                 uint64_t task,
                 uint32_t kind,
                 uint32_t index,
                 struct reader_value *ret,
                 struct gm_error *err);
/* See tasks_source.best. */
int reader_best(struct reader *r,
                unsigned stage,
                unsigned output,
                bool least,
                uint64_t *ret_task,
                struct gm_error *err);

/* Rows of a table in any HDF5 file, "F.h5:/DATASET": shape, dtype and the rows [first,
 * first + count). Integers narrower than int64 and float16/32/64 are converted to the
 * nearest gm_dtype. */
int reader_table_rows(const char *path, uint64_t *ret_rows, struct gm_error *err);
int reader_table(const char *path,
                 uint64_t first,
                 uint64_t count,
                 struct reader_value *ret,
                 struct gm_error *err);

AUTO_TYPE(reader, reader_close)

#endif
