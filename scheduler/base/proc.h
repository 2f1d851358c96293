/* Child processes: spawn with vfork's speed, signals to the whole group, reap with usage.
 */
#ifndef BASE_PROC_H
#define BASE_PROC_H

#include "gridmill/error.h"
#include <stdbool.h>
#include <sys/types.h>

struct proc_spec {
    const char *const *argv; /* ends with NULL; argv[0] is searched in PATH */
    const char *const *env;  /* the whole environment; NULL: ours */
    const char *cwd;         /* NULL: ours */
    int in, out, err;        /* descriptors for 0, 1, 2; -1: /dev/null */
};

struct proc_end {
    int status; /* exit status 0..255, or -1 when ended by a signal */
    int signal; /* the signal, or 0 */
    double user_s, system_s;
    long max_rss; /* bytes */
};

/* Starts a process in a group of its own (pgid = pid), all signals at their default.
 * -ENOENT, -EACCES...: argv[0] could not be run, said as "NAME: No such file". */
int proc_spawn(const struct proc_spec *spec, pid_t *ret, struct gm_error *err);

/* 1 and *ret when the process has ended, 0 when it runs (block false), -errno. */
int proc_reap(pid_t pid, bool block, struct proc_end *ret);

void proc_signal_group(pid_t pid, int signal);

/* A pipe, both ends close-on-exec. */
int proc_pipe(int ret[2], struct gm_error *err);

#endif
