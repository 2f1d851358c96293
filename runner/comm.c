/* See comm.h.
 *
 * Invariant: every request is complete before a call returns, so buffers may be reused. A
 * large send cannot be taken back (it waits for its receiver). So whoever gives up goes
 * on receiving, and drops, what the others still send, until all have settled: a member
 * settles only when its own sends are complete, so nothing of an attempt outlives it. */
#include "comm.h"
#include "base/clock.h"
#include "comm_inside.h"
#include <assert.h>
#include <sched.h>

enum {
    FEW = 16, /* polls that a wait is not timed for: reading the clock takes as long */
    SPINS = 256,
    NAPS_FROM = 400 * SPINS, /* polls, some 20 ms, after which a wait naps between them */
    TAG_ABANDON = 1,
    TAG_SETTLE,
    TAG_DECIDE,
    TAG_DATA /* and above: one an attempt, so that one's end drops none of the next's */
};

static const double NAP = 50e-6, NAP_AT_END = 500e-6; /* s */
/* A large transfer that is under way when a member is lost cannot be taken back; when it
 * has not ended after this long, it is left alone. */
static const double PATIENCE = 3; /* s */
/* With the leader lost nobody tells when all have let go of the attempt: the others learn
 * of it within this time, and their sends want to be received. */
static const double LINGER = 0.6; /* s */

struct settlement {
    int32_t code;
    int32_t abandoned; /* 1: the code came from another rank's failure */
    char text[sizeof(((struct gm_error *)0)->text)];
};

/* Another rank of the group has failed. What was said of an earlier attempt is old. */
static bool group_given_up(struct comm *c)
{
    for (int flag = 1; flag != 0 && !c->abandoned;) {
        MPI_Message message;
        (void)MPI_Improbe(
            MPI_ANY_SOURCE, TAG_ABANDON, c->mpi, &flag, &message, MPI_STATUS_IGNORE);
        if (flag == 0)
            break;
        uint64_t attempt = 0;
        (void)MPI_Mrecv(&attempt, 1, MPI_UINT64_T, &message, MPI_STATUS_IGNORE);
        c->abandoned = attempt == c->attempt;
    }
    return c->abandoned;
}

static bool asked_to_stop(struct comm *c)
{
    bool stop = c->stopped || (c->hooks.stop != NULL && c->hooks.stop(c->hooks.ctx));
    if (!stop || c->stopped || c->shield <= 0)
        return stop;
    c->heard = c->heard > 0 ? c->heard : clock_monotonic();
    return clock_monotonic() > c->heard + c->shield;
}

static bool rank_is_lost(const struct comm *c, unsigned rank)
{
    return c->hooks.lost != NULL && c->hooks.lost(c->hooks.ctx, rank);
}

static bool is_lost(const struct comm *c, uint32_t member)
{
    return rank_is_lost(c, c->members[member]);
}

/* The first member that is lost, or n_ranks. */
static uint32_t lost_member(const struct comm *c)
{
    uint32_t i = 0;
    if (c->hooks.lost == NULL || c->hooks.n_lost(c->hooks.ctx) == 0)
        return c->face.n_ranks;
    while (i < c->face.n_ranks && !is_lost(c, i))
        i++;
    return i;
}

int comm_check_members(const struct comm *c, struct gm_error *err)
{
    uint32_t lost = lost_member(c);
    return lost == c->face.n_ranks
               ? 0
               : gm_fail(
                     err, -EOWNERDEAD, "rank %u of its group was lost", c->members[lost]);
}

/* Why a wait should end before its message comes: < 0 and the sentence, or 0. */
static int reason_to_give_up(struct comm *c, struct gm_error *err)
{
    int rc = comm_check_members(c, err);
    if (rc < 0)
        return rc;
    if (group_given_up(c))
        return gm_fail(err, -ECANCELED, "another rank of the group failed");
    return asked_to_stop(c) ? gm_fail(err, -ECANCELED, "asked to stop") : 0;
}

/* Receives and drops what others still send of an attempt that is given up. A sender that
 * is lost meanwhile may never end it: the buffer is left to the message then. */
static void drop_data(struct comm *c)
{
    int flag = 0, n, done = 0;
    MPI_Message message;
    MPI_Status status;
    MPI_Request request;
    (void)MPI_Improbe(MPI_ANY_SOURCE, c->data_tag, c->mpi, &flag, &message, &status);
    if (flag == 0)
        return;
    (void)MPI_Get_count(&status, MPI_BYTE, &n);
    void *into = comm_buffer(&c->dropped, &c->dropped_bytes, (size_t)n);
    (void)MPI_Imrecv(into, n, MPI_BYTE, &message, &request);
    for (double until = clock_monotonic() + PATIENCE; done == 0;) {
        (void)MPI_Test(&request, &done, MPI_STATUS_IGNORE);
        if (done == 0 && rank_is_lost(c, (unsigned)status.MPI_SOURCE) &&
            clock_monotonic() > until) {
            (void)MPI_Request_free(&request);
            c->dropped = NULL;
            c->dropped_bytes = 0;
            return;
        }
    }
}

