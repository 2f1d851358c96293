/* See load.h: what can be said but not done yet, told when a job is to be planned.
 * Invariant: a job that passes here asks for nothing that plan and run would ignore. */
#include "load.h"

/* A task of a canonical job runs on a slot. */
static int check_slots(const struct jobspec *spec, struct gm_error *err)
{
    for (unsigned i = 0; i < spec->n_stages; i++) {
        const struct jobspec_stage *s = &spec->stages[i];
        if (s->slot == NULL)
            return gm_fail(
                err,
                -ENOTSUP,
                "%s:%u:%u: tasks[%u].slot: no vertex has this label, and there "
                "are several slots: name one of them",
                spec->file,
                s->line,
                s->col,
                i);
    }
    return 0;
}

int jobspec_check_runnable(const struct jobspec *spec, struct gm_error *err)
{
    if (spec->n_cannot == 0)
        return jobspec_seated(spec) ? check_slots(spec, err) : 0;
    const struct jobspec_fault *first = &spec->cannot[0];
    AUTO_STR place = {0};
    str_add(&place, spec->file);
    if (first->line > 0)
        str_printf(&place, ":%u:%u", first->line, first->col);
    return gm_fail(
        err, -ENOTSUP, "%s: %s: %s", str_text(&place), first->path, first->text);
}
