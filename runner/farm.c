/* See farm.h and farm_state.h: the state, what ranks say of their work, and what it came
 * to. */
#include "farm.h"
#include "base/memory.h"
#include "farm_state.h"
#include <assert.h>

bool farm_fits(const struct farm *f, unsigned stage, unsigned rank)
{
    const struct jobspec_stage *s = &f->spec->stages[stage];
    return !f->ranks[rank].lost && s->task_cores <= f->seats[rank].cores &&
           s->task_gpus <= f->seats[rank].gpus;
}

static unsigned living_fits(const struct farm *f, unsigned stage)
{
    unsigned n = 0;
    for (unsigned r = 0; r < f->n_ranks; r++)
        n += farm_fits(f, stage, r);
    return n;
}

unsigned farm_group_size(const struct farm *f, unsigned stage)
{
    unsigned g = f->spec->stages[stage].group, n = living_fits(f, stage);
    return g == 0 || g > n ? n : g;
}

/* Tasks of group size 1 that a rank runs at once: a kernel has the rank for itself. */
static unsigned at_once(const struct jobspec_stage *s, const struct farm_seat *seat)
{
    return s->kernel != NULL || s->task_cores == 0 ? 1 : seat->cores / s->task_cores;
}

void farm_count_slots(struct farm *f)
{
    for (unsigned i = 0; i < f->spec->n_stages; i++) {
        struct farm_stage *s = &f->stages[i];
        memset(s->slots, 0, f->n_hosts * sizeof(*s->slots));
        s->all_slots = 0;
        for (unsigned r = 0; r < f->n_ranks; r++) {
            if (!farm_fits(f, i, r))
                continue;
            unsigned n = at_once(&f->spec->stages[i], &f->seats[r]);
            s->slots[f->seats[r].host] += n;
            s->all_slots += n;
        }
    }
}

static void sort_stages(struct farm *f)
{
    for (unsigned i = 0; i < f->spec->n_stages; i++) {
        unsigned at = i;
        int32_t priority = f->spec->stages[i].priority;
        for (; at > 0 && f->spec->stages[f->order[at - 1]].priority < priority; at--)
            f->order[at] = f->order[at - 1];
        f->order[at] = i;
    }
}

struct farm *farm_make(const struct farm_setup *setup)
{
    struct farm *f = xcalloc(1, sizeof(*f));
    unsigned n_stages = setup->spec->n_stages;
    f->spec = setup->spec;
    f->n_ranks = f->n_living = setup->n_ranks;
    f->n_hosts = setup->n_hosts;
    struct farm_seat *seats = xcalloc(f->n_ranks, sizeof(*seats));
    memcpy(seats, setup->seats, f->n_ranks * sizeof(*seats));
    f->seats = seats;
    f->backlog = backlog_make(f->spec, setup->past);
    f->stages = xcalloc(n_stages, sizeof(*f->stages));
    f->order = xcalloc(n_stages, sizeof(*f->order));
    f->hosts = xcalloc(f->n_hosts, sizeof(*f->hosts));
    f->ranks = xcalloc(f->n_ranks, sizeof(*f->ranks));
    f->members = xcalloc(f->n_ranks, sizeof(*f->members));
    if (jobspec_seated(f->spec))
        f->waiting = xcalloc(f->n_ranks, sizeof(*f->waiting));
    for (unsigned i = 0; i < n_stages; i++) {
        struct farm_stage *s = &f->stages[i];
        const struct farm_past *past = setup->past != NULL ? &setup->past[i] : NULL;
        s->slots = xcalloc(f->n_hosts, sizeof(*s->slots));
        s->held = taskset_make(f->spec->stages[i].n_tasks);
        for (uint64_t k = 0; past != NULL && k < past->n_tried; k++)
            tried_of(&s->tried, past->tried[k])->attempts = past->attempts[k];
    }
    for (unsigned h = 0; h < f->n_hosts; h++) {
        f->hosts[h].granted = xcalloc(n_stages, sizeof(struct taskset *));
        f->hosts[h].last_lot = xcalloc(n_stages, sizeof(uint64_t));
    }
    for (unsigned r = 0; r < f->n_ranks; r++) {
        f->ranks[r].group = FARM_NO_GROUP;
        f->hosts[f->seats[r].host].n_living++;
    }
    farm_count_slots(f);
    sort_stages(f);
    struct farm_counts c;
    farm_count(f, &c);
    f->before = c.done + c.failed + c.skipped;
    return f;
}

