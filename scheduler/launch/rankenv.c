/* See rankenv.h. */
#include "rankenv.h"

/* One where ranks share cores that nobody deals out. */
static unsigned least_threads(const struct plan *plan)
{
    unsigned least = 0;
    if (plan->oversubscribe || plan->binder == PLAN_UNBOUND)
        return 1;
    for (unsigned r = 0; r < plan->n_ranks; r++) {
        unsigned own = plan->ranks[r].threads;
        least = least == 0 || own < least ? own : least;
    }
    return least > 0 ? least : 1;
}

void rankenv_add(struct line *l, const struct plan *plan)
{
    unsigned threads = least_threads(plan);
    line_env(l,
             "what a rank compares MPI's own count with",
             "GRIDMILL_LAUNCH_RANKS=%u",
             plan->n_ranks);
    line_env(l, "which launch a rank belongs to", "GRIDMILL_LAUNCH_ID=%s", plan->id);
    line_env(l, "threads as the rank has cores", "OMP_NUM_THREADS=%u", threads);
    line_env(l, "threads as the rank has cores", "OPENBLAS_NUM_THREADS=%u", threads);
}
