/* A short command's output, with a limit on its time. */
#ifndef CLI_CAPTURE_H
#define CLI_CAPTURE_H

#include "base/proc.h"
#include "base/str.h"

/* Runs argv (env NULL: ours) and keeps stdout and stderr in `out`. -ETIMEDOUT: it was
 * killed after `seconds`. */
int capture_run(const char *const *argv,
                const char *const *env,
                double seconds,
                struct str *out,
                struct proc_end *ret,
                struct gm_error *err);

#endif
