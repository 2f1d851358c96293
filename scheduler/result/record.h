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
    RESULT_RANK = 7,    /* what shard_rank writes; not for shard_add */
    /* 8 to 11 are run.h's */
    RESULT_USE = 12 /* what shard_use writes; not for shard_add */
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

/* What kernels counted of their work: a task's, or that of several added up. */
struct result_work {
    double flops, flops64; /* in float32 or narrower; in float64 */
    double bytes;          /* that had to pass between memory and cores */
    double gpu_s;          /* s in which GPUs computed; 0: the flops are the cores' */
};

static inline void result_work_add(struct result_work *to, const struct result_work *w)
{
    to->flops += w->flops;
    to->flops64 += w->flops64;
    to->bytes += w->bytes;
    to->gpu_s += w->gpu_s;
}

/* What a rank knows of one launch: numbers, so that a later version can have more. */
enum result_use_number {
    USE_LAUNCH,      /* the plan's: 0 is the job's first */
    USE_START,       /* unix s: of the process */
    USE_BEGAN,       /* when it first asked for a task */
    USE_ENDED,       /* when there was none any more; 0: the rank is not there yet */
    USE_WAIT,        /* s in between, waiting for a task, */
    USE_COMM,        /* in a task, for other ranks of its group, */
    USE_WRITE,       /* for the writer */
    USE_CPU,         /* s of processors: its own and its commands' */
    USE_RSS,         /* byte: the most that it had itself, */
    USE_COMMAND_RSS, /* and that the largest process of a command had */
    USE_CPUS,        /* PUs that it could use */
    USE_GPUS,
    /* What its host can do on the PUs of the job's ranks; on one of these ranks alone, 0:
     * not known, or another rank has it. */
    USE_PEAK_CPUS,
    USE_PEAK_F32_ONE, /* flop/s of one PU, */
    USE_PEAK_F32,     /* of all at once */
    USE_PEAK_F64_ONE,
    USE_PEAK_F64,
    USE_PEAK_READ_ONE, /* byte/s */
    USE_PEAK_READ,
    USE_NUMBERS
};

struct result_use {
    double v[USE_NUMBERS];
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
    uint64_t continued;      /* steps of earlier attempts that it went on from; 0: none */
    struct result_work work; /* of an attempt that ended well */
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
    struct result_work work; /* of all of them together */
};

#endif
