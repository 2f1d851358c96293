/* The farm and the boards of several hosts in virtual time: random tasks, messages that
 * take a while, attempts that fail, ranks that die. Every task is committed once, no
 * attempt's number is given twice, nothing hangs, and hosts end together. The board is
 * the real one, in plain memory; of dispatch.c, which needs MPI, the order of steps is
 * followed here. */
#include "base/memory.h"
#include "result/record.h"
#include "runner/board.h"
#include "runner/farm.h"
#include <criterion/criterion.h>
#include <inttypes.h>
#include <math.h>
#include <time.h>

enum { MOST_RANKS = 24, MOST_HOSTS = 24, MOST_STAGES = 4, MOST_EVENTS = 5000000 };

enum event_kind {
    RANK_GOES = 1, /* its compute thread has ended a task, or looks for one */
    FLUSH,         /* its writer commits what is finished */
    TO_FARM,       /* a message of a rank */
    TO_RANK,       /* an assignment, a hold, a thaw */
    DEATH,
    NOTICED
};

enum word { SAYS_IDLE = 1, SAYS_BUSY, SAYS_LOW, REPORTS, RECALLED, HELD, HOLD, THAW };

struct event {
    double at;
    uint64_t seq;
    enum event_kind kind;
    enum word word; /* TO_RANK: 0: the assignment */
    unsigned rank;
    uint64_t life; /* RANK_GOES: of the state that it was made for */
    uint64_t number;
    struct farm_report report;
    struct farm_assign assign;
    uint32_t members[MOST_RANKS];
    struct board_claim *runs;
};

struct run_of { /* tasks that were finished and are not committed */
    uint32_t stage, attempt;
    uint64_t task;
    double seconds;
};

struct tried_by { /* attempts that a rank committed, none of them the last */
    uint32_t stage, attempts;
    uint64_t task;
};

struct rank {
    unsigned host, seat;
    struct board *board;
    bool dead, noticed, idle, told_idle, computing, flushing, stopped, has_group;
    bool claimed;
    struct board_claim claim;
    uint64_t task, life, version, given, low_version;
    uint32_t stage, attempt;
    double began, last_sent, last_got;
    struct farm_assign group;
    uint32_t members[MOST_RANKS];
    struct run_of *finished;
    size_t n_finished;
    struct tried_by *tried;
    size_t n_tried;
    struct board_lot *lots;
    size_t n_lots;
};

struct sim {
    struct jobspec spec;
    struct jobspec_stage stages[MOST_STAGES];
    struct jobspec_need needs[MOST_STAGES];
    unsigned n_ranks, n_hosts, per_host;
    struct farm *farm;
    struct rank ranks[MOST_RANKS];
    void *boards[MOST_HOSTS];
    uint64_t loss, losses[MOST_HOSTS], given[MOST_RANKS];
    bool answers[MOST_RANKS];
    struct event *heap;
    size_t n_events, room;
    uint64_t seq, random, n_tasks;
    double now, last_end, work, longest;
    float *seconds[MOST_STAGES];
    unsigned char *commits[MOST_STAGES]; /* how often each task was */
    uint64_t *numbers[MOST_STAGES];      /* bits: its attempts that are on file */
    double latency, failing;             /* this share of attempts fails */
};

static double uniform(struct sim *s)
{
    s->random = s->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (double)(s->random >> 11) / 9007199254740992.0;
}

static bool before(const struct event *a, const struct event *b)
{
    return a->at < b->at || (a->at == b->at && a->seq < b->seq);
}

static void push(struct sim *s, struct event e)
{
    if (s->n_events == s->room) {
        s->room = 2 * s->room + 64;
        s->heap = xrealloc(s->heap, s->room, sizeof(*s->heap));
    }
    e.seq = s->seq++;
    size_t i = s->n_events++;
    for (; i > 0 && before(&e, &s->heap[(i - 1) / 2]); i = (i - 1) / 2)
        s->heap[i] = s->heap[(i - 1) / 2];
    s->heap[i] = e;
}

