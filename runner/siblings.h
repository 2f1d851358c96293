/* The ranks that this host's launcher started beside this one, looked at from the
 * process's start on until the watch (watch.h) is there, and once it is not any more: a
 * rank that dies would leave the others in MPI_Init, in MPI_Finalize or in a collective
 * for ever, since the launcher is told to go on without it. They are the children of our
 * parent that run our program. Where the kernel does not list children nothing is
 * watched. */
#ifndef RUNNER_SIBLINGS_H
#define RUNNER_SIBLINGS_H

#include <stdbool.h>

/* Starts to look: twice at most, at the start and at the end; `expected`: so many are to
 * be there after `within` s, with us, or 0. `lost` is called, in a thread of its own,
 * once one of them has been gone for a while; `first`: we are the lowest of those that
 * are left. It does not return. */
void siblings_watch(unsigned expected, double within, void (*lost)(bool first));
/* No more of it: somebody else watches, or the end is near. */
void siblings_let_go(void);

/* How many there are now, with us; 0: not known. *ret_first: we have the lowest number.
 */
unsigned siblings_count(bool *ret_first);

#endif
