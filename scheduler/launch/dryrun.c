/* The model backend: every word a backend must provide, and nothing happens. It starts
 * `true` with the runner's words, so that all that is around a launch can be run without
 * one. */
#include "launch.h"
#include "line.h"

static int dryrun_line(const struct plan *plan,
                       const char *runner,
                       struct launch_line **ret,
                       struct gm_error *err)
{
    (void)err;
    struct line *l = line_make();
    line_word(l, "true");
    line_explain(l, "true", "nothing is started");
    line_word(l, runner);
    line_word(l, "--plan");
    line_word(l, arena_printf(line_arena(l), "%s/plan.json", plan->folder));
    line_word(l, "--events");
    line_env(
        l, "how many ranks there would be", "GRIDMILL_LAUNCH_RANKS=%u", plan->n_ranks);
    line_env(l, "which launch this is", "GRIDMILL_LAUNCH_ID=%s", plan->id);
    *ret = line_finish(l, NULL);
    return 0;
}

const struct launch_backend launch_dryrun = {"dryrun", dryrun_line};