/* Ends a receive that nobody may answer. */
static void take_back(const struct comm *c, MPI_Request *receive, uint32_t peer)
{
    double until = clock_monotonic() + PATIENCE;
    (void)MPI_Cancel(receive);
    for (int done = 0; done == 0;) {
        (void)MPI_Test(receive, &done, MPI_STATUS_IGNORE);
        if (done != 0)
            return;
        if (is_lost(c, peer) && clock_monotonic() > until) {
            (void)MPI_Request_free(receive);
            return;
        }
        clock_sleep(NAP);
    }
}

/* The end may be long in coming (a command runs on one rank of the group): the cores are
 * for who works. */
static void relax(uint64_t spin, bool last)
{
    if (spin < NAPS_FROM)
        (void)sched_yield();
    else
        clock_sleep(last ? NAP_AT_END : NAP);
}

/* A send that cannot be taken back is left alone when nobody can want it. */
static bool let_go(const struct comm *c, uint32_t peer, double *since)
{
    double now = clock_monotonic();
    *since = *since == 0 ? now : *since;
    return is_lost(c, peer) || now > *since + PATIENCE;
}

/* A request to or from a member that is lost ends, whatever it was for; one of an attempt
 * that came to nothing, when it is a receive. */
static int wait_long(struct comm *c,
                     MPI_Request *request,
                     uint32_t peer,
                     enum wait what,
                     struct gm_error *err)
{
    bool last = what == WAIT_LAST_RECEIVE || what == WAIT_LAST_SEND;
    bool receives = what == WAIT_RECEIVE || what == WAIT_LAST_RECEIVE;
    double since = 0;
    int why = 0;
    for (uint64_t spin = FEW;; spin++) {
        int done = 0;
        if (MPI_Test(request, &done, MPI_STATUS_IGNORE) != MPI_SUCCESS)
            return gm_fail(err, -EIO, "MPI_Test failed");
        if (done != 0)
            return why;
        if (spin % SPINS != 0)
            continue;
        relax(spin, last);
        if (!last && why == 0)
            why = reason_to_give_up(c, err);
        if (is_lost(c, peer))
            why = comm_check_members(c, err);
        if (why != 0 && receives) {
            take_back(c, request, peer);
            return why;
        }
        if (why == -EOWNERDEAD && let_go(c, peer, &since)) {
            (void)MPI_Request_free(request);
            return why;
        }
        if (last || why != 0)
            drop_data(c);
    }
}

int comm_wait_for(struct comm *c,
                  MPI_Request *request,
                  uint32_t peer,
                  enum wait what,
                  struct gm_error *err)
{
    for (unsigned spin = 0; spin < FEW; spin++) {
        int done = 0;
        if (MPI_Test(request, &done, MPI_STATUS_IGNORE) != MPI_SUCCESS)
            return gm_fail(err, -EIO, "MPI_Test failed");
        if (done != 0)
            return 0;
    }
    double began = clock_monotonic();
    int rc = wait_long(c, request, peer, what, err);
    c->waited += clock_monotonic() - began;
    return rc;
}

double comm_waited(const struct comm *c)
{
    return c->waited;
}

int comm_receive(struct comm *c,
                 uint32_t from,
                 int tag,
                 void *buf,
                 size_t nbytes,
                 enum wait what,
                 struct gm_error *err)
{
    MPI_Request request;
    if (MPI_Irecv(
            buf, (int)nbytes, MPI_BYTE, (int)c->members[from], tag, c->mpi, &request) !=
        MPI_SUCCESS)
        return gm_fail(err, -EIO, "MPI_Irecv failed");
    return comm_wait_for(c, &request, from, what, err);
}

int comm_send(struct comm *c,
              uint32_t to,
              int tag,
              const void *buf,
              size_t nbytes,
              enum wait what,
              struct gm_error *err)
{
    MPI_Request request;
    if (MPI_Isend(
            buf, (int)nbytes, MPI_BYTE, (int)c->members[to], tag, c->mpi, &request) !=
        MPI_SUCCESS)
        return gm_fail(err, -EIO, "MPI_Isend failed");
    return comm_wait_for(c, &request, to, what, err);
}

static int comm_cancelled(const struct gm_comm *face)
{
    struct comm *c = face->impl;
    return asked_to_stop(c) || lost_member(c) < face->n_ranks;
}

static uint64_t count_data_tags(MPI_Comm mpi)
{
    int *upper = NULL, known = 0, highest = 32767; /* what the standard promises */
    (void)MPI_Comm_get_attr(mpi, MPI_TAG_UB, &upper, &known);
    if (known != 0)
        highest = *upper;
    return (uint64_t)(highest - TAG_DATA) + 1;
}

struct comm *comm_make(MPI_Comm mpi, const struct comm_hooks *hooks)
{
    struct comm *c = xcalloc(1, sizeof(*c));
    c->mpi = mpi;
    c->n_data_tags = count_data_tags(mpi);
    c->hooks = *hooks;
    c->face = (struct gm_comm){.size = sizeof(c->face),
                               .impl = c,
                               .sum = comm_sum,
                               .bcast = comm_bcast,
                               .cancelled = comm_cancelled,
                               .exchange = comm_exchange};
    return c;
}

