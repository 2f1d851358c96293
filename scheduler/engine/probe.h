/* What several hosts are, found by one process a host: `gridmill-runner --probe` under
 * the launcher. Each says its name, its build, its topology's digest, and whether it sees
 * a token in the folder of the results; one XML a distinct digest travels. */
#ifndef ENGINE_PROBE_H
#define ENGINE_PROBE_H

#include "launch/alloc.h"
#include "launch/launch.h"
#include "topo/restree.h"

/* Seconds that all hosts have to answer together, and those of which no answer came then
 * alone: 30 in all. */
#define PROBE_LIMIT        20.0
#define PROBE_LIMIT_SINGLE 10.0

struct probe_request {
    const struct alloc_hosts *hosts;
    const struct launch_backend *backend;
    const char *runner; /* path of gridmill-runner; the same on all hosts */
    const char *folder; /* that all must share; NULL: not looked at */
    double limit;       /* s; 0: PROBE_LIMIT */
};

/* -EINVAL, errors name the host: it cannot be reached, has no gridmill-runner or another
 * build, does not see the folder, calls itself otherwise. The tree has the hosts in their
 * order, with their slots. Nothing that was started is left. */
int probe_hosts(const struct probe_request *req,
                struct restree **ret,
                struct gm_error *err);
/* Which of the hosts answer as they should, each asked by a launch of its own: ret[i] of
 * hosts->items[i]. < 0: they could not be asked. */
int probe_each(const struct probe_request *req, bool *ret, struct gm_error *err);

#endif
