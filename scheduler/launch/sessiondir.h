/* A folder of one mpirun's own for its sockets and files. By default all of a user's
 * mpiruns on a host share one, and who ends removes it while another begins: "A call to
 * mkdir was unable to create the desired directory". */
#ifndef LAUNCH_SESSIONDIR_H
#define LAUNCH_SESSIONDIR_H

#include "base/auto.h"

struct sessiondir;

/* For a launch on this host alone. NULL: mpirun takes its own choice (no folder could be
 * made, a path too long for sockets, the user's own setting). */
struct sessiondir *sessiondir_make(void);
/* "NAME=value", for the launcher's environment. */
const char *sessiondir_env(const struct sessiondir *d);
/* The launcher has ended: removes it with all that a killed one left. Takes NULL. */
void sessiondir_free(struct sessiondir *d);

AUTO_TYPE(sessiondir, sessiondir_free)

#endif
