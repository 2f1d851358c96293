/* Hosts that a user names: on the command line, in a host file, in the jobspec. Several
 * workstations without any scheduler: mpirun reaches them over ssh. */
#ifndef LAUNCH_HOSTS_H
#define LAUNCH_HOSTS_H

#include "alloc.h"

/* "a,b[1-3]:2": hostlists (RFC 29), each entry with :SLOTS where wanted. A host twice:
 * its slots are summed, as mpirun does. -EINVAL with the cause. */
int hosts_parse(const char *text, struct alloc_hosts *ret, struct gm_error *err);
/* Open MPI's host file: a host a line, "slots=N" (also max_slots, which is the same
 * here), # comments. -EINVAL: "FILE:LINE: ...". */
int hosts_read(const char *file, struct alloc_hosts *ret, struct gm_error *err);

#endif
