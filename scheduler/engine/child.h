/* The launcher as a child process: its pipes, its end, and its family - the processes
 * under it on this host, so that none of them outlives the run. */
#ifndef ENGINE_CHILD_H
#define ENGINE_CHILD_H

#include "base/auto.h"
#include "base/proc.h"
#include "launch/launch.h"

struct child {
    pid_t pid;
    int pidfd;    /* readable once it has ended; -1: the kernel has none */
    int out, err; /* its stdout and stderr, non-blocking; -1: at their end */
    bool ended;
    struct proc_end end;
    int *family; /* pidfds of its descendants */
    unsigned n_family;
    pid_t *strangers; /* children of ours that were there before it */
    unsigned n_strangers;
};

/* Our environment with `add` ("NAME=value", NULL at the end; or NULL) in the place of
 * what it replaces; the list is yours to free, its texts are not. */
const char **child_environment(const char *const *add);

/* Starts the line in a process group of its own, stdin from /dev/null. This process
 * becomes the parent of descendants that lose theirs, and finds them so. */
int child_start(const struct launch_line *line,
                const char *const *more, /* of its environment; or NULL */
                struct child *ret,
                struct gm_error *err);
/* Sets ended and end once the launcher is gone. */
void child_poll(struct child *c);
void child_signal(const struct child *c, int signal); /* the launcher alone */
/* Notes who runs under the launcher now; call it when the ranks are up. */
void child_know_family(struct child *c);
/* The launcher has a living process under it, as far as the kernel lists them. */
bool child_has_family(const struct child *c);
/* Kills the launcher's group and every descendant, also those that lost their parents (a
 * command whose rank was killed), and waits until they are gone (two seconds at most). */
void child_kill(struct child *c);
void child_close(struct child *c); /* kills what is left; c itself is the caller's */

#endif
