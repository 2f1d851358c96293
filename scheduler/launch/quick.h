/* What makes a launched rank start and end sooner, from inside of it. */
#ifndef LAUNCH_QUICK_H
#define LAUNCH_QUICK_H

/* After MPI_Init: this process's TCP connections within this host (to its launcher) send
 * at once. Without it MPI_Finalize waits 40 ms for a delayed acknowledgement: the PMIx
 * client writes several small messages that have no answer (docs/design/launch.md). */
void quick_local(void);

#endif