void farm_free(struct farm *f)
{
    if (f == NULL)
        return;
    for (unsigned h = 0; h < f->n_hosts; h++) {
        for (unsigned i = 0; i < f->spec->n_stages; i++)
            taskset_free(f->hosts[h].granted[i]);
        free(f->hosts[h].granted);
        free(f->hosts[h].last_lot);
    }
    for (unsigned i = 0; i < f->spec->n_stages; i++) {
        free(f->stages[i].slots);
        taskset_free(f->stages[i].held);
        tried_free(&f->stages[i].tried);
    }
    backlog_free(f->backlog);
    free(f->verdicts);
    free(f->groups);
    free(f->members);
    free(f->waiting);
    free(f->ranks);
    free(f->hosts);
    free(f->order);
    free(f->stages);
    free((void *)f->seats);
    free(f);
}

unsigned farm_seat_of(const struct farm *f, unsigned rank)
{
    unsigned i = 0;
    for (; i < f->spec->n_stages; i++) {
        const struct jobspec_stage *s = &f->spec->stages[i];
        if (rank >= s->first_rank && rank - s->first_rank < s->n_tasks)
            break;
    }
    return i;
}

bool farm_has_own_task(const struct farm *f, unsigned rank)
{
    unsigned i = farm_seat_of(f, rank);
    return i < f->spec->n_stages && !f->ranks[rank].had && !f->ranks[rank].lost &&
           taskset_has(backlog_pending(f->backlog, i),
                       rank - f->spec->stages[i].first_rank);
}

struct farm_group *farm_group_of(const struct farm *f, unsigned stage, uint64_t task)
{
    if (!taskset_has(backlog_out(f->backlog, stage), task))
        return NULL;
    for (unsigned k = 0; k < f->n_groups; k++) {
        struct farm_group *g = &f->groups[k];
        if (g->on && g->stage == stage && g->task == task)
            return g;
    }
    return NULL;
}

/* A group's task that its lead gave back, or cannot commit any more, goes back when all
 * members are out of it, and what the lost ones did is known: an attempt ends before
 * another. The lead may be lost after it said idle, with its commit not on file. */
void farm_end_group(struct farm *f, struct farm_group *g)
{
    const struct taskset *out = backlog_out(f->backlog, g->stage);
    bool over = !taskset_has(out, g->task);
    bool back = g->returned || (g->lead_lost && !farm_host_of(f, g->lead)->frozen);
    if (!g->on || g->n_left > 0 || (!over && !back))
        return;
    g->on = false;
    if (!over && g->crashed)
        farm_count_crash(f, g->victim, g->stage, g->task);
    if (taskset_has(out, g->task))
        backlog_back(f->backlog, g->stage, g->task, 1);
}

void farm_leave_group(struct farm *f, unsigned rank)
{
    struct farm_member *m = &f->ranks[rank];
    if (m->group == FARM_NO_GROUP)
        return;
    struct farm_group *g = &f->groups[m->group];
    m->group = FARM_NO_GROUP;
    g->ends = true;
    g->n_left--;
    farm_end_group(f, g);
}

void farm_idle(struct farm *f, unsigned rank)
{
    assert(rank < f->n_ranks);
    struct farm_member *m = &f->ranks[rank];
    struct farm_host *h = farm_host_of(f, rank);
    if (m->lost)
        return;
    if (!m->idle) {
        m->idle = true;
        f->n_idle++;
        h->n_idle++;
    }
    if (f->waiting != NULL && !m->queued) {
        m->queued = true;
        f->waiting[f->n_waiting++] = rank;
    }
    farm_leave_group(f, rank);
    h->unfed = h->n_idle;
    h->asker = rank;
}

