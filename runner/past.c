/* See past.h. Invariant: a task is done, failed or to be run; what is to be run and was
 * tried before keeps its count of attempts. */
#include "past.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/str.h"
#include "result/committed.h"

struct past {
    struct committed *committed;
    struct farm_past *stages;
    uint64_t **tried;
    uint32_t **attempts;
};

const struct farm_past *past_stages(const struct past *p)
{
    return p != NULL ? p->stages : NULL;
}

void past_free(struct past *p)
{
    if (p == NULL)
        return;
    for (unsigned i = 0; i < p->committed->n_stages; i++) {
        free(p->tried[i]);
        free(p->attempts[i]);
    }
    committed_free(p->committed);
    free(p->tried);
    free(p->attempts);
    free(p->stages);
    free(p);
}

static void fill(struct past *p, unsigned i)
{
    const struct committed_stage *c = &p->committed->stages[i];
    struct farm_past *to = &p->stages[i];
    p->tried[i] = xcalloc(c->n_tried + 1, sizeof(uint64_t));
    p->attempts[i] = xcalloc(c->n_tried + 1, sizeof(uint32_t));
    *to = (struct farm_past){.done = c->done,
                             .failed = c->failed,
                             .tried = p->tried[i],
                             .attempts = p->attempts[i]};
    for (uint64_t k = 0; k < c->n_tried; k++) {
        if (taskset_has(c->failed, c->tried[k].task))
            continue;
        p->tried[i][to->n_tried] = c->tried[k].task;
        p->attempts[i][to->n_tried++] = c->tried[k].attempts;
    }
}

static int check(const struct plan *plan,
                 const struct committed *c,
                 const struct jobspec *spec,
                 struct gm_error *err)
{
    bool same = c->n_stages == spec->n_stages;
    for (unsigned i = 0; same && i < c->n_stages; i++)
        same = c->stages[i].n_tasks == spec->stages[i].n_tasks;
    return same ? 0
                : gm_fail(err,
                          -EINVAL,
                          "%s: holds other stages or tasks than the job has",
                          plan->folder);
}

int past_load(const struct plan *plan,
              const struct jobspec *spec,
              struct past **ret,
              struct gm_error *err)
{
    AUTO(committed) c = NULL;
    AUTO_STR head = {0};
    str_printf(&head, "%s/job.h5", plan->folder);
    *ret = NULL;
    if (plan->launch == 0 || !file_exists(head.text))
        return 0;
    int rc = committed_load(plan->folder, &c, err);
    if (rc == 0)
        rc = check(plan, c, spec, err);
    if (rc < 0)
        return rc;
    struct past *p = xcalloc(1, sizeof(*p));
    p->committed = steal(&c);
    size_t n = spec->n_stages;
    p->stages = xcalloc(n, sizeof(*p->stages));
    p->tried = xcalloc(n, sizeof(uint64_t *));
    p->attempts = xcalloc(n, sizeof(uint32_t *));
    for (unsigned i = 0; i < spec->n_stages; i++)
        fill(p, i);
    *ret = p;
    return 0;
}
