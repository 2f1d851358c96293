/* Shards -> one results file: FILE.tmp, fsync, rename. The shards stay (the caller
 * removes the folder once the file is there). */
#ifndef RESULT_PACK_H
#define RESULT_PACK_H

#include "base/idset.h"
#include "result/record.h"
#include <stdbool.h>

struct pack_options {
    const char *folder;         /* the job's */
    const char *file;           /* to write */
    const struct idset *stages; /* only these stages' tasks; NULL: all */
    bool complete;              /* the job is over: /job gets its end and outcome */
    double end;                 /* unix s */
    const char *outcome;        /* "done", "failed", "incomplete" */
};

int pack_run(const struct pack_options *opt, struct gm_error *err);

#endif
