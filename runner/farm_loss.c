/* See farm.h: losses, and the ends that the farm decides. What a lost rank's host was
 * granted stays out until farm_settle: by then it is known what was committed and what
 * the living hold. */
#include "base/memory.h"
#include "farm_state.h"
#include "result/record.h"

void farm_lost(struct farm *f, unsigned rank)
{
    struct farm_member *m = &f->ranks[rank];
    struct farm_host *h = farm_host_of(f, rank);
    unsigned host = f->seats[rank].host;
    if (m->lost)
        return;
    farm_not_idle(f, rank);
    m->lost = true;
    f->n_living--;
    h->n_living--;
    h->frozen = true;
    h->low = false;
    h->unfed = 0;
    h->owed = 0;
    if (h->recalled) { /* perhaps it was the one that should have answered */
        h->recalled = false;
        f->hosts[h->for_host].seeks = false;
    }
    for (unsigned i = 0; i < f->spec->n_stages; i++) {
        if (h->granted[i] != NULL)
            taskset_subtract(f->stages[i].held, h->granted[i]);
    }
    for (unsigned r = 0; r < f->n_ranks && h->asker == rank; r++) {
        if (f->seats[r].host == host && !f->ranks[r].lost)
            h->asker = r;
    }
    farm_count_slots(f);
    if (m->group != FARM_NO_GROUP) /* it leaves it with farm_settle */
        f->groups[m->group].ends = true;
    for (unsigned k = 0; k < f->n_groups; k++)
        f->groups[k].lead_lost |= f->groups[k].lead == rank;
}

void farm_held(struct farm *f, uint32_t stage, uint64_t first, uint64_t count)
{
    (void)taskset_add(f->stages[stage].held, first, count);
}

static void add_verdict(struct farm *f, const struct farm_verdict *v)
{
    f->verdicts = xrealloc(f->verdicts, f->n_verdicts + 1, sizeof(*f->verdicts));
    f->verdicts[f->n_verdicts++] = *v;
}

/* A stage whose `retry` leaves out `node` wants no task begun twice for a loss. */
static bool may_run_again(const struct jobspec_stage *said)
{
    return said->retry_limit == 0 || (said->retry_on & JOBSPEC_RETRY_NODE) != 0;
}

/* The end of a task that runs no more. */
static struct farm_verdict
failed_by(const struct farm *f, uint32_t stage, const struct tried_task *t)
{
    bool limit = t->crashes >= f->spec->stages[stage].crash_limit;
    return (struct farm_verdict){.stage = stage,
                                 .status = RESULT_FAILED,
                                 .reason = limit ? RESULT_CRASH : RESULT_LOST,
                                 .attempt = t->attempts,
                                 .first = t->task,
                                 .count = 1,
                                 .rank = UINT32_MAX};
}

void farm_count_crash(struct farm *f, unsigned rank, uint32_t stage, uint64_t task)
{
    const struct jobspec_stage *said = &f->spec->stages[stage];
    struct tried_task *t = tried_of(&f->stages[stage].tried, task);
    t->attempts++;
    t->crashes++;
    struct farm_verdict v = failed_by(f, stage, t);
    v.rank = rank;
    if (t->crashes < said->crash_limit && may_run_again(said)) {
        v.status = RESULT_RETRIED;
        add_verdict(f, &v);
        return;
    }
    add_verdict(f, &v);
    if (!taskset_has(backlog_out(f->backlog, stage), task))
        backlog_take(f->backlog, stage, task, 1);
    farm_ungrant(f, stage, f->seats[rank].host, task, 1);
    backlog_end(f->backlog, stage, task, 1, false);
}

void farm_crashed(struct farm *f, unsigned rank, uint32_t stage, uint64_t task)
{
    struct farm_group *g = farm_group_of(f, stage, task);
    if (g != NULL && !g->crashed) { /* until the group has ended */
        g->crashed = true;
        g->victim = rank;
    }
    if (g == NULL && (taskset_has(backlog_out(f->backlog, stage), task) ||
                      taskset_has(backlog_pending(f->backlog, stage), task)))
        farm_count_crash(f, rank, stage, task); /* it was not over before the rank was */
}

void farm_crashed_before(struct farm *f, uint32_t stage, uint64_t task)
{
    if (stage >= f->spec->n_stages || task >= f->spec->stages[stage].n_tasks ||
        !taskset_has(backlog_pending(f->backlog, stage), task))
        return;
    const struct jobspec_stage *said = &f->spec->stages[stage];
    struct tried_task *t = tried_of(&f->stages[stage].tried, task);
    t->crashes++;
    bool fails = t->crashes >= said->crash_limit || !may_run_again(said);
    bool written = t->attempts >= t->crashes; /* not where rank 0 died of it */
    if (!fails && written)
        return;
    t->attempts++;
    struct farm_verdict v = failed_by(f, stage, t);
    if (!fails) {
        v.status = RESULT_RETRIED;
        v.reason = RESULT_LOST;
    }
    add_verdict(f, &v);
    if (!fails)
        return;
    backlog_take(f->backlog, stage, task, 1);
    backlog_end(f->backlog, stage, task, 1, false);
}

/* Back to pending: what the host was granted and nobody there holds. */
static void settle_stage(struct farm *f, unsigned i, struct taskset *granted)
{
    struct taskset *held = f->stages[i].held;
    uint64_t first = 0, count = 0, gap = 0, n = 0;
    while (taskset_run(granted, first + count, UINT64_MAX, &first, &count)) {
        uint64_t end = first + count;
        for (uint64_t at = first;
             at < end && taskset_gap(held, at, end - at, &gap, &n) && gap < end;
             at = gap + n) {
            n = n < end - gap ? n : end - gap;
            backlog_back(f->backlog, i, gap, n);
            (void)taskset_remove(granted, gap, n);
        }
    }
    taskset_subtract(held, granted);
}

void farm_settle(struct farm *f, unsigned host)
{
    struct farm_host *h = &f->hosts[host];
    h->frozen = h->dry = false;
    h->unfed = h->n_idle;
    for (unsigned i = 0; i < f->spec->n_stages; i++) {
        if (h->granted[i] != NULL)
            settle_stage(f, i, h->granted[i]);
    }
    for (unsigned r = 0; r < f->n_ranks; r++) {
        if (f->seats[r].host == host && f->ranks[r].lost)
            farm_leave_group(f, r);
    }
    for (unsigned k = 0; k < f->n_groups; k++)
        farm_end_group(f, &f->groups[k]);
}

int farm_next_verdict(struct farm *f, struct farm_verdict *ret)
{
    struct farm_verdict v = {
        .status = RESULT_SKIPPED, .reason = RESULT_NEEDS, .rank = UINT32_MAX};
    if (f->first_verdict < f->n_verdicts) {
        *ret = f->verdicts[f->first_verdict++];
        return 1;
    }
    f->first_verdict = f->n_verdicts = 0;
    if (backlog_next_skip(f->backlog, &v.stage, &v.first, &v.count) == 0)
        return 0;
    *ret = v;
    return 1;
}