static struct event pop(struct sim *s)
{
    struct event top = s->heap[0], e = s->heap[--s->n_events];
    size_t i = 0;
    for (;;) {
        size_t kid = 2 * i + 1;
        if (kid >= s->n_events)
            break;
        kid += kid + 1 < s->n_events && before(&s->heap[kid + 1], &s->heap[kid]);
        if (!before(&s->heap[kid], &e))
            break;
        s->heap[i] = s->heap[kid];
        i = kid;
    }
    s->heap[i] = e;
    return top;
}

/* One sender's messages stay in order. */
static double arrival(struct sim *s, double *last)
{
    double at = s->now + s->latency * (0.2 + uniform(s));
    *last = at > *last ? at : *last;
    return *last;
}

static void to_farm(struct sim *s, unsigned rank, struct event e)
{
    e.kind = TO_FARM;
    e.rank = rank;
    e.at = arrival(s, &s->ranks[rank].last_sent);
    push(s, e);
}

static void to_rank(struct sim *s, unsigned rank, struct event e)
{
    e.kind = TO_RANK;
    e.rank = rank;
    e.at = arrival(s, &s->ranks[rank].last_got);
    push(s, e);
}

static void go_at(struct sim *s, unsigned rank, double at)
{
    struct event e = {.kind = RANK_GOES, .rank = rank, .at = at};
    e.life = ++s->ranks[rank].life;
    push(s, e);
}

/* ---- a rank ---- */

static void report(struct sim *s, struct rank *r, struct farm_report report)
{
    unsigned rank = (unsigned)(r - s->ranks);
    report.rank = rank;
    to_farm(s, rank, (struct event){.word = REPORTS, .report = report});
    board_reported(r->board, report.stage, report.first, report.count);
}

static void number(struct sim *s, uint32_t stage, uint64_t task, uint32_t attempt)
{
    uint64_t bit = UINT64_C(1) << attempt % 64;
    cr_assert((s->numbers[stage][task] & bit) == 0,
              "task %" PRIu64 " of %u: attempt %u twice",
              task,
              stage,
              attempt);
    s->numbers[stage][task] |= bit;
}

static void commit(struct sim *s, struct rank *r)
{
    for (size_t i = 0; i < r->n_finished; i++) {
        const struct run_of *f = &r->finished[i];
        unsigned char *times = &s->commits[f->stage][f->task];
        cr_assert_eq((*times)++, 0, "task %" PRIu64 " of %u twice", f->task, f->stage);
        number(s, f->stage, f->task, f->attempt);
    }
}

static void flush(struct sim *s, struct rank *r)
{
    commit(s, r);
    for (size_t i = 0; i < r->n_finished; i++) {
        const struct run_of *f = &r->finished[i];
        report(s,
               r,
               (struct farm_report){.stage = f->stage,
                                    .outcome = FARM_DONE,
                                    .first = f->task,
                                    .count = 1,
                                    .seconds = f->seconds});
    }
    r->n_finished = 0;
    r->flushing = false;
}

static void finish_task(struct sim *s, struct rank *r)
{
    r->finished = xrealloc(r->finished, r->n_finished + 1, sizeof(*r->finished));
    r->finished[r->n_finished++] =
        (struct run_of){r->stage, r->attempt, r->task, s->now - r->began};
    board_running(r->board, UINT32_MAX, 0);
    s->last_end = s->now;
    if (!r->flushing) {
        r->flushing = true;
        push(s,
             (struct event){.kind = FLUSH,
                            .rank = (unsigned)(r - s->ranks),
                            .at = s->now + 5 * s->latency * uniform(s)});
    }
}

static void
start_task(struct sim *s, struct rank *r, uint32_t stage, uint64_t task, uint32_t attempt)
{
    r->computing = true;
    r->stage = stage;
    r->task = task;
    r->attempt = attempt;
    r->began = s->now;
    board_running(r->board, stage, task);
    go_at(s, (unsigned)(r - s->ranks), s->now + (double)s->seconds[stage][task]);
}

