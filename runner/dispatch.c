/* See dispatch.h. Messages, each a tag:
 *   IDLE     rank -> 0    u32 (groups' tasks it was given)   nothing to do
 *   BUSY     rank -> 0    empty                              its board had work after all
 *   LOW      rank -> 0    empty                              its board will be empty soon
 *   REPORT   rank -> 0    farm_report[n]                     committed, or given back
 *   ASSIGN   0 -> rank    farm_assign, members               work, or the end of it
 *   RECALLED rank -> 0    recalled                           answers a recall
 *   HOLD     0 -> rank    loss, u32[n] (lost ranks)          freeze, say what you hold
 *   HELD     rank -> 0    held_head, claims, crashes         that
 *   THAW     0 -> rank    loss                               clear the board and go on
 *   STOP     rank -> 0, 0 -> all    u32 (enum pulse_stop)    end what runs, no more
 *   WORD     any -> any   watch_word                         who lives
 * Invariant: one sender's messages stay in order. So what a rank reported before it said
 * HELD is known before, and a rank that said so has no lot left that it did not post. */
#include "dispatch.h"
#include "base/memory.h"
#include "crashes.h"
#include <assert.h>
#include <string.h>

enum {
    TAG_IDLE = 1,
    TAG_BUSY,
    TAG_LOW,
    TAG_REPORT,
    TAG_ASSIGN,
    TAG_RECALLED,
    TAG_HOLD,
    TAG_HELD,
    TAG_THAW,
    TAG_STOP,
    TAG_WORD
};

struct outgoing {
    MPI_Request request;
    void *bytes;
    int to;
};

struct recalled {
    uint64_t lot, first, count;
};

struct held_head {
    uint64_t loss;
    uint32_t n_runs, n_crashes;
};

struct hold { /* this rank's answer to a HOLD, while it is owed */
    uint64_t loss;
    bool owed;
    uint32_t *lost;
    unsigned n_lost;
};

/* Rank 0, of each rank. */
struct standing {
    uint32_t given; /* groups' tasks that it was given */
    bool answers;   /* its HELD is waited for */
    bool unsettled; /* lost, and its host is not settled since */
    bool unsealed;
    struct crash said; /* by itself, what it ran; stage UINT32_MAX: not known */
};

struct dispatch {
    struct dispatch_setup with;
    unsigned rank, n_ranks;
    struct farm *farm;
    struct outgoing *out;
    size_t n_out;
    bool *lost;
    uint32_t given;         /* groups' tasks that this rank was given */
    struct board_lot *lots; /* that the board had no room for */
    size_t n_lots;
    struct hold hold;
    struct standing *ranks;
    struct crashes crashes; /* rank 0 */
    uint64_t *losses;       /* one a host: its round of holds; 0: none */
    uint64_t last_loss;
};

struct dispatch *dispatch_make(const struct dispatch_setup *setup)
{
    struct dispatch *d = xcalloc(1, sizeof(*d));
    int rank, n_ranks;
    d->with = *setup;
    (void)MPI_Comm_rank(setup->mpi, &rank);
    (void)MPI_Comm_size(setup->mpi, &n_ranks);
    d->rank = (unsigned)rank;
    d->n_ranks = (unsigned)n_ranks;
    d->lost = xcalloc(d->n_ranks, sizeof(*d->lost));
    if (rank == 0) {
        d->farm = farm_make(setup->farm);
        d->ranks = xcalloc(d->n_ranks, sizeof(*d->ranks));
        d->losses = xcalloc(setup->farm->n_hosts, sizeof(*d->losses));
    }
    return d;
}

void dispatch_free(struct dispatch *d)
{
    if (d == NULL)
        return;
    farm_free(d->farm);
    free(d->out); /* what a lost rank did not take stays: MPI may still look at it */
    free(d->lost);
    free(d->lots);
    free(d->hold.lost);
    free(d->ranks);
    free(d->losses);
    crashes_clear(&d->crashes);
    free(d);
}

struct farm *dispatch_farm(const struct dispatch *d)
{
    return d->farm;
}

