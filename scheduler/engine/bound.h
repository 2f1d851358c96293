/* What a job's ranks are bound by, from what its kernels declare. */
#ifndef ENGINE_BOUND_H
#define ENGINE_BOUND_H

#include "spec/jobspec.h"

/* One of GM_BOUND_*, or 0: nobody knows (commands). Each stage counts by its tasks times
 * their ranks; what most of them are bound by is what the job is bound by, memory before
 * communication before compute where they are even. */
uint32_t bound_of(const struct jobspec *spec);

#endif
