/* /job/request: what the job was given, as the receipt compares it with what it used.
 * Private to scheduler/result. */
#ifndef RESULT_REQUEST_H
#define RESULT_REQUEST_H

#include "base/arena.h"
#include "h5.h"
#include "job.h"

struct request {
    bool there;                    /* a file of an earlier version has none */
    double cpus, gpus;             /* of the rank that has least */
    double held;                   /* PUs of all ranks */
    double given_cpus, given_gpus; /* to the batch job; 0: not told */
    double memory, time;           /* byte a rank, s; 0: none was asked for */
    double seated;                 /* 1: a rank a task */
    const double *group;           /* [n_stages] ranks a task; 0: all */
    const double *slots;           /* tasks that a rank runs at once */
    const double *gpu_told;        /* 1: its kernel says when it uses GPUs, or cannot */
};

int request_put(hid_t job, const struct result_job *j, struct gm_error *err);
int request_load(hid_t job,
                 struct arena *a,
                 unsigned n_stages,
                 struct request *ret,
                 struct gm_error *err);

#endif