static void post(struct dispatch *d, unsigned to, int tag, const void *bytes, size_t n)
{
    struct outgoing o = {.bytes = xcalloc(n + 1, 1), .to = (int)to};
    if (n > 0)
        memcpy(o.bytes, bytes, n);
    (void)MPI_Isend(o.bytes, (int)n, MPI_BYTE, o.to, tag, d->with.mpi, &o.request);
    d->out = xrealloc(d->out, d->n_out + 1, sizeof(*d->out));
    d->out[d->n_out++] = o;
}

bool dispatch_said_all(struct dispatch *d)
{
    size_t kept = 0;
    bool all = true;
    for (size_t i = 0; i < d->n_out; i++) {
        int done = 0;
        (void)MPI_Test(&d->out[i].request, &done, MPI_STATUS_IGNORE);
        if (done != 0) {
            free(d->out[i].bytes);
            continue;
        }
        all = all && d->lost[d->out[i].to];
        d->out[kept++] = d->out[i];
    }
    d->n_out = kept;
    return all;
}

void dispatch_idle(struct dispatch *d)
{
    if (d->rank == 0)
        farm_idle(d->farm, 0);
    else
        post(d, 0, TAG_IDLE, &d->given, sizeof(d->given));
}

void dispatch_busy(struct dispatch *d)
{
    if (d->rank == 0)
        farm_busy(d->farm, 0);
    else
        post(d, 0, TAG_BUSY, NULL, 0);
}

void dispatch_low(struct dispatch *d)
{
    if (d->rank == 0)
        farm_low(d->farm, 0);
    else
        post(d, 0, TAG_LOW, NULL, 0);
}

void dispatch_report(struct dispatch *d, struct farm_report *reports, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        reports[i].rank = d->rank;
        if (d->rank == 0)
            farm_report(d->farm, &reports[i]);
    }
    if (d->rank != 0 && n > 0)
        post(d, 0, TAG_REPORT, reports, n * sizeof(*reports));
    for (size_t i = 0; i < n; i++) {
        if (reports[i].outcome != FARM_TRIED)
            board_reported(
                d->with.board, reports[i].stage, reports[i].first, reports[i].count);
    }
}

void dispatch_stop(struct dispatch *d, enum pulse_stop level)
{
    uint32_t word = level;
    if (d->rank != 0) {
        post(d, 0, TAG_STOP, &word, sizeof(word));
        return;
    }
    farm_stop(d->farm);
    for (unsigned to = 1; to < d->n_ranks; to++) {
        if (!d->lost[to])
            post(d, to, TAG_STOP, &word, sizeof(word));
    }
}

void dispatch_word(struct dispatch *d, unsigned to, const struct watch_word *word)
{
    post(d, to, TAG_WORD, word, sizeof(*word));
}

/* ---- lots ---- */

static void post_lots(struct dispatch *d)
{
    size_t n = 0;
    while (n < d->n_lots && board_post(d->with.board, &d->lots[n]))
        n++;
    d->n_lots -= n;
    if (n > 0)
        memmove(d->lots, d->lots + n, d->n_lots * sizeof(*d->lots));
}

static void take_lot(struct dispatch *d, const struct farm_assign *a)
{
    d->lots = xrealloc(d->lots, d->n_lots + 1, sizeof(*d->lots));
    d->lots[d->n_lots++] = (struct board_lot){.id = a->lot,
                                              .stage = a->stage,
                                              .attempt = a->attempt,
                                              .first = a->first,
                                              .count = a->count,
                                              .priority = a->priority,
                                              .most = a->most,
                                              .alone = a->alone};
    post_lots(d);
}

/* A lot that waits goes back whole, else half of what nobody claimed. */
static void take_recall(struct dispatch *d)
{
    struct recalled r = {0};
    if (d->n_lots > 0) {
        const struct board_lot *last = &d->lots[--d->n_lots];
        r = (struct recalled){last->id, last->first, last->count};
    } else {
        r.count = board_recall(d->with.board, &r.lot, &r.first);
    }
    if (d->rank == 0)
        farm_recalled(d->farm, 0, r.lot, r.first, r.count);
    else
        post(d, 0, TAG_RECALLED, &r, sizeof(r));
}

static void take_assign(struct dispatch *d, const struct farm_assign *a)
{
    if (a->kind == FARM_LOT) {
        take_lot(d, a);
    } else if (a->kind == FARM_RECALL) {
        take_recall(d);
    } else {
        d->given++;
        d->with.deliver(d->with.ctx, a);
    }
}

