/* A command: an argument vector, never a shell line, in a process group of its own, with
 * its output captured and its usage measured. Several can run at once under one loop. */
#ifndef RUNNER_EXEC_H
#define RUNNER_EXEC_H

#include "base/idset.h"
#include "base/proc.h"
#include "capture.h"
#include <poll.h>

struct exec_spec {
    const char *const *argv; /* ends with NULL */
    const char *const *env;  /* the whole environment */
    const char *cwd;
    int in;                  /* its standard input; -1: /dev/null */
    double timeout;          /* s; 0: none */
    bool (*stop)(void *ctx); /* is it to be ended now? NULL: never */
    void *stop_ctx;
    uint64_t most_output;     /* bytes kept of stdout, and of stderr */
    const char *spill;        /* a folder for output too long for memory; NULL: none */
    const struct idset *cpus; /* NULL: those of this thread */
    const struct proc_limit *limits;
    unsigned n_limits;
    const sigset_t *changed; /* as in struct proc_spec */
    _Atomic uint64_t *mark;  /* as in struct proc_spec, cleared at its end; or NULL */
    bool look;               /* its affinity is asked for */
};

struct exec_end {
    uint32_t reason; /* enum result_reason */
    int32_t exit_code, signal;
    double user_s, system_s;
    /* max_rss: of its largest process. Where that had no more than this process has, what
     * was seen at looks (10 ms after the start, then ever more seldom, at most 1 s
     * apart); 0: it ended before. */
    uint64_t max_rss, read_bytes, written_bytes;
    struct capture out, err;
    struct idset *seen; /* look: the child's affinity, read from the kernel; may be NULL
                         */
};

/* One that runs. All of it is exec.c's. */
struct exec_child {
    const struct exec_spec *spec;
    struct exec_end *end;
    pid_t pid;
    int pidfd;    /* -1: the kernel has none */
    int pipes[2]; /* read ends of stdout and stderr; -1 once at their end */
    double start, next_look, nap;
    double term_at;   /* when SIGTERM was sent, 0 before */
    uint64_t ours;    /* our own peak of memory at its start */
    uint64_t largest; /* its peak as it was seen at looks */
    bool killed, timed_out, stopped;
    bool over, spoke;  /* as exec_wait saw it: it has ended; there is something to read */
    unsigned n_polled; /* descriptors that exec_wait waited for */
};

/* Starts it. *ret is filled in any case and is yours to exec_end_free; on success spec
 * and *ret stay where they are until exec_attend says that it has ended. */
int exec_start(const struct exec_spec *spec,
               struct exec_child *c,
               struct exec_end *ret,
               struct gm_error *err);
/* Sleeps until one of them wants attention, some 20 ms at most, and sees which. fds: room
 * for 3 * n. */
void exec_wait(struct exec_child *const *children, unsigned n, struct pollfd *fds);
/* After exec_wait: takes what it printed, sends the signals that are due: SIGTERM at the
 * timeout or a stop, SIGKILL 2 s later, to the whole group; nothing of the group outlives
 * it. True: it has ended, *ret of exec_start says how. */
bool exec_attend(struct exec_child *c);

/* From start to end. 0: it ran (ret->reason says how it ended); -ECANCELED: asked to
 * stop; other codes: it could not be started. *ret is filled in any case. */
int exec_run(const struct exec_spec *spec, struct exec_end *ret, struct gm_error *err);
void exec_end_free(struct exec_end *e);

#endif
