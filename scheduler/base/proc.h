/* Child processes: started with vfork's speed, signals to the whole group, reaped with
 * what they used. */
#ifndef BASE_PROC_H
#define BASE_PROC_H

#include "base/idset.h"
#include "gridmill/error.h"
#include <signal.h>
#include <stdbool.h>
#include <sys/types.h>

/* setrlimit(2): soft and hard, never above the hard limit that is ours. */
struct proc_limit {
    uint64_t most;
    int resource; /* RLIMIT_... */
    bool soft;    /* the soft one alone */
};

struct proc_spec {
    const char *const *argv; /* ends with NULL; argv[0] is searched in PATH: that of env,
                                ours where env has none */
    const char *const *env;  /* the whole environment; NULL: ours */
    const char *cwd;         /* NULL: ours */
    int in, out, err;        /* descriptors for 0, 1, 2; -1: /dev/null */
    bool ends_with_us;       /* SIGKILL when the thread that starts it is gone */
    bool confined; /* no new privileges (setuid is nothing to it), no other descriptor of
                      ours */
    const struct idset *cpus; /* its affinity; NULL: ours */
    const struct proc_limit *limits;
    unsigned n_limits;
    const sigset_t *changed; /* proc_changed_signals, for who starts many; NULL: asked */
    /* Not NULL: the group's mark (mark.h) stands there before the program begins, for who
     * has to end it should we be gone; yours to clear before it is reaped. */
    _Atomic uint64_t *mark;
    int *ret_pidfd; /* not NULL: a descriptor that polls as readable at its end, yours to
                       close; -1 where the kernel has none (before Linux 5.2) */
};

struct proc_end {
    int status; /* exit status 0..255, or -1 when ended by a signal */
    int signal; /* the signal, or 0 */
    double user_s, system_s;
    long max_rss; /* bytes, of its largest process; never less than what the process that
                     started it had then: Linux counts from before exec */
    uint64_t read_bytes, written_bytes; /* from and to storage */
};

/* Starts a process in a group of its own (pgid = pid), all signals at their default.
 * -ENOENT, -EACCES...: argv[0] could not be run, said as "NAME: No such file"; or the
 * folder, said as that. */
int proc_spawn(const struct proc_spec *spec, pid_t *ret, struct gm_error *err);

/* The signals that are not at their default in this process. */
void proc_changed_signals(sigset_t *ret);

/* 1 and *ret when the process has ended, 0 when it runs (block false), -errno. */
int proc_reap(pid_t pid, bool block, struct proc_end *ret);
/* Has it ended? It stays to be reaped, so that its number (and its group's) is nobody
 * else's. */
bool proc_ended(pid_t pid);

void proc_signal_group(pid_t pid, int signal);

/* A pipe, both ends close-on-exec. */
int proc_pipe(int ret[2], struct gm_error *err);

#endif