/* ---- losses: the ranks' side ---- */

static unsigned seat_of(const struct dispatch *d, unsigned rank)
{
    unsigned seat = 0;
    for (unsigned r = 0; r < rank; r++)
        seat += d->with.hosts[r] == d->with.hosts[rank];
    return seat;
}

static void
take_hold(struct dispatch *d, uint64_t loss, const uint32_t *lost, unsigned n_lost)
{
    for (unsigned i = 0; i < n_lost; i++)
        board_bury(d->with.board, seat_of(d, lost[i]));
    d->n_lots = 0; /* nobody holds them: the farm grants their tasks again */
    d->hold.loss = loss;
    d->hold.owed = true;
    d->hold.lost = xrealloc(d->hold.lost, n_lost + 1, sizeof(*lost));
    memcpy(d->hold.lost, lost, n_lost * sizeof(*lost));
    d->hold.n_lost = n_lost;
}

static void take_held(struct dispatch *d,
                      unsigned from,
                      const struct held_head *head,
                      const struct board_claim *runs,
                      const struct crash *crashes);

static bool answer_hold(struct dispatch *d)
{
    struct hold *h = &d->hold;
    if (!h->owed || !board_freeze(d->with.board, h->loss))
        return false;
    h->owed = false;
    struct held_head head = {.loss = h->loss};
    head.n_runs = board_held(d->with.board, NULL, 0);
    AUTO_FREE(struct board_claim) runs = xcalloc(head.n_runs + 1, sizeof(*runs));
    unsigned now = board_held(d->with.board, runs, head.n_runs);
    head.n_runs = now < head.n_runs ? now : head.n_runs; /* runs shrink, none comes */
    struct crashes crashes = {0};
    for (unsigned i = 0; i < h->n_lost; i++)
        crashes_look(&crashes, d->with.board, seat_of(d, h->lost[i]), h->lost[i]);
    head.n_crashes = (uint32_t)crashes.n;
    AUTO_FREE(struct crash) list = crashes.list;
    if (d->rank == 0) {
        take_held(d, 0, &head, runs, list);
        return true;
    }
    size_t of_runs = head.n_runs * sizeof(*runs);
    size_t of_crashes = head.n_crashes * sizeof(*list);
    AUTO_FREE(char) bytes = xcalloc(1, sizeof(head) + of_runs + of_crashes);
    memcpy(bytes, &head, sizeof(head));
    memcpy(bytes + sizeof(head), runs, of_runs);
    if (of_crashes > 0)
        memcpy(bytes + sizeof(head) + of_runs, list, of_crashes);
    post(d, 0, TAG_HELD, bytes, sizeof(head) + of_runs + of_crashes);
    return true;
}

static void take_thaw(struct dispatch *d, uint64_t loss)
{
    board_clear(d->with.board, loss);
    board_thaw(d->with.board, loss);
}

/* ---- losses: rank 0's side ---- */

/* Once more with every further loss: the one that died may have said what it holds. */
static void hold_host(struct dispatch *d, unsigned host)
{
    AUTO_FREE(uint32_t) lost = xcalloc(d->n_ranks, sizeof(*lost));
    unsigned n = 0;
    uint64_t loss = d->losses[host] = ++d->last_loss;
    for (unsigned r = 0; r < d->n_ranks; r++) {
        if (d->with.hosts[r] == host && d->lost[r])
            lost[n++] = r;
    }
    AUTO_FREE(char) bytes = xcalloc(1, sizeof(loss) + n * sizeof(*lost));
    memcpy(bytes, &loss, sizeof(loss));
    memcpy(bytes + sizeof(loss), lost, n * sizeof(*lost));
    for (unsigned r = 0; r < d->n_ranks; r++) {
        d->ranks[r].answers &= d->with.hosts[r] != host;
        if (d->with.hosts[r] != host || d->lost[r])
            continue;
        d->ranks[r].answers = true;
        if (r == 0)
            take_hold(d, loss, lost, n);
        else
            post(d, r, TAG_HOLD, bytes, sizeof(loss) + n * sizeof(*lost));
    }
}