void farm_low(struct farm *f, unsigned rank)
{
    if (f->ranks[rank].lost)
        return;
    farm_host_of(f, rank)->low = true;
    farm_host_of(f, rank)->asker = rank;
}

void farm_not_idle(struct farm *f, unsigned rank)
{
    struct farm_host *h = farm_host_of(f, rank);
    if (!f->ranks[rank].idle)
        return;
    f->ranks[rank].idle = false;
    f->n_idle--;
    h->n_idle--;
    h->unfed = h->unfed < h->n_idle ? h->unfed : h->n_idle;
}

void farm_busy(struct farm *f, unsigned rank)
{
    farm_not_idle(f, rank);
}

/* Granted to nobody any more. */
void farm_ungrant(
    struct farm *f, unsigned stage, unsigned host, uint64_t first, uint64_t count)
{
    struct taskset *t = f->hosts[host].granted[stage];
    uint64_t left = count - (t != NULL ? taskset_remove(t, first, count) : 0);
    for (unsigned h = 0; h < f->n_hosts && left > 0; h++) {
        t = f->hosts[h].granted[stage];
        left -= t != NULL ? taskset_remove(t, first, count) : 0;
    }
}

/* At least so many. */
static void
note_attempts(struct farm *f, unsigned stage, uint64_t task, uint32_t attempts)
{
    if (attempts == 0)
        return;
    struct tried_task *t = tried_of(&f->stages[stage].tried, task);
    t->attempts = t->attempts > attempts ? t->attempts : attempts;
}

/* Tasks that are out. */
static void take_back(struct farm *f, unsigned stage, uint64_t first, uint64_t count)
{
    struct farm_group *g = farm_group_of(f, stage, first);
    if (g == NULL) {
        backlog_back(f->backlog, stage, first, count);
        return;
    }
    for (uint64_t i = 0; i < count; i++) {
        g = farm_group_of(f, stage, first + i);
        g->returned = true;
        farm_end_group(f, g);
    }
}

void farm_report(struct farm *f, const struct farm_report *r)
{
    struct farm_stage *s = &f->stages[r->stage];
    if (r->count == 1)
        note_attempts(f, r->stage, r->first, r->attempts);
    if (r->outcome == FARM_TRIED)
        return;
    const struct taskset *out = backlog_out(f->backlog, r->stage);
    uint64_t end = r->first + r->count, first, count;
    s->closed |= r->outcome == FARM_LATE;
    for (uint64_t at = r->first;
         at < end && taskset_run(out, at, end - at, &first, &count) && first < end;
         at = first + count) {
        count = count < end - first ? count : end - first;
        farm_ungrant(f, r->stage, f->seats[r->rank].host, first, count);
        (void)taskset_remove(s->held, first, count);
        if (r->outcome == FARM_RETURNED || r->outcome == FARM_LATE) {
            take_back(f, r->stage, first, count);
            continue;
        }
        backlog_end(f->backlog, r->stage, first, count, r->outcome == FARM_DONE);
        s->measured += count;
        s->seconds += r->seconds * (double)count / (double)r->count;
    }
}

void farm_recalled(
    struct farm *f, unsigned rank, uint64_t lot, uint64_t first, uint64_t count)
{
    struct farm_host *h = farm_host_of(f, rank);
    unsigned stage =
        (unsigned)(lot % f->spec->n_stages); /* farm_give.c numbers them so */
    struct farm_report r = {.stage = stage,
                            .outcome = FARM_RETURNED,
                            .first = first,
                            .count = count,
                            .rank = rank};
    if (h->recalled) {
        h->recalled = false;
        f->hosts[h->for_host].seeks = false;
    }
    h->dry = count == 0;
    if (count > 0)
        farm_report(f, &r);
}

void farm_close(struct farm *f, unsigned stage)
{
    f->stages[stage].closed = true;
}

void farm_stop(struct farm *f)
{
    f->stopped = true;
}

