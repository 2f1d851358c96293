/* What a shard holds, in memory: commits (one an attempt at a task) and records (one a
 * value: an output, a series, a log, the parameters). docs/design/results.md is the
 * file's side. */
#ifndef RESULT_RECORD_H
#define RESULT_RECORD_H

#include "gridmill/error.h"
#include "gridmill/types.h"
#include <stdint.h>

enum result_status {
    RESULT_NONE = 0, /* never run (or not committed) */
    RESULT_DONE = 1,
    RESULT_FAILED = 2,
    RESULT_SKIPPED = 3, /* a task it needs failed */
    RESULT_RETRIED = 4  /* an attempt that failed and is tried again */
};

enum result_reason { /* why an attempt ended */
                     RESULT_OK = 0,
                     RESULT_ERROR =
                         1, /* a kernel said so: the sentence is its error record */
                     RESULT_EXIT = 2, /* a command's exit status is not 0 */
                     RESULT_SIGNAL = 3,
                     RESULT_TIMEOUT = 4,
                     RESULT_NEEDS = 5,  /* skipped */
                     RESULT_LOST = 6,   /* its rank died, or was given up for lost */
                     RESULT_CRASH = 7,  /* `crash-limit` ranks died while they ran it */
                     RESULT_DAMAGED = 8 /* a value does not match its checksum: pack */
};

enum result_kind {
    RESULT_OUTPUT = 1, /* index: output */
    RESULT_SERIES = 2, /* index: output; all rows of the task in one record */
    RESULT_STDOUT = 3,
    RESULT_STDERR = 4,
    RESULT_PARAMS = 5,  /* canonical JSON of what varies */
    RESULT_MESSAGE = 6, /* the sentence of a failure */
    RESULT_RANK = 7     /* what shard_rank writes; not for shard_add */
};

struct result_record {
    uint32_t stage, kind, index;
    uint64_t task;
    uint32_t dtype, ndim;
    uint64_t dims[GM_MAX_DIMS];
    const void *data;
    uint64_t nbytes;
};

enum { RESULT_RANK_TEXTS = 8, RESULT_RANK_TEXTS_OLD = 5 /* up to seen */ };

struct result_rank {                        /* what a rank knows of itself */
    const char *host, *device;              /* "gn0", "cpu" */
    const char *planned, *inherited, *seen; /* PUs as idsets: by the plan, at the start,
                                               by the kernel while the first task ran */
    const char *memory; /* NUMA nodes that its memory could come from, an idset */
    const char *gpus;   /* that its environment showed it, "all" where it said nothing */
    const char *mismatch; /* what is not as planned, "" */
    uint64_t pid;
};

struct result_commit {
    uint32_t stage, attempt; /* attempts count from 1 */
    uint64_t task,
        count; /* tasks [task, task + count): count > 1 only for skipped runs */
    uint32_t status, reason;
    int32_t exit_code, signal;
    uint32_t rank, n_ranks; /* world rank of the group's first; size of the group */
    double start, end;      /* unix s */
    double user_s, system_s;
    /* Bytes. max_rss: of a command's largest process; 0: not known. Read from and written
     * to storage by a command. */
    uint64_t max_rss, read_bytes, written_bytes;
    uint64_t continued; /* steps of earlier attempts that it went on from; 0: none */
};

/* A value that each task of a run has, of one shape. */
struct result_field {
    uint32_t index; /* output */
    uint32_t dtype, ndim;
    uint64_t dims[GM_MAX_DIMS];
    uint64_t nbytes;
};

/* A run of tasks that are all done, each at its first attempt, each with the same fields.
 * Their varying parameters are not written (head.h knows them by arithmetic), or they
 * have none. */
struct result_rows {
    uint32_t stage, rank;
    uint64_t first, count; /* tasks [first, first + count) */
    const struct result_field *fields;
    unsigned n_fields;
    const void *rows; /* count of them, fields one after the other, no padding */
    uint64_t row_bytes;
    double start, end; /* unix s, of all of them together */
    const double
        *times; /* [count][2] start and end of each, or NULL: not measured apart */
};

#endif
