/* One attempt at a command task: what it is started with, and what became of it. */
#ifndef RUNNER_COMMAND_H
#define RUNNER_COMMAND_H

#include "attempt.h"
#include "exec.h"
#include "tmpdir.h"

/* Where a command runs. One serves one command at a time. */
struct command_place {
    struct source *source;    /* what it reads of other tasks; borrowed */
    const struct idset *cpus; /* NULL: all that the rank has; borrowed */
    unsigned threads;         /* that it may use there */
    struct tmpdir *tmpdir;    /* made when the first command wants it */
    sigset_t changed;         /* as in struct proc_spec */
    int null;                 /* /dev/null */
    _Atomic uint64_t *mark;   /* of what runs there, on the host's board */
    uint64_t files; /* its soft limit of descriptors; UINT64_MAX: ours as it is */
    /* While one runs; command.c's own: */
    struct arena *arena;
    int input;    /* -1: none */
    double start; /* unix s */
    struct proc_limit limits[6];
    struct exec_spec spec;
    struct exec_end end;
    struct exec_child child;
};

void command_place_init(struct command_place *p, _Atomic uint64_t *mark);
void command_place_clear(struct command_place *p); /* nothing runs there */

/* Starts it in a->place. 0: it runs: exec_wait and exec_attend for the place's child
 * until it has ended. < 0: it could not be started. command_end in both cases. */
int command_start(const struct attempt *a, struct parcel *parcel, struct gm_error *err);
/* rc: of command_start. As attempt_kernel: 0 done, -ECANCELED asked to stop, else failed;
 * the parcel has its parameters and its output. */
int command_end(const struct attempt *a,
                int rc,
                struct parcel *parcel,
                struct attempt_end *ret,
                struct gm_error *err);
/* Both, and the wait between. */
int command_attempt(const struct attempt *a,
                    struct parcel *parcel,
                    struct attempt_end *ret,
                    struct gm_error *err);

#endif
