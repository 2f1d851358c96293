/* The efficiency receipt: what a job used of what it had, and the smaller request that
 * would have sufficed. docs/design/receipt.md has the rules; /receipt of the results has
 * the numbers. A number that is not known is NaN. */
#ifndef RESULT_RECEIPT_H
#define RESULT_RECEIPT_H

#include "base/auto.h"
#include "gridmill/error.h"
#include <stdbool.h>
#include <stddef.h>

#define RECEIPT_SCHEMA "gridmill.receipt/1"

struct receipt_column {
    const char *name, *unit, *help;
};

/* Of a rank, over all launches. */
enum receipt_rank_number {
    RECEIPT_RANK_LAUNCHES,
    RECEIPT_RANK_WALL, /* busy + wait + comm + write, where they are known */
    RECEIPT_RANK_BUSY,
    RECEIPT_RANK_WAIT,
    RECEIPT_RANK_COMM,
    RECEIPT_RANK_WRITE,
    RECEIPT_RANK_CPU,
    RECEIPT_RANK_CPUS,
    RECEIPT_RANK_GPUS,
    RECEIPT_RANK_RSS,
    RECEIPT_RANK_COMMAND_RSS,
    RECEIPT_RANK_TASKS,
    RECEIPT_RANK_FLOPS,
    RECEIPT_RANK_FLOPS64,
    RECEIPT_RANK_BYTES,
    RECEIPT_RANK_GPU_S,
    RECEIPT_RANK_NUMBERS
};

enum receipt_stage_number {
    RECEIPT_STAGE_TASKS,
    RECEIPT_STAGE_COUNTED,
    RECEIPT_STAGE_START, /* unix s; 0: none of its tasks ran */
    RECEIPT_STAGE_END,
    RECEIPT_STAGE_TASK_S, /* tasks' times added up; the same times their ranks */
    RECEIPT_STAGE_RANK_S,
    RECEIPT_STAGE_LONGEST,
    RECEIPT_STAGE_GROUP,
    RECEIPT_STAGE_SLOTS,
    RECEIPT_STAGE_GPU_TOLD, /* 1: it is known whether its tasks used GPUs */
    RECEIPT_STAGE_FLOPS,
    RECEIPT_STAGE_FLOPS64,
    RECEIPT_STAGE_BYTES,
    RECEIPT_STAGE_GPU_FLOPS,
    RECEIPT_STAGE_GPU_S,
    RECEIPT_STAGE_OF_PEAK, /* derived, from here on */
    RECEIPT_STAGE_OF_READ,
    RECEIPT_STAGE_NUMBERS
};

enum receipt_host_number {
    RECEIPT_HOST_CPUS,
    RECEIPT_HOST_F32_ONE,
    RECEIPT_HOST_F32,
    RECEIPT_HOST_F64_ONE,
    RECEIPT_HOST_F64,
    RECEIPT_HOST_READ_ONE,
    RECEIPT_HOST_READ,
    RECEIPT_HOST_NUMBERS
};

/* Of the job. */
enum receipt_number {
    RECEIPT_LAUNCHES,
    RECEIPT_OVER, /* 1: every task has ended */
    RECEIPT_WALL, /* s of the launches, each from its first rank's begin to the end */
    RECEIPT_LONGEST_LAUNCH, /* s, from the start of its processes */
    /* What was asked for, or given where nothing was asked. */
    RECEIPT_ASKED_RANKS,
    RECEIPT_ASKED_CPUS, /* of a rank */
    RECEIPT_ASKED_GPUS,
    RECEIPT_ASKED_MEMORY, /* byte, of a rank; 0: nothing */
    RECEIPT_ASKED_TIME,   /* s; 0: nothing */
    RECEIPT_HELD_CPUS,    /* PUs of all ranks, ... */
    RECEIPT_GIVEN_CPUS,   /* and of the batch job; 0: not told */
    RECEIPT_GIVEN_GPUS,
    RECEIPT_SEATED, /* 1: a rank a task, by the job's form */
    RECEIPT_FLOPS,  /* derived, from here on */
    RECEIPT_FLOPS64,
    RECEIPT_BYTES,
    RECEIPT_GPU_FLOPS,
    RECEIPT_GPU_S,
    RECEIPT_PEAK_F32,
    RECEIPT_PEAK_F64,
    RECEIPT_PEAK_READ,
    RECEIPT_OF_PEAK,
    RECEIPT_OF_READ,
    RECEIPT_RANKS_BUSY, /* shares of 1 */
    RECEIPT_CPUS_BUSY,
    RECEIPT_GPUS_BUSY,
    RECEIPT_RANKS_USED, /* that led or shared a task */
    RECEIPT_CPUS_USED,  /* of a rank, while it was busy: the mean */
    RECEIPT_GPUS_USED,
    RECEIPT_RSS, /* byte, of the rank that had most */
    /* The request that would have sufficed; NaN: the same, or it cannot be said. */
    RECEIPT_FIT_RANKS,
    RECEIPT_FIT_CPUS,
    RECEIPT_FIT_GPUS,
    RECEIPT_FIT_MEMORY,
    RECEIPT_FIT_TIME,
    RECEIPT_NUMBERS
};

extern const struct receipt_column receipt_rank_columns[RECEIPT_RANK_NUMBERS];
extern const struct receipt_column receipt_stage_columns[RECEIPT_STAGE_NUMBERS];
extern const struct receipt_column receipt_host_columns[RECEIPT_HOST_NUMBERS];
extern const struct receipt_column receipt_columns[RECEIPT_NUMBERS];

struct receipt_rank {
    double v[RECEIPT_RANK_NUMBERS];
};

struct receipt_stage {
    double v[RECEIPT_STAGE_NUMBERS];
};

struct receipt_host {
    char *name;
    double v[RECEIPT_HOST_NUMBERS];
};

struct receipt {
    double v[RECEIPT_NUMBERS];
    struct receipt_rank *ranks;
    struct receipt_stage *stages; /* in the jobspec's order */
    struct receipt_host *hosts;   /* whose peaks are known */
    unsigned n_ranks, n_stages, n_hosts;
    char *jobspec; /* what fits, in the words of a jobspec and of sbatch; "": the same */
    char *sbatch;
    char *advice; /* a sentence */
};

struct receipt *receipt_make(unsigned n_ranks, unsigned n_stages, unsigned n_hosts);
void receipt_free(struct receipt *r); /* takes NULL */
/* From what was measured to what is derived: fractions, and what would have sufficed. */
void receipt_judge(struct receipt *r);
/* So many ranks would have taken no more than a twentieth longer, by the rule. */
unsigned receipt_least_ranks(const struct receipt *r);
/* The next limit that people write: 6 min is 10 min. */
double receipt_round_time(double s);

AUTO_TYPE(receipt, receipt_free)

#endif