/* The attempt has failed, and is on file; the next one begins. */
static void try_again(struct sim *s, struct rank *r)
{
    number(s, r->stage, r->task, r->attempt);
    r->tried = xrealloc(r->tried, r->n_tried + 1, sizeof(*r->tried));
    r->tried[r->n_tried++] = (struct tried_by){r->stage, r->attempt, r->task};
    start_task(s, r, r->stage, r->task, r->attempt + 1);
}

static void say(struct sim *s, struct rank *r, enum word word)
{
    struct event e = {.word = word, .number = r->given};
    to_farm(s, (unsigned)(r - s->ranks), e);
}

static void see_low(struct sim *s, struct rank *r)
{
    uint64_t version = board_version(r->board);
    if (version == r->low_version || !board_low(r->board))
        return;
    r->low_version = version;
    say(s, r, SAYS_LOW);
}

/* The others of a group that its lead ended, or gave up. */
static void end_group(struct sim *s, struct rank *lead)
{
    for (unsigned m = 1; m < lead->group.n_members; m++) {
        struct rank *r = &s->ranks[lead->members[m]];
        if (!r->dead && r->computing && r->stage == UINT32_MAX &&
            r->group.epoch == lead->group.epoch) {
            r->computing = false;
            r->group.n_members = 0;
            board_running(r->board, UINT32_MAX, 0);
            go_at(s, lead->members[m], s->now);
        }
    }
    lead->group.n_members = 0;
}

static bool lost_member(const struct sim *s, const struct rank *r)
{
    bool lost = false;
    for (unsigned m = 0; m < r->group.n_members; m++)
        lost |= s->ranks[r->members[m]].noticed;
    return lost;
}

/* A member is lost: every wait of the others ends. */
static void give_up_group(struct sim *s, struct rank *r)
{
    unsigned rank = (unsigned)(r - s->ranks);
    r->computing = false;
    board_running(r->board, UINT32_MAX, 0);
    if (r->members[0] == rank)
        report(s,
               r,
               (struct farm_report){.stage = r->group.stage,
                                    .outcome = FARM_RETURNED,
                                    .first = r->group.first,
                                    .count = 1,
                                    .attempts = r->attempt > 0 ? r->attempt - 1 : 0});
    r->group.n_members = 0;
    go_at(s, rank, s->now);
}

static void start_group(struct sim *s, struct rank *r)
{
    unsigned rank = (unsigned)(r - s->ranks);
    const struct rank *lead = &s->ranks[r->members[0]];
    r->has_group = r->told_idle = r->idle = false;
    r->attempt = 0;
    if (lost_member(s, r)) {
        give_up_group(s, r);
    } else if (r == lead) {
        start_task(s, r, r->group.stage, r->group.first, r->group.attempt + 1);
    } else if (lead->group.epoch > r->group.epoch ||
               (lead->group.epoch == r->group.epoch && lead->group.n_members == 0)) {
        r->group.n_members = 0; /* it is over */
        go_at(s, rank, s->now);
    } else {
        r->computing = true; /* until its lead says so */
        r->stage = UINT32_MAX;
        board_running(r->board, r->group.stage, r->group.first);
    }
}

static void look_for_work(struct sim *s, struct rank *r)
{
    uint64_t task;
    if (r->claimed && board_take(r->board, 1, &task) > 0) {
        start_task(s, r, r->claim.stage, task, r->claim.attempt + 1);
        return;
    }
    r->claimed = false;
    if (r->has_group) {
        start_group(s, r);
        return;
    }
    r->version = board_version(r->board);
    if (board_claim(r->board, &r->claim) == BOARD_CLAIMED) {
        r->claimed = true;
        if (r->told_idle)
            say(s, r, SAYS_BUSY);
        r->idle = r->told_idle = false;
        see_low(s, r);
        cr_assert_eq(board_take(r->board, 1, &task), 1);
        start_task(s, r, r->claim.stage, task, r->claim.attempt + 1);
        return;
    }
    r->idle = r->told_idle = true;
    say(s, r, SAYS_IDLE);
}

