/* Who tells how a rank ended when nobody else of its host is left to: a child of its own
 * that only waits for that. The kernel closes the rank's end of a pipe however it is
 * killed, and so its loss stands in the job folder (result/losses.h) at once: the others,
 * on other hosts, hear nothing from a process that is gone, as from one that is stopped.
 * It tells nothing of a rank that leaves, is asked to stop, or goes with its launcher. */
#ifndef RUNNER_MOURNER_H
#define RUNNER_MOURNER_H

#include "board.h"

/* At the start of main, before there is a thread; argv as main has it: the child shows a
 * name of its own. Without a child (no memory) nobody tells. */
void mourner_fork(int argc, char **argv);
/* From now on the rank's loss is told. All of these do nothing where there is no child.
 */
void mourner_watch(const char *folder, uint32_t launch, uint32_t rank);
/* The pulse's beat: a task that the rank has been in for a while is told with its loss.
 */
void mourner_beat(const struct board *b, double now);
void mourner_dismiss(void);

#endif