/* n_ranks: nobody is left there. */
static unsigned lowest_living(const struct dispatch *d, unsigned host)
{
    unsigned r = 0;
    while (r < d->n_ranks && (d->with.hosts[r] != host || d->lost[r]))
        r++;
    return r;
}

static void thaw(struct dispatch *d, unsigned host)
{
    uint64_t loss = d->losses[host];
    unsigned r = lowest_living(d, host);
    d->losses[host] = 0;
    if (r == 0)
        take_thaw(d, loss);
    else if (r < d->n_ranks)
        post(d, r, TAG_THAW, &loss, sizeof(loss));
}

/* All living ranks of the host have answered and all lost ones are sealed? */
static void try_settle(struct dispatch *d, unsigned host)
{
    if (d->losses[host] == 0)
        return;
    for (unsigned r = 0; r < d->n_ranks; r++) {
        if (d->with.hosts[r] == host && (d->ranks[r].answers || d->ranks[r].unsealed))
            return;
    }
    bool deserted = lowest_living(d, host) == d->n_ranks;
    for (unsigned r = 0; r < d->n_ranks; r++) {
        struct standing *s = &d->ranks[r];
        if (d->with.hosts[r] != host || !s->unsettled)
            continue;
        s->unsettled = false;
        if (!crashes_tell(&d->crashes, r, d->farm) && deserted &&
            s->said.stage != UINT32_MAX)
            farm_crashed(d->farm, r, s->said.stage, s->said.task);
    }
    farm_settle(d->farm, host);
    thaw(d, host);
}

static void take_held(struct dispatch *d,
                      unsigned from,
                      const struct held_head *head,
                      const struct board_claim *runs,
                      const struct crash *crashes)
{
    unsigned host = d->with.hosts[from];
    if (head->loss != d->losses[host])
        return;
    for (uint32_t i = 0; i < head->n_runs; i++)
        farm_held(d->farm, runs[i].stage, runs[i].first, runs[i].count);
    for (uint32_t i = 0; i < head->n_crashes; i++)
        crashes_add(&d->crashes, &crashes[i]);
    d->ranks[from].answers = false;
    try_settle(d, host);
}

void dispatch_lost(struct dispatch *d, unsigned rank)
{
    if (d->lost[rank])
        return;
    d->lost[rank] = true;
    if (d->rank != 0)
        return;
    bool over = farm_over(d->farm);
    farm_lost(d->farm, rank);
    if (over) /* nothing of it is missing */
        return;
    d->ranks[rank].unsettled = d->ranks[rank].unsealed = true;
    hold_host(d, d->with.hosts[rank]);
    d->with.seal(d->with.ctx, rank);
}

void dispatch_sealed(struct dispatch *d, unsigned rank, uint32_t stage, uint64_t task)
{
    d->ranks[rank].unsealed = false;
    d->ranks[rank].said = (struct crash){rank, stage, task};
    try_settle(d, d->with.hosts[rank]);
}

/* ---- what comes ---- */

static void take_reports(struct dispatch *d, const unsigned char *bytes, size_t n)
{
    for (size_t at = 0; at + sizeof(struct farm_report) <= n;
         at += sizeof(struct farm_report)) {
        struct farm_report r;
        memcpy(&r, bytes + at, sizeof(r));
        farm_report(d->farm, &r);
    }
}

static void take_held_bytes(struct dispatch *d, unsigned from, const char *bytes)
{
    struct held_head head;
    memcpy(&head, bytes, sizeof(head));
    size_t of_runs = head.n_runs * sizeof(struct board_claim);
    AUTO_FREE(struct board_claim) runs = xcalloc(head.n_runs + 1, sizeof(*runs));
    AUTO_FREE(struct crash) crashes = xcalloc(head.n_crashes + 1, sizeof(*crashes));
    memcpy(runs, bytes + sizeof(head), of_runs);
    memcpy(
        crashes, bytes + sizeof(head) + of_runs, head.n_crashes * sizeof(struct crash));
    take_held(d, from, &head, runs, crashes);
}

static void take_assign_bytes(struct dispatch *d, const unsigned char *bytes)
{
    struct farm_assign a;
    memcpy(&a, bytes, sizeof(a));
    AUTO_FREE(uint32_t) members = xcalloc(a.n_members, sizeof(*members));
    memcpy(members, bytes + sizeof(a), a.n_members * sizeof(*members));
    a.members = members;
    take_assign(d, &a);
}

