/* One job while it runs, as a user sees it: the plan, progress on standard error, the
 * summary (or JSON) on standard output. */
#ifndef CLI_LIVE_H
#define CLI_LIVE_H

#include "command.h"
#include "engine/engine.h"

struct live {
    const struct cli *cli;
    const struct engine_machine *machine;
    const struct resume *resume; /* engine/resume.h; NULL: a new run */
    bool several;                /* one of several jobs */
    double loaded_s, machine_s;  /* spent on the jobspec, and on the machine */
};

/* Ctrl-C and SIGTERM stop the job, not this program. */
void live_catch_signals(void);
/* To its end. *ret_json: its summary, yours to free; NULL: there is none. The exit code;
 * everything is said. */
int live_run(const struct live *l, const struct jobspec *spec, char **ret_json);

#endif