static void rank_goes(struct sim *s, struct rank *r)
{
    if (r->computing && r->stage != UINT32_MAX && uniform(s) < s->failing) {
        try_again(s, r);
        return;
    }
    if (r->computing) {
        r->computing = false;
        finish_task(s, r);
        if (r->group.n_members > 0 && !r->claimed)
            end_group(s, r);
    }
    look_for_work(s, r);
}

/* Its idle ranks look again. */
static void board_changed(struct sim *s, unsigned host)
{
    for (unsigned i = 0; i < s->n_ranks; i++) {
        struct rank *r = &s->ranks[i];
        if (r->host == host && r->idle && !r->dead && !r->computing && !r->stopped)
            go_at(s, i, s->now + s->latency * uniform(s));
    }
}

static void post_lots(struct sim *s, struct rank *r)
{
    size_t n = 0;
    while (n < r->n_lots && board_post(r->board, &r->lots[n]))
        n++;
    if (n == 0)
        return;
    r->n_lots -= n;
    memmove(r->lots, r->lots + n, r->n_lots * sizeof(*r->lots));
    board_changed(s, r->host);
}

static void take_recall(struct sim *s, struct rank *r)
{
    struct event e = {.word = RECALLED};
    if (r->n_lots > 0) {
        const struct board_lot *last = &r->lots[--r->n_lots];
        e.number = last->id;
        e.report = (struct farm_report){.first = last->first, .count = last->count};
    } else {
        e.report.count = board_recall(r->board, &e.number, &e.report.first);
    }
    to_farm(s, (unsigned)(r - s->ranks), e);
}

static void take_assign(struct sim *s, struct rank *r, const struct event *e)
{
    const struct farm_assign *a = &e->assign;
    if (a->kind == FARM_LOT) {
        r->lots = xrealloc(r->lots, r->n_lots + 1, sizeof(*r->lots));
        r->lots[r->n_lots++] = (struct board_lot){.id = a->lot,
                                                  .stage = a->stage,
                                                  .attempt = a->attempt,
                                                  .first = a->first,
                                                  .count = a->count,
                                                  .priority = a->priority,
                                                  .most = a->most};
        post_lots(s, r);
    } else if (a->kind == FARM_RECALL) {
        take_recall(s, r);
    } else if (a->kind == FARM_STOP) {
        r->stopped = true;
    } else {
        r->given++;
        r->group = *a;
        memcpy(r->members, e->members, sizeof(r->members));
        r->has_group = true;
        if (!r->computing && !r->claimed)
            go_at(s, e->rank, s->now);
    }
}

static void take_hold(struct sim *s, struct rank *r, uint64_t loss)
{
    for (unsigned i = 0; i < s->n_ranks; i++) {
        if (s->ranks[i].host == r->host && s->ranks[i].noticed)
            board_bury(r->board, s->ranks[i].seat);
    }
    r->n_lots = 0;
    cr_assert(board_freeze(r->board, loss), "nobody is in the middle of a claim here");
    struct event e = {.word = HELD, .number = loss};
    e.report.count = board_held(r->board, NULL, 0);
    e.runs = xcalloc(e.report.count + 1, sizeof(*e.runs));
    (void)board_held(r->board, e.runs, (unsigned)e.report.count);
    to_farm(s, (unsigned)(r - s->ranks), e);
}

