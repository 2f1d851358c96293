/* Is a lock file held (flock)? Asked without taking it where that can be avoided: who
 * starts a run takes its lock without waiting, and must not find it taken by a look. */
#ifndef ENGINE_HELD_H
#define ENGINE_HELD_H

#include <stdbool.h>

/* By a process of this machine that we can see: nothing is taken. */
bool held_here(const char *path);
/* By any process, on any machine that shares the file. Where nobody here holds it, it is
 * tried and let go again at once. */
bool held(const char *path);

#endif
