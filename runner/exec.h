/* A command task: an argument vector, never a shell line, in a process group of its own,
 * with its output captured and its usage measured. */
#ifndef RUNNER_EXEC_H
#define RUNNER_EXEC_H

#include "base/idset.h"
#include "base/str.h"
#include "result/record.h"
#include <stdbool.h>

struct exec_spec {
    const char *const *argv; /* ends with NULL */
    const char *const *env;  /* the whole environment */
    const char *cwd;
    double timeout; /* s; 0: none */
    bool (*stop)(void *ctx);
    void *stop_ctx;
    size_t most_output; /* bytes kept of stdout, and of stderr */
};

struct exec_end {
    uint32_t reason; /* enum result_reason */
    int32_t exit_code, signal;
    double user_s, system_s;
    uint64_t max_rss;
    struct str out, err; /* yours: str_free */
    struct idset *seen;  /* the child's affinity, read from the kernel; may be NULL */
};

/* Runs it to its end: SIGTERM at the timeout or a stop, SIGKILL 2 s later, to the whole
 * group; nothing of the group outlives the task. 0: it ran (ret->reason says how it
 * ended); -ECANCELED: asked to stop; other codes: it could not be started. *ret is filled
 * in any case. */
int exec_run(const struct exec_spec *spec, struct exec_end *ret, struct gm_error *err);
void exec_end_free(struct exec_end *e);

#endif