static void rank_takes(struct sim *s, const struct event *e)
{
    struct rank *r = &s->ranks[e->rank];
    if (r->dead)
        return;
    if (e->word == HOLD) {
        take_hold(s, r, e->number);
    } else if (e->word == THAW) {
        board_clear(r->board, e->number);
        board_thaw(r->board, e->number);
        board_changed(s, r->host);
        for (unsigned i = 0; i < s->n_ranks; i++) {
            if (s->ranks[i].host == r->host && !s->ranks[i].dead)
                post_lots(s, &s->ranks[i]);
        }
    } else {
        take_assign(s, r, e);
    }
    if (r->n_lots > 0)
        post_lots(s, r);
}

/* ---- rank 0 ---- */

static void hold_host(struct sim *s, unsigned host)
{
    s->losses[host] = ++s->loss;
    for (unsigned i = 0; i < s->n_ranks; i++) {
        if (s->ranks[i].host != host)
            continue;
        s->answers[i] = !s->ranks[i].noticed;
        if (s->answers[i])
            to_rank(s, i, (struct event){.word = HOLD, .number = s->loss});
    }
}

static void seal(struct sim *s, struct rank *r)
{
    uint32_t stage;
    uint64_t task;
    for (unsigned i = 0; i < s->spec.n_stages; i++) {
        for (uint64_t t = 0; t < s->stages[i].n_tasks; t++) {
            if (s->commits[i][t] == 0)
                continue;
            struct farm_report known = {
                .stage = i, .outcome = FARM_DONE, .first = t, .count = 1};
            farm_report(s->farm, &known);
        }
    }
    for (size_t i = 0; i < r->n_tried; i++) {
        const struct tried_by *t = &r->tried[i];
        struct farm_report tried = {.stage = t->stage,
                                    .outcome = FARM_TRIED,
                                    .first = t->task,
                                    .count = 1,
                                    .attempts = t->attempts};
        if (s->commits[t->stage][t->task] == 0)
            farm_report(s->farm, &tried);
    }
    if (board_was_running(r->board, r->seat, &stage, &task) &&
        s->commits[stage][task] == 0)
        farm_crashed(s->farm, (unsigned)(r - s->ranks), stage, task);
}

static void try_settle(struct sim *s, unsigned host)
{
    unsigned lowest = UINT32_MAX;
    for (unsigned i = s->n_ranks; i-- > 0;) {
        if (s->ranks[i].host != host)
            continue;
        if (s->answers[i])
            return;
        if (!s->ranks[i].noticed)
            lowest = i;
    }
    if (s->losses[host] == 0)
        return;
    farm_settle(s->farm, host);
    if (lowest != UINT32_MAX)
        to_rank(s, lowest, (struct event){.word = THAW, .number = s->losses[host]});
    s->losses[host] = 0;
}

static void notice(struct sim *s, unsigned rank)
{
    struct rank *r = &s->ranks[rank];
    r->noticed = true;
    farm_lost(s->farm, rank);
    hold_host(s, r->host);
    seal(s, r);
    for (unsigned i = 0; i < s->n_ranks; i++) {
        struct rank *o = &s->ranks[i];
        if (!o->dead && o->computing && !o->claimed && lost_member(s, o))
            give_up_group(s, o);
    }
    try_settle(s, r->host);
}

static void farm_takes(struct sim *s, struct event *e)
{
    const struct rank *r = &s->ranks[e->rank];
    AUTO_FREE(struct board_claim) runs = e->runs;
    if (r->noticed)
        return;
    switch (e->word) {
    case SAYS_IDLE:
        if (e->number == s->given[e->rank])
            farm_idle(s->farm, e->rank);
        break;
    case SAYS_BUSY:
        farm_busy(s->farm, e->rank);
        break;
    case SAYS_LOW:
        farm_low(s->farm, e->rank);
        break;
    case REPORTS:
        farm_report(s->farm, &e->report);
        break;
    case RECALLED:
        farm_recalled(s->farm, e->rank, e->number, e->report.first, e->report.count);
        break;
    default:
        if (e->number != s->losses[r->host])
            break;
        for (uint64_t i = 0; i < e->report.count; i++)
            farm_held(s->farm, runs[i].stage, runs[i].first, runs[i].count);
        s->answers[e->rank] = false;
        try_settle(s, r->host);
    }
}

