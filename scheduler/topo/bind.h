/* This process's CPU affinity, read from and set in the kernel (sched_getaffinity(2)). */
#ifndef TOPO_BIND_H
#define TOPO_BIND_H

#include "base/idset.h"
#include <sys/types.h>

/* The PUs that thread `tid` (0: the caller) may run on now. */
int bind_read(pid_t tid, struct idset **ret, struct gm_error *err);
/* The union over every thread of process `pid` (0: this one), read thread by thread from
 * /proc/PID/task. A thread that ends meanwhile is passed over. */
int bind_read_all(pid_t pid, struct idset **ret, struct gm_error *err);
/* The NUMA nodes that the calling thread's memory can come from: those of its cpuset, and
 * of them those that a strict policy (MPOL_BIND) names; *ret_strict: there is one. Other
 * policies are wishes. *ret NULL: the kernel tells nothing. */
int bind_read_memory(struct idset **ret, bool *ret_strict, struct gm_error *err);
/* Binds every thread of this process. */
int bind_set_all(const struct idset *cpus, struct gm_error *err);

#endif