void comm_free(struct comm *c)
{
    if (c == NULL)
        return;
    for (unsigned i = 0; i < LEVELS; i++)
        free(c->work[i]);
    for (unsigned i = 0; i < 2 * LEVELS; i++)
        free(c->sends[i]);
    free(c->dropped);
    free(c->members);
    free(c);
}

void comm_join(
    struct comm *c, const uint32_t *members, unsigned n, uint32_t epoch, unsigned attempt)
{
    int world;
    (void)MPI_Comm_rank(c->mpi, &world);
    c->members = xrealloc(c->members, n, sizeof(*members));
    memcpy(c->members, members, n * sizeof(*members));
    c->face.n_ranks = n;
    c->face.rank = UINT32_MAX;
    for (unsigned i = 0; i < n; i++) {
        if (members[i] == (uint32_t)world)
            c->face.rank = i;
    }
    assert(c->face.rank != UINT32_MAX);
    c->attempt = (uint64_t)epoch << 32 | attempt;
    c->data_tag = TAG_DATA + (int)(((uint64_t)epoch * 31 + attempt) % c->n_data_tags);
    c->abandoned = c->aborted = c->stopped = false;
    comm_shield(c, 0);
}

void comm_shield(struct comm *c, double seconds)
{
    c->shield = seconds;
    c->heard = 0;
}

void comm_stop(struct comm *c)
{
    c->stopped = true;
}

const struct gm_comm *comm_face(const struct comm *c)
{
    return &c->face;
}

void comm_abandon(struct comm *c)
{
    if (c->abandoned || c->aborted)
        return;
    c->aborted = true;
    for (uint32_t i = 0; i < c->face.n_ranks; i++) {
        if (i != c->face.rank && !is_lost(c, i))
            (void)comm_send(
                c, i, TAG_ABANDON, &c->attempt, sizeof(c->attempt), WAIT_LAST_SEND, NULL);
    }
}

/* A kernel that says "cancelled" where nobody asked for it has failed: its task would be
 * given back, and never be over. Whatever it says of an attempt in which a member was
 * lost, it is that. */
static int believe(struct comm *c, int code, struct gm_error *err)
{
    if (code < 0 && lost_member(c) < c->face.n_ranks)
        return comm_check_members(c, err);
    if (code != -ECANCELED || c->abandoned || asked_to_stop(c))
        return code;
    return gm_fail(err, -EIO, "it gave up, though nobody asked it to stop");
}

/* What member i says of the attempt. */
static int hear(struct comm *c, uint32_t i, struct settlement *ret, struct gm_error *err)
{
    int rc = comm_receive(c, i, TAG_SETTLE, ret, sizeof(*ret), WAIT_LAST_RECEIVE, err);
    if (rc == -EOWNERDEAD)
        *ret = (struct settlement){.code = rc};
    ret->text[sizeof(ret->text) - 1] = '\0';
    return rc == -EOWNERDEAD ? 0 : rc;
}

int comm_settle(struct comm *c, int code, struct gm_error *err)
{
    code = believe(c, code, err);
    struct settlement mine = {.code = code, .abandoned = c->abandoned && !c->aborted},
                      theirs;
    if (code < 0 && err != NULL)
        memcpy(mine.text, err->text, sizeof(mine.text));
    if (c->face.n_ranks == 1)
        return code;
    if (c->face.rank != 0) {
        int rc = comm_send(c, 0, TAG_SETTLE, &mine, sizeof(mine), WAIT_LAST_SEND, NULL);
        return rc < 0 ? rc : code;
    }
    bool have_cause = code < 0 && mine.abandoned == 0, dead = code == -EOWNERDEAD;
    for (uint32_t i = 1; i < c->face.n_ranks; i++) {
        int rc = hear(c, i, &theirs, err);
        if (rc < 0)
            return rc;
        dead |= theirs.code == -EOWNERDEAD;
        if (theirs.code >= 0 || have_cause || (theirs.abandoned != 0 && code < 0))
            continue;
        have_cause = theirs.abandoned == 0;
        code = theirs.code;
        (void)gm_fail(err, code, "%s", theirs.text);
    }
    return dead ? -EOWNERDEAD : code;
}

int comm_decide(struct comm *c, int decision)
{
    int32_t word = decision;
    for (uint32_t i = 1; c->face.rank == 0 && i < c->face.n_ranks; i++) {
        if (!is_lost(c, i))
            (void)comm_send(c, i, TAG_DECIDE, &word, sizeof(word), WAIT_LAST_SEND, NULL);
    }
    int rc = 0;
    if (c->face.rank != 0)
        rc = comm_receive(c, 0, TAG_DECIDE, &word, sizeof(word), WAIT_LAST_RECEIVE, NULL);
    for (double end = clock_monotonic() + LINGER; rc < 0 && clock_monotonic() < end;) {
        drop_data(c);
        clock_sleep(NAP);
    }
    return rc < 0 ? rc : word;
}
