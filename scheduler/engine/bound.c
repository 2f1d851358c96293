/* See bound.h. Invariant: a stage that says nothing (a command) counts against none: the
 * job is bound by what its other stages say. */
#include "bound.h"

/* Tasks times ranks of the stages whose kernels say so. */
static double weight_of(const struct jobspec *spec, uint32_t bit)
{
    double weight = 0;
    for (unsigned i = 0; i < spec->n_stages; i++) {
        const struct jobspec_stage *s = &spec->stages[i];
        double ranks = s->group > 0 ? s->group : spec->ranks > 0 ? spec->ranks : 1;
        if (s->kernel != NULL && (s->kernel->traits & bit) != 0)
            weight += ranks * (s->n_tasks > 0 ? (double)s->n_tasks : 1);
    }
    return weight;
}

uint32_t bound_of(const struct jobspec *spec)
{
    static const uint32_t bits[] = {GM_BOUND_MEMORY, GM_BOUND_COMM, GM_BOUND_COMPUTE};
    uint32_t best = 0;
    double most = 0;
    for (size_t b = 0; b < sizeof(bits) / sizeof(bits[0]); b++) {
        double weight = weight_of(spec, bits[b]);
        best = weight > most ? bits[b] : best;
        most = weight > most ? weight : most;
    }
    return best;
}
