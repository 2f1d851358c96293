/* How a process ended that is not ours to wait for. */
#ifndef BASE_EXITINFO_H
#define BASE_EXITINFO_H

#include <sys/types.h>

/* The status as wait(2) tells it; -1: not known, or it has not ended. pidfd: of that
 * process, or -1. Linux tells of a zombie, and from 6.15 on of one that was reaped. */
int exitinfo_of(pid_t pid, int pidfd);

#endif
