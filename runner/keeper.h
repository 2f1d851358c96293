/* The job folder's keeper: gridmill, which started this launch and holds the folder's
 * lock as long as it lives. So who gets the lock finds that it is gone, killed with
 * nobody to end us; and holds it from then on, so that no other launch begins before this
 * one has ended. A thread of its own asks: a slow file system may keep that call for
 * long, which shall not look like a death. */
#ifndef RUNNER_KEEPER_H
#define RUNNER_KEEPER_H

#include "base/auto.h"
#include <stdbool.h>

struct keeper;

/* NULL: there is no lock to ask for, or no thread. */
struct keeper *keeper_watch(const char *folder);
bool keeper_gone(const struct keeper *k); /* gridmill is gone; any thread; takes NULL */
void keeper_free(struct keeper *k);       /* takes NULL */

#endif
