/* The most memory that a running command has had. */
#ifndef RUNNER_PEAK_H
#define RUNNER_PEAK_H

#include <stdint.h>
#include <sys/types.h>

/* Bytes resident of its largest process so far: VmHWM of the process and of all below it
 * that live now. 0: it is gone. */
uint64_t peak_of(pid_t pid);

#endif
