/* The mark of a process group that we started: its number and about when it began, in one
 * word that other processes can read, so that one of them can end the group should we be
 * gone, and nobody else's that has got the number since. */
#ifndef BASE_MARK_H
#define BASE_MARK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Now, as marks count time; before the group's first process is started. */
uint32_t mark_now(void);
/* Never 0. */
static inline uint64_t mark_make(pid_t group, uint32_t began)
{
    return (uint64_t)group << 32 | began;
}

/* SIGKILL to the group, where the mark still means it. session: the one that it was
 * started in, by which it is known once its first process is gone. */
void mark_kill(uint64_t mark, pid_t session);

#endif
