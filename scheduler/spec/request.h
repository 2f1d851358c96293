/* A job in a few words - a shape and a command - as a document of the canonical form:
 * `gridmill run --shape slot=4/core=2 -- CMD`, and scripts with --shape. */
#ifndef SPEC_REQUEST_H
#define SPEC_REQUEST_H

#include "base/arena.h"
#include "gridmill/error.h"

struct request {
    const char *shape;          /* RFC 46 */
    const char *const *command; /* NULL at the end */
    const char *name;           /* or NULL */
    const char *cwd;            /* absolute */
    double time;                /* s; 0: no limit */
};

/* "/usr/bin/hostname" -> "hostname" */
const char *request_program(const char *command);
/* The name of a job that was given none: its program's, as far as a name can hold it. */
const char *request_name(struct arena *a, const char *command);
/* JSON, in `a`: version 1 where RFC 25 allows it, else 999. -EINVAL: the shape is wrong,
 * at which character. */
int request_format(const struct request *r,
                   struct arena *a,
                   const char **ret,
                   struct gm_error *err);

#endif
