/* See schedule.h. */
#include "schedule.h"

#include "real.h"
#include <math.h>

double schedule_lr(const struct schedule *s, uint64_t t)
{
    if (t < s->warmup)
        return s->peak * ((double)(t + 1) / (double)s->warmup);
    if (s->form == SCHEDULE_CONSTANT)
        return s->peak;
    if (t >= s->steps)
        return s->last;
    double x = (double)(t - s->warmup) / (double)(s->steps - s->warmup);
    double share = s->form == SCHEDULE_LINEAR ? 1 - x : (1 + real_cos(M_PI * x)) / 2;
    return s->last + (s->peak - s->last) * share;
}
