/* See use.h. Invariant: the probe takes the host's cores when its ranks have nothing to
 * do, and a twentieth of the job's time at most. */
#include "use.h"
#include "attempt.h"
#include "base/log.h"
#include "ceiling.h"

/* s that tasks have taken before 0.15 s of a probe are spent on knowing what they could
 * have been. */
static const double WORTH_PROBING = 3;

void use_begin(const struct rank *r, const struct plan *plan, struct result_use *ret)
{
    const struct plan_rank *own = &plan->ranks[r->world];
    AUTO(idset) gpus = NULL;
    bool any = own->gpus != NULL && idset_parse(own->gpus, &gpus, NULL) == 0;
    *ret = (struct result_use){.v = {[USE_LAUNCH] = plan->launch,
                                     [USE_START] = r->start,
                                     [USE_CPUS] = own->threads > 0 ? own->threads : 1,
                                     [USE_GPUS] = any ? idset_count(gpus) : 0}};
}

static bool counts(const struct jobspec *spec)
{
    for (unsigned i = 0; i < spec->n_stages; i++) {
        const struct gm_kernel *k = spec->stages[i].kernel;
        if (k != NULL && attempt_counts(k))
            return true;
    }
    return false;
}

/* The PUs that the job's ranks have on this host; NULL: they are not known. */
static struct idset *
list_cpus(const struct plan *plan, const unsigned *hosts, unsigned host)
{
    AUTO(idset) all = idset_make();
    for (unsigned i = 0; i < plan->n_ranks; i++) {
        AUTO(idset) own = NULL;
        if (hosts[i] != host)
            continue;
        if (idset_parse(plan->ranks[i].cpus, &own, NULL) != 0)
            return NULL;
        idset_unite(all, own);
    }
    return idset_count(all) > 0 ? steal(&all) : NULL;
}

void use_end(const struct rank *r,
             const struct plan *plan,
             const struct jobspec *spec,
             const unsigned *hosts,
             bool hurried,
             struct result_use *use)
{
    struct peak_rates rates;
    struct gm_error err = {0};
    unsigned host = hosts[r->world], lowest = 0;
    while (hosts[lowest] != host)
        lowest++;
    if (lowest != (unsigned)r->world || !counts(spec))
        return;
    AUTO(idset) cpus = list_cpus(plan, hosts, host);
    bool worth = use->v[USE_ENDED] - use->v[USE_BEGAN] >= WORTH_PROBING;
    int rc = cpus == NULL
                 ? -ENODATA
                 : ceiling_find(
                       plan->ranks[r->world].host, cpus, worth && !hurried, &rates, &err);
    if (rc == -EAGAIN)
        log_note("%s: %s; the receipt has no peak of it", r->host, err.text);
    if (rc < 0)
        return;
    use->v[USE_PEAK_CPUS] = idset_count(cpus);
    use->v[USE_PEAK_F32_ONE] = rates.f32_one;
    use->v[USE_PEAK_F32] = rates.f32;
    use->v[USE_PEAK_F64_ONE] = rates.f64_one;
    use->v[USE_PEAK_F64] = rates.f64;
    use->v[USE_PEAK_READ_ONE] = rates.read_one;
    use->v[USE_PEAK_READ] = rates.read;
}
