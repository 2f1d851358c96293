/* See pace.h. Invariant: rates and times are of the launch that goes on; what an earlier
 * one did is no work of it. */
#include "pace.h"
#include "base/memory.h"

uint64_t pace_over(const struct scan_stage *s)
{
    return s->done + s->failed + s->skipped;
}

/* Of the launch, until now or (once it is over) its end. */
static double mean_rate(double n, double first, double until)
{
    return first > 0 && until > first ? n / (until - first) : 0;
}

static void
set_rate(struct pace *p, unsigned i, uint64_t over, double mono_s, double mean)
{
    double since = p->at > 0 ? mono_s - p->at : 0;
    bool moved = since > 0 && over > p->over[i];
    p->rates[i] = moved ? (double)(over - p->over[i]) / since : mean;
    p->over[i] = over;
}

void pace_look(struct pace *p, const struct scan_job *job, double unix_s, double mono_s)
{
    if (job == NULL)
        return;
    if (p->n != job->n_stages + 1u) {
        pace_free(p);
        p->n = job->n_stages + 1u;
        p->over = xcalloc(p->n, sizeof(*p->over));
        p->rates = xcalloc(p->n, sizeof(*p->rates));
    }
    if (job->packed) /* nothing is over since the last look: its mean */
        p->at = 0;
    uint64_t all = 0, fresh = 0;
    for (unsigned i = 0; i < job->n_stages; i++) {
        const struct scan_stage *s = &job->stages[i];
        bool ended = pace_over(s) == s->n_tasks;
        double until = ended ? s->last : unix_s;
        set_rate(
            p, i, pace_over(s), mono_s, mean_rate((double)s->fresh, s->first, until));
        all += pace_over(s);
        fresh += s->fresh;
    }
    double until = job->packed ? job->last : unix_s;
    set_rate(p, job->n_stages, all, mono_s, mean_rate((double)fresh, job->first, until));
    p->at = mono_s;
}

void pace_free(struct pace *p)
{
    free(p->over);
    free(p->rates);
    *p = (struct pace){0};
}

double pace_rate(const struct pace *p, unsigned stage)
{
    return stage < p->n ? p->rates[stage] : 0;
}

double
pace_left(const struct scan_job *job, unsigned stage, double unix_s, bool *ret_at_least)
{
    double busy = 0, work = 0, wall = job->last - job->first;
    *ret_at_least = false;
    for (unsigned i = 0; i < job->n_stages; i++) {
        const struct scan_stage *s = &job->stages[i];
        uint64_t open = s->n_tasks - pace_over(s);
        busy += s->busy_s;
        if (open == 0 || (stage < job->n_stages && stage != i))
            continue;
        if (s->fresh > 0)
            work += (double)open * (s->busy_s / (double)s->fresh);
        else
            *ret_at_least = true;
    }
    if (job->first <= 0 || wall <= 0 || busy <= 0 || work <= 0)
        return -1;
    double since = unix_s > job->last ? unix_s - job->last : 0;
    double left = work / (busy / wall) - since;
    return left > 0 ? left : 0;
}