/* A living rank could run a task of it that may start. */
static bool may_run(const struct farm *f, unsigned stage)
{
    if (taskset_count(backlog_pending(f->backlog, stage)) == 0 || f->stages[stage].closed)
        return false;
    if (!jobspec_seated(f->spec))
        return farm_group_size(f, stage) > 0;
    for (unsigned r = 0; r < f->n_ranks; r++) {
        if (farm_seat_of(f, r) == stage && farm_has_own_task(f, r))
            return true;
    }
    return false;
}

bool farm_over(const struct farm *f)
{
    if (backlog_all_out(f->backlog) > 0 || f->first_verdict < f->n_verdicts ||
        backlog_untold(f->backlog))
        return false;
    for (unsigned i = 0; i < f->spec->n_stages && !f->stopped; i++) {
        if (may_run(f, i))
            return false;
    }
    return true;
}

bool farm_complete(const struct farm *f)
{
    for (unsigned i = 0; i < f->spec->n_stages; i++) {
        if (!backlog_over(f->backlog, i))
            return false;
    }
    return f->first_verdict == f->n_verdicts && !backlog_untold(f->backlog);
}

double farm_mean(const struct farm *f, unsigned stage)
{
    const struct farm_stage *s = &f->stages[stage];
    return s->measured > 0 ? s->seconds / (double)s->measured : -1;
}

/* Adds what a stage still takes. A task of one stage says nothing about another's. */
static void
estimate(const struct farm *f, unsigned i, uint64_t rest, struct farm_counts *c)
{
    const struct jobspec_stage *said = &f->spec->stages[i];
    unsigned group = farm_group_size(f, i);
    double mean = farm_mean(f, i);
    uint64_t at_once = said->group == 1 ? f->stages[i].all_slots
                       : group > 0      ? f->n_living / group
                                        : 0;
    if (said->max_in_flight > 0 && at_once > said->max_in_flight)
        at_once = said->max_in_flight;
    if (rest == 0)
        return;
    if (mean < 0 || at_once == 0) {
        c->at_least = true;
        return;
    }
    c->left = (c->left < 0 ? 0 : c->left) + mean * (double)rest / (double)at_once;
}

static void tell_ranks(const struct farm *f, char *cells)
{
    unsigned n = f->n_ranks < FARM_CELLS ? f->n_ranks : FARM_CELLS;
    for (unsigned i = 0; i < n; i++) {
        unsigned first = (unsigned)((uint64_t)f->n_ranks * i / n);
        unsigned end = (unsigned)((uint64_t)f->n_ranks * (i + 1) / n);
        unsigned living = 0, busy = 0;
        for (unsigned r = first; r < end; r++) {
            living += !f->ranks[r].lost;
            busy += !f->ranks[r].lost && !f->ranks[r].idle;
        }
        cells[i] = 'x';
        if (living > 0)
            cells[i] = "0123456789"[9 * busy / living];
    }
    cells[n] = '\0';
}

void farm_count(const struct farm *f, struct farm_counts *ret)
{
    struct farm_counts c = {
        .stage = -1, .left = -1, .before = f->before, .lost = f->n_ranks - f->n_living};
    for (unsigned i = 0; i < f->spec->n_stages; i++) {
        struct backlog_counts n;
        uint64_t out = taskset_count(backlog_out(f->backlog, i));
        uint64_t most = f->spec->stages[i].group == 1 ? f->stages[i].all_slots : out;
        backlog_count(f->backlog, i, &n);
        c.done += n.done;
        c.failed += n.failed;
        c.skipped += n.skipped;
        c.running += out < most ? out : most; /* the rest of a lot has not begun */
        c.total += f->spec->stages[i].n_tasks;
        c.late |= f->stages[i].closed;
        estimate(f, i, f->spec->stages[i].n_tasks - n.done - n.failed - n.skipped, &c);
        if (c.stage < 0 && !backlog_over(f->backlog, i))
            c.stage = (int)i;
    }
    tell_ranks(f, c.ranks);
    *ret = c;
}

int farm_stage_over(struct farm *f)
{
    for (unsigned i = 0; i < f->spec->n_stages; i++) {
        if (!f->stages[i].told_over && backlog_over(f->backlog, i)) {
            f->stages[i].told_over = true;
            return (int)i;
        }
    }
    return -1;
}