static void hand_out(struct sim *s)
{
    struct farm_verdict v;
    while (farm_next_verdict(s->farm, &v) > 0) {
        bool ends = v.status != RESULT_RETRIED;
        if (v.status != RESULT_SKIPPED)
            number(s, v.stage, v.first, v.attempt);
        for (uint64_t t = v.first; ends && t < v.first + v.count; t++)
            cr_assert_eq(s->commits[v.stage][t]++, 0, "a verdict on what is over");
    }
    struct event e = {.word = 0};
    while (farm_next(s->farm, &e.assign) > 0) {
        memcpy(e.members, e.assign.members, e.assign.n_members * sizeof(*e.members));
        for (unsigned m = 0; m < e.assign.n_members; m++) {
            s->given[e.members[m]] += e.assign.kind == FARM_GROUP;
            to_rank(s, e.members[m], e);
        }
    }
}

/* ---- a run ---- */

static void set_up(struct sim *s)
{
    struct farm_seat seats[MOST_RANKS];
    s->n_hosts = (s->n_ranks + s->per_host - 1) / s->per_host;
    s->spec.stages = s->stages;
    for (unsigned h = 0; h < s->n_hosts; h++) {
        unsigned n = s->n_ranks - h * s->per_host;
        n = n < s->per_host ? n : s->per_host;
        s->boards[h] = xcalloc(1, board_bytes(n, s->spec.n_stages));
        board_init(s->boards[h], n, s->spec.n_stages);
    }
    for (unsigned r = 0; r < s->n_ranks; r++) {
        s->ranks[r].host = r / s->per_host;
        s->ranks[r].seat = r % s->per_host;
        s->ranks[r].low_version = UINT64_MAX;
        s->ranks[r].board = board_open(s->boards[s->ranks[r].host], s->ranks[r].seat);
        seats[r] = (struct farm_seat){.host = s->ranks[r].host, .cores = 1};
        go_at(s, r, s->latency * uniform(s));
    }
    for (unsigned i = 0; i < s->spec.n_stages; i++) {
        s->commits[i] = xcalloc(s->stages[i].n_tasks + 1, 1);
        s->numbers[i] = xcalloc(s->stages[i].n_tasks + 1, sizeof(uint64_t));
    }
    struct farm_setup setup = {
        .spec = &s->spec, .seats = seats, .n_ranks = s->n_ranks, .n_hosts = s->n_hosts};
    s->farm = farm_make(&setup);
}

static void tear_down(struct sim *s)
{
    farm_free(s->farm);
    for (unsigned r = 0; r < s->n_ranks; r++) {
        board_close(s->ranks[r].board);
        free(s->ranks[r].finished);
        free(s->ranks[r].tried);
        free(s->ranks[r].lots);
    }
    for (unsigned h = 0; h < s->n_hosts; h++)
        free(s->boards[h]);
    for (unsigned i = 0; i < s->spec.n_stages; i++) {
        free(s->commits[i]);
        free(s->numbers[i]);
        free(s->seconds[i]);
    }
    for (size_t i = 0; i < s->n_events; i++)
        free(s->heap[i].kind == TO_FARM ? s->heap[i].runs : NULL);
    free(s->heap);
}

static bool all_stopped(const struct sim *s)
{
    for (unsigned r = 0; r < s->n_ranks; r++) {
        if (!s->ranks[r].dead && !s->ranks[r].stopped)
            return false;
    }
    return true;
}