static void take_hold_bytes(struct dispatch *d, const unsigned char *bytes, size_t n)
{
    uint64_t loss;
    memcpy(&loss, bytes, sizeof(loss));
    AUTO_FREE(uint32_t) lost = xcalloc(1, n);
    memcpy(lost, bytes + sizeof(loss), n - sizeof(loss));
    take_hold(d, loss, lost, (unsigned)((n - sizeof(loss)) / sizeof(*lost)));
}

static void
take_from_rank(struct dispatch *d, unsigned from, int tag, const void *bytes, size_t n)
{
    struct recalled r;
    uint32_t given;
    switch (tag) {
    case TAG_IDLE: /* said before it knew of the last task: it is not */
        memcpy(&given, bytes, sizeof(given));
        if (given == d->ranks[from].given)
            farm_idle(d->farm, from);
        break;
    case TAG_BUSY:
        farm_busy(d->farm, from);
        break;
    case TAG_LOW:
        farm_low(d->farm, from);
        break;
    case TAG_REPORT:
        take_reports(d, bytes, n);
        break;
    case TAG_RECALLED:
        memcpy(&r, bytes, sizeof(r));
        farm_recalled(d->farm, from, r.lot, r.first, r.count);
        break;
    default:
        assert(tag == TAG_HELD);
        take_held_bytes(d, from, bytes);
    }
}

static void take(struct dispatch *d, unsigned from, int tag, const void *bytes, size_t n)
{
    struct watch_word word;
    uint64_t loss;
    uint32_t level;
    if (tag == TAG_WORD) { /* a lost rank may have to be told */
        memcpy(&word, bytes, sizeof(word));
        d->with.word(d->with.ctx, from, &word);
        return;
    }
    if (d->lost[from])
        return;
    switch (tag) {
    case TAG_ASSIGN:
        take_assign_bytes(d, bytes);
        break;
    case TAG_HOLD:
        take_hold_bytes(d, bytes, n);
        break;
    case TAG_THAW:
        memcpy(&loss, bytes, sizeof(loss));
        take_thaw(d, loss);
        break;
    case TAG_STOP:
        memcpy(&level, bytes, sizeof(level));
        d->with.stop(d->with.ctx, (enum pulse_stop)level);
        break;
    default:
        take_from_rank(d, from, tag, bytes, n);
    }
}

bool dispatch_step(struct dispatch *d)
{
    bool any = false;
    for (int flag = 1; flag != 0;) {
        MPI_Message m;
        MPI_Status status;
        (void)MPI_Improbe(MPI_ANY_SOURCE, MPI_ANY_TAG, d->with.mpi, &flag, &m, &status);
        if (flag == 0)
            break;
        int n;
        (void)MPI_Get_count(&status, MPI_BYTE, &n);
        AUTO_FREE(unsigned char) bytes = xcalloc((size_t)n + 1, 1);
        (void)MPI_Mrecv(bytes, n, MPI_BYTE, &m, MPI_STATUS_IGNORE);
        take(d, (unsigned)status.MPI_SOURCE, status.MPI_TAG, bytes, (size_t)n);
        any |= status.MPI_TAG != TAG_REPORT;
    }
    if (d->n_lots > 0)
        post_lots(d);
    return answer_hold(d) || any;
}

static void send_assign(struct dispatch *d, const struct farm_assign *a)
{
    size_t members = a->n_members * sizeof(*a->members);
    AUTO_FREE(unsigned char) bytes = xcalloc(1, sizeof(*a) + members);
    memcpy(bytes, a, sizeof(*a));
    memcpy(bytes + sizeof(*a), a->members, members);
    for (uint32_t i = 0; i < a->n_members; i++) {
        unsigned to = a->members[i];
        if (a->kind == FARM_GROUP || a->kind == FARM_STOP)
            d->ranks[to].given++;
        if (to == 0)
            take_assign(d, a);
        else
            post(d, to, TAG_ASSIGN, bytes, sizeof(*a) + members);
    }
}

bool dispatch_hand_out(struct dispatch *d)
{
    struct farm_assign a;
    bool any = false;
    for (; farm_next(d->farm, &a) > 0; any = true)
        send_assign(d, &a);
    return any;
}
