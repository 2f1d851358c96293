/* FOLDER/job.h5: the head of the results file, written by rank 0 before the first task:
 * /job, /hosts and the stages with their outputs' names, units and descriptions, exactly
 * as the final file has them. Reader and pack take it from there. */
#ifndef RESULT_JOB_H
#define RESULT_JOB_H

#include "result/record.h"
#include "spec/plan.h"

struct result_job {
    const struct plan *plan;
    const struct jobspec *spec;
    /* "openmpi" -> "4.1.4": pairs, ends with NULL */
    const char *const *versions;
    double start; /* unix s */
    /* Of the batch job that it runs in, if any; 0: not told. */
    double given_cpus, given_gpus, given_memory, given_time;
};

int job_write(const struct result_job *job, struct gm_error *err);

#endif