/* For who looks for the reason. */
static void tell(const struct sim *s)
{
    for (unsigned i = 0; i < s->n_ranks; i++) {
        const struct rank *r = &s->ranks[i];
        (void)fprintf(stderr,
                      "rank %u of host %u:%s%s%s%s%s, %zu lots wait\n",
                      i,
                      r->host,
                      r->dead ? " dead" : "",
                      r->noticed ? " noticed" : "",
                      r->idle ? " idle" : "",
                      r->computing ? " computing" : "",
                      r->has_group ? " has a group's task" : "",
                      r->n_lots);
    }
    for (unsigned i = 0; i < s->spec.n_stages; i++) {
        uint64_t n = 0;
        for (uint64_t t = 0; t < s->stages[i].n_tasks; t++)
            n += s->commits[i][t];
        (void)fprintf(stderr,
                      "stage %u, group %u: %" PRIu64 " of %" PRIu64 "\n",
                      i,
                      s->stages[i].group,
                      n,
                      s->stages[i].n_tasks);
    }
}

static void run(struct sim *s)
{
    hand_out(s);
    for (unsigned n = 0; !all_stopped(s); n++) {
        if (s->n_events == 0)
            tell(s);
        cr_assert_gt(s->n_events, 0, "nothing happens any more at %g s", s->now);
        cr_assert_lt(n, (unsigned)MOST_EVENTS, "no end in sight at %g s", s->now);
        struct event e = pop(s);
        struct rank *r = &s->ranks[e.rank];
        s->now = e.at;
        if (e.kind == RANK_GOES && !r->dead && e.life == r->life && !r->stopped)
            rank_goes(s, r);
        else if (e.kind == FLUSH && !r->dead)
            flush(s, r);
        else if (e.kind == TO_RANK)
            rank_takes(s, &e);
        else if (e.kind == TO_FARM)
            farm_takes(s, &e);
        else if (e.kind == NOTICED)
            notice(s, e.rank);
        else if (e.kind == DEATH)
            r->dead = true;
        if (e.kind == TO_FARM || e.kind == NOTICED)
            hand_out(s);
    }
    cr_assert(farm_complete(s->farm));
    for (unsigned i = 0; i < s->spec.n_stages; i++) {
        for (uint64_t t = 0; t < s->stages[i].n_tasks; t++)
            cr_assert_eq(s->commits[i][t], 1, "task %" PRIu64 " of stage %u", t, i);
    }
}

static void
add_stage(struct sim *s, uint64_t n, unsigned group, double (*of)(struct sim *))
{
    unsigned i = s->spec.n_stages++;
    s->stages[i] = (struct jobspec_stage){
        .name = "s", .n_tasks = n, .group = group, .crash_limit = 1000};
    s->seconds[i] = xcalloc(n + 1, sizeof(float));
    for (uint64_t t = 0; t < n; t++) {
        double seconds = of(s);
        s->seconds[i][t] = (float)seconds;
        s->work += seconds;
        s->longest = seconds > s->longest ? seconds : s->longest;
    }
}

static double even(struct sim *s)
{
    return 0.01 + 0.02 * uniform(s);
}

static double bimodal(struct sim *s)
{
    return uniform(s) < 0.9 ? 0.002 : 0.182;
}

static double heavy(struct sim *s)
{
    double pareto = 0.007 * pow(1 - uniform(s), -1 / 1.5);
    return pareto < 2 ? pareto : 2;
}

static double very_short(struct sim *s)
{
    return 1e-5 + 1e-5 * uniform(s);
}

static uint64_t fresh_seed(void)
{
    const char *said = getenv("GRIDMILL_SEED");
    uint64_t seed = said != NULL ? strtoull(said, NULL, 10) : (uint64_t)time(NULL);
    (void)fprintf(stderr, "GRIDMILL_SEED=%" PRIu64 "\n", seed);
    return seed;
}

