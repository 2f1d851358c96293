/* What the kernel tells of any process by its number. */
#ifndef BASE_PROCSTAT_H
#define BASE_PROCSTAT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct procstat {
    char state; /* as in proc(5): R, S, D, T (stopped), t (traced), Z (ended) ... */
    pid_t group, session;
    uint64_t began; /* in clock ticks since the host was started */
};

/* False: there is none, or it is not to be seen. */
bool procstat_read(pid_t pid, struct procstat *ret);

/* The PID namespace that our numbers are of, as a number of this host; 0: not known. */
uint64_t procstat_space(void);

#endif
