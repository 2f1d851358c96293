/* See farm.h: who gets what.
 *
 * Lots: what a host's ranks take LOT_SECONDS for by the mean of the stage, and never more
 * than half of the host's share of the rest, so that no host ends long after the others
 * (factoring, Hummel, Schonberg and Flynn 1992). While nothing is measured they grow. A
 * host that has nothing left takes back what another host has not begun.
 *
 * Groups: a group that has not enough idle ranks keeps what comes after it from being
 * handed out, but only where ranks would come free for it so: ranks in other groups are
 * not waited for. */
#include "base/memory.h"
#include "board.h"
#include "farm_state.h"

static const double LOT_SECONDS = 0.5;
enum { FIRST_LOT = 2 /* tasks a rank */, LOT_GROWS = 4, LOTS_AT_ONCE = 32 };
static const double LEAST_RECALL = 1e-3; /* s of a host's work: below it is no use */

static uint64_t at_least(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static uint64_t at_most(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* A lot's number tells its stage. */
static uint64_t lot_number(struct farm *f, unsigned stage)
{
    return ++f->lots * f->spec->n_stages + stage;
}

static uint64_t lot_size(const struct farm *f, unsigned i, const struct farm_host *h)
{
    const struct jobspec_stage *said = &f->spec->stages[i];
    const struct farm_stage *s = &f->stages[i];
    uint64_t rest = taskset_count(backlog_pending(f->backlog, i));
    uint64_t mine = s->slots[h - f->hosts];
    double mean = farm_mean(f, i), share = (double)rest, time;
    if (mine < s->all_slots)
        share = share * (double)mine / (double)s->all_slots / 2;
    if (mean < 0)
        time = (double)at_least(FIRST_LOT * mine, LOT_GROWS * h->last_lot[i]);
    else
        time = mean > 0 ? LOT_SECONDS * (double)mine / mean : share;
    double size = share < time ? share : time;
    uint64_t n = size < (double)rest ? (uint64_t)size : rest;
    n = at_least(n, at_least(h->unfed, 1));
    if (said->max_in_flight > 0) {
        uint64_t out = taskset_count(backlog_out(f->backlog, i));
        uint64_t room = said->max_in_flight > out ? said->max_in_flight - out : 0;
        n = at_most(room, at_least(h->unfed, h->low ? mine : 0));
    }
    return at_most(n, at_most(rest, BOARD_LOT_MOST));
}

static bool may_be_fed(const struct farm_host *h)
{
    return (h->unfed > 0 || h->low) && !h->frozen;
}

static void feed(struct farm_host *h, uint64_t size, uint64_t count)
{
    if (h->owed == 0)
        h->owed = size;
    uint64_t fed = at_least(count, size / LOTS_AT_ONCE + 1);
    h->owed -= at_most(h->owed, fed);
    h->unfed -= (unsigned)at_most(h->unfed, count);
    h->low &= h->owed > 0;
    if (h->unfed == 0 && !h->low)
        h->owed = 0;
}

static bool give_lot(struct farm *f, unsigned i, struct farm_assign *ret)
{
    const struct jobspec_stage *said = &f->spec->stages[i];
    struct farm_stage *s = &f->stages[i];
    for (unsigned k = 0; k < f->n_hosts; k++) {
        struct farm_host *h = &f->hosts[k];
        uint64_t size = may_be_fed(h) && s->slots[k] > 0 ? lot_size(f, i, h) : 0;
        uint64_t first, count;
        if (size == 0 ||
            !taskset_run(backlog_pending(f->backlog, i), 0, size, &first, &count))
            continue;
        struct tried_task had = tried_run(&s->tried, first, count, &count);
        if (had.crashes > 0)
            count = 1;
        /* Who stood beside a task that crashed is suspected, too: not the last time. */
        bool alone = had.crashes > 0 && had.crashes + 1 >= said->crash_limit;
        backlog_take(f->backlog, i, first, count);
        if (h->granted[i] == NULL)
            h->granted[i] = taskset_make(said->n_tasks);
        (void)taskset_add(h->granted[i], first, count);
        h->last_lot[i] = count;
        h->dry = false;
        feed(h, size, count);
        f->members[0] = h->asker;
        *ret = (struct farm_assign){.kind = FARM_LOT,
                                    .stage = i,
                                    .first = first,
                                    .count = count,
                                    .lot = lot_number(f, i),
                                    .attempt = had.attempts,
                                    .priority = said->priority,
                                    .most = said->max_in_flight > 0 || had.crashes > 0,
                                    .alone = alone,
                                    .n_members = 1,
                                    .members = f->members};
        return true;
    }
    return false;
}

static int new_group(struct farm *f, unsigned stage, uint64_t task, unsigned n)
{
    unsigned k = 0;
    for (; k < f->n_groups && f->groups[k].on; k++) {
        farm_end_group(f, &f->groups[k]);
        if (!f->groups[k].on)
            break;
    }
    if (k == f->n_groups)
        f->groups = xrealloc(f->groups, ++f->n_groups, sizeof(*f->groups));
    f->groups[k] = (struct farm_group){
        .stage = stage, .task = task, .lead = f->members[0], .n_left = n, .on = true};
    return (int)k;
}

static void form_group(
    struct farm *f, unsigned stage, uint64_t task, unsigned n, struct farm_assign *ret)
{
    uint64_t alone;
    int group = new_group(f, stage, task, n);
    for (unsigned m = 0; m < n; m++) {
        farm_not_idle(f, f->members[m]);
        f->ranks[f->members[m]].group = group;
    }
    backlog_take(f->backlog, stage, task, 1);
    *ret = (struct farm_assign){
        .kind = FARM_GROUP,
        .stage = stage,
        .first = task,
        .count = 1,
        .attempt = tried_run(&f->stages[stage].tried, task, 1, &alone).attempts,
        .epoch = ++f->epoch,
        .n_members = n,
        .members = f->members};
}

/* One task to idle ranks. *ret_waits: there are too few now, and they are to be kept. */
static bool
give_group(struct farm *f, unsigned i, struct farm_assign *ret, bool *ret_waits)
{
    unsigned want = farm_group_size(f, i), n = 0, free_soon = 0;
    uint64_t task, count, most = f->spec->stages[i].max_in_flight;
    if (want == 0 || (most > 0 && taskset_count(backlog_out(f->backlog, i)) >= most))
        return false;
    for (unsigned r = 0; r < f->n_ranks; r++) {
        const struct farm_member *m = &f->ranks[r];
        if (!farm_fits(f, i, r))
            continue;
        free_soon += m->group == FARM_NO_GROUP || f->groups[m->group].ends;
        if (m->idle && n < want)
            f->members[n++] = r;
    }
    *ret_waits = n < want && free_soon >= want;
    if (n < want || !taskset_run(backlog_pending(f->backlog, i), 0, 1, &task, &count))
        return false;
    form_group(f, i, task, n, ret);
    return true;
}

static int next_seated(struct farm *f, struct farm_assign *ret)
{
    while (f->first_waiting < f->n_waiting && !f->stopped) {
        uint32_t r = f->waiting[f->first_waiting++];
        if (!farm_has_own_task(f, r))
            continue;
        unsigned i = farm_seat_of(f, r);
        f->ranks[r].had = true;
        f->members[0] = r;
        form_group(f, i, r - f->spec->stages[i].first_rank, 1, ret);
        return 1;
    }
    return 0;
}

/* Seconds of work that a host has, or a lot where nothing was measured; 0: what it has is
 * in the hands of its ranks. Only stages that the other one can run. */
static double spare_work(const struct farm *f, unsigned host, unsigned other)
{
    double work = 0;
    for (unsigned i = 0; i < f->spec->n_stages; i++) {
        const struct taskset *t = f->hosts[host].granted[i];
        const struct farm_stage *s = &f->stages[i];
        if (t == NULL || s->slots[other] == 0 || taskset_count(t) <= s->slots[host])
            continue;
        double mean = farm_mean(f, i);
        work += mean < 0 ? (double)taskset_count(t) : mean * (double)taskset_count(t);
    }
    return work > LEAST_RECALL * f->hosts[host].n_living ? work : 0;
}

/* A host without work asks the one that has most. */
static bool give_recall(struct farm *f, struct farm_assign *ret)
{
    for (unsigned k = 0; k < f->n_hosts && f->n_hosts > 1; k++) {
        struct farm_host *h = &f->hosts[k], *from = NULL;
        double most = 0;
        if (h->unfed == 0 || h->frozen || h->seeks)
            continue;
        for (unsigned o = 0; o < f->n_hosts; o++) {
            struct farm_host *other = &f->hosts[o];
            if (o == k || other->frozen || other->recalled || other->dry ||
                other->n_living == 0)
                continue;
            double work = spare_work(f, o, k);
            if (work > most) {
                most = work;
                from = other;
            }
        }
        if (from == NULL)
            continue;
        h->seeks = from->recalled = true;
        from->for_host = k;
        unsigned rank = 0;
        while (farm_host_of(f, rank) != from || f->ranks[rank].lost)
            rank++;
        f->members[0] = rank;
        *ret = (struct farm_assign){
            .kind = FARM_RECALL, .n_members = 1, .members = f->members};
        return true;
    }
    return false;
}

static int say_stop(struct farm *f, struct farm_assign *ret)
{
    f->ended = true;
    *ret = (struct farm_assign){.kind = FARM_STOP, .members = f->members};
    for (unsigned r = 0; r < f->n_ranks; r++) {
        if (!f->ranks[r].lost)
            f->members[ret->n_members++] = r;
    }
    return 1;
}

int farm_next(struct farm *f, struct farm_assign *ret)
{
    bool kept = false;
    if (f->ended)
        return 0;
    if (f->n_idle == f->n_living && farm_over(f))
        return say_stop(f, ret);
    if (jobspec_seated(f->spec))
        return next_seated(f, ret);
    for (unsigned k = 0; k < f->spec->n_stages && !f->stopped && !kept; k++) {
        unsigned i = f->order[k];
        if (taskset_count(backlog_pending(f->backlog, i)) == 0 || f->stages[i].closed)
            continue;
        if (f->spec->stages[i].group == 1 ? give_lot(f, i, ret)
                                          : give_group(f, i, ret, &kept))
            return 1;
    }
    return !f->stopped && !kept && give_recall(f, ret);
}