Test(farm_sim, hosts_end_within_three_percent_of_the_lower_bound)
{
    static const struct {
        const char *name;
        double (*of)(struct sim *);
        uint64_t n;
    } loads[] = {{"uniform", even, 40000},
                 {"bimodal", bimodal, 40000},
                 {"heavy-tailed", heavy, 40000},
                 {"very short", very_short, 400000}};
    uint64_t seed = fresh_seed();
    /* As much work a rank on four hosts as on one: who does not know how long a task
     * takes may start the longest one last, and that is to be a hundredth of the whole.
     */
    for (unsigned hosts = 1; hosts <= 4; hosts += 3) {
        for (size_t i = 0; i < sizeof(loads) / sizeof(loads[0]); i++) {
            struct sim s = {
                .n_ranks = 4 * hosts, .per_host = 4, .random = seed, .latency = 500e-6};
            add_stage(&s, loads[i].n * hosts, 1, loads[i].of);
            set_up(&s);
            run(&s);
            double bound = s.work / s.n_ranks;
            bound = bound > s.longest ? bound : s.longest;
            (void)fprintf(stderr,
                          "%-12s %u hosts: %.4f of %g s\n",
                          loads[i].name,
                          hosts,
                          s.last_end / bound,
                          bound);
            /* A start and an end cost some messages, and each turn of recalls at the tail
             * two more, however short the job is. */
            cr_expect_lt(s.last_end, 1.03 * bound + 120 * s.latency);
            tear_down(&s);
        }
    }
}

static void random_job(struct sim *s)
{
    unsigned n_stages = 1 + (unsigned)(3 * uniform(s));
    s->n_ranks = 1 + (unsigned)(12 * uniform(s));
    s->per_host = 1 + (unsigned)(6 * uniform(s));
    s->latency = uniform(s) < 0.5 ? 1e-4 : 1e-2;
    s->failing = uniform(s) < 0.5 ? 0 : 0.2;
    uint64_t n = 1 + (uint64_t)(400 * uniform(s));
    for (unsigned i = 0; i < n_stages; i++) {
        unsigned group = uniform(s) < 0.3 ? 2 + (unsigned)(3 * uniform(s)) : 1;
        bool partner = i > 0 && uniform(s) < 0.5;
        add_stage(s, partner ? s->stages[i - 1].n_tasks : n, group, even);
        s->stages[i].priority = (int32_t)(3 * uniform(s));
        s->stages[i].max_in_flight =
            uniform(s) < 0.2 ? 1 + (uint64_t)(5 * uniform(s)) : 0;
        if (i == 0 || uniform(s) < 0.2)
            continue;
        s->needs[i] =
            (struct jobspec_need){.stage = i - 1, .strict = true, .same_index = partner};
        s->stages[i].needs = &s->needs[i];
        s->stages[i].n_needs = 1;
    }
}

static void kill_some(struct sim *s)
{
    unsigned n = (unsigned)((double)s->n_ranks * uniform(s));
    double most = 2 * s->work / s->n_ranks;
    for (unsigned i = 0; i < n && s->n_ranks > 1; i++) {
        unsigned rank = 1 + (unsigned)((s->n_ranks - 1) * uniform(s));
        double at = most * uniform(s);
        if (s->ranks[rank].life == UINT64_MAX)
            continue;
        bool twice = false;
        for (size_t k = 0; k < s->n_events; k++)
            twice |= s->heap[k].kind == DEATH && s->heap[k].rank == rank;
        if (twice)
            continue;
        push(s, (struct event){.kind = DEATH, .rank = rank, .at = at});
        push(s, (struct event){.kind = NOTICED, .rank = rank, .at = at + uniform(s)});
    }
}

Test(farm_sim, whoever_dies_every_task_is_committed_once, .timeout = 3600)
{
    uint64_t seed = fresh_seed();
    const char *said = getenv("GRIDMILL_TEST_DEATHS");
    unsigned long jobs = said != NULL ? strtoul(said, NULL, 10) : 300;
    for (unsigned long i = 0; i < jobs; i++) {
        struct sim s = {.random = seed + i * UINT64_C(0x9E3779B97F4A7C15)};
        random_job(&s);
        set_up(&s);
        kill_some(&s);
        run(&s);
        tear_down(&s);
    }
}
