/* See comm.h.
 *
 * The fixed tree: node (k, s) covers the leaves [s, s + 2^k) and is computed by the rank
 * that owns leaf s (gm_share). A rank's own nodes that are right children of a node
 * starting before its run are sent to that node's owner, in ascending order; they are
 * received in the same order, so one tag an attempt is enough. Data flows from higher
 * ranks to lower ones only: no cycle of waits. The root ends on group rank 0 and is
 * broadcast along a binomial tree.
 *
 * Invariant: every request is complete before a call returns, so buffers may be reused. A
 * large send cannot be taken back (it waits for its receiver). So whoever gives up goes
 * on receiving, and drops, what the others still send, until all have settled: a member
 * settles only when its own sends are complete, so nothing of an attempt outlives it. */
#include "comm.h"
#include "base/clock.h"
#include "base/memory.h"
#include <assert.h>
#include <sched.h>

enum {
    LEVELS = 64,
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

enum wait {
    WAIT_RECEIVE,
    WAIT_SEND,
    WAIT_LAST_RECEIVE, /* the end of a task: every living member comes */
    WAIT_LAST_SEND
};

struct settlement {
    int32_t code;
    int32_t abandoned; /* 1: the code came from another rank's failure */
    char text[sizeof(((struct gm_error *)0)->text)];
};

struct comm {
    struct gm_comm face;
    MPI_Comm mpi;
    struct comm_hooks hooks;
    uint32_t *members;
    uint64_t attempt; /* epoch and number of the attempt: what abandons is said of */
    int data_tag;
    uint64_t n_data_tags;    /* as many as MPI has: what a failed attempt left unreceived
                                lies    there until its tag comes again */
    bool abandoned, aborted; /* by another rank; by this one */
    bool stopped;            /* the members have agreed to stop */
    double shield, heard;    /* s that a stop waits; when it came (monotonic s), or 0 */
    void *dropped;           /* where data goes that nobody wants any more */
    size_t dropped_bytes;
    void *work[LEVELS]; /* one buffer a level of the tree */
    size_t work_bytes[LEVELS];
    void *sends[2 * LEVELS]; /* values in flight to other ranks */
    size_t send_bytes[2 * LEVELS];
};

static void *buffer(void **p, size_t *have, size_t want)
{
    if (*have < want) {
        *p = xrealloc(*p, want, 1);
        *have = want;
    }
    return *p;
}

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

static int check_members(const struct comm *c, struct gm_error *err)
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
    int rc = check_members(c, err);
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
    void *into = buffer(&c->dropped, &c->dropped_bytes, (size_t)n);
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
static int wait_for(struct comm *c,
                    MPI_Request *request,
                    uint32_t peer,
                    enum wait what,
                    struct gm_error *err)
{
    bool last = what == WAIT_LAST_RECEIVE || what == WAIT_LAST_SEND;
    bool receives = what == WAIT_RECEIVE || what == WAIT_LAST_RECEIVE;
    double since = 0;
    int why = 0;
    for (uint64_t spin = 1;; spin++) {
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
            why = check_members(c, err);
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

static int receive(struct comm *c,
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
    return wait_for(c, &request, from, what, err);
}

static int send(struct comm *c,
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
    return wait_for(c, &request, to, what, err);
}

static void add(uint32_t dtype, size_t n, void *into, const void *more)
{
    if (dtype == GM_F32) {
        float *a = into;
        const float *b = more;
        for (size_t i = 0; i < n; i++)
            a[i] += b[i];
    } else if (dtype == GM_F64) {
        double *a = into;
        const double *b = more;
        for (size_t i = 0; i < n; i++)
            a[i] += b[i];
    } else {
        int64_t *a = into;
        const int64_t *b = more;
        for (size_t i = 0; i < n; i++)
            a[i] += b[i];
    }
}

/* One call of sum: what does not change over the recursion. */
struct summing {
    struct comm *c;
    uint32_t dtype;
    uint64_t total, end; /* all leaves; this rank's own end before `end` */
    size_t n, nbytes;
    int (*leaf)(void *ctx, uint64_t i, void *out, struct gm_error *err);
    void *ctx;
};

/* The group rank that owns leaf i: the inverse of gm_share. */
static uint32_t owner_of(const struct summing *s, uint64_t i)
{
    uint32_t n_ranks = s->c->face.n_ranks;
    uint64_t each = s->total / n_ranks, more = s->total % n_ranks;
    if (i < more * (each + 1))
        return (uint32_t)(i / (each + 1));
    return (uint32_t)(more + (i - more * (each + 1)) / each);
}

/* out = node (level, start); this rank owns its first leaf. */
static int node_value(const struct summing *s,
                      unsigned level,
                      uint64_t start,
                      void *out,
                      struct gm_error *err)
{
    if (level == 0)
        return s->leaf(s->ctx, start, out, err);
    int rc = node_value(s, level - 1, start, out, err);
    uint64_t middle = start + (UINT64_C(1) << (level - 1));
    if (rc < 0 || middle >= s->total)
        return rc;
    void *half = buffer(&s->c->work[level - 1], &s->c->work_bytes[level - 1], s->nbytes);
    if (middle < s->end)
        rc = node_value(s, level - 1, middle, half, err);
    else
        rc = receive(s->c,
                     owner_of(s, middle),
                     s->c->data_tag,
                     half,
                     s->nbytes,
                     WAIT_RECEIVE,
                     err);
    if (rc == 0)
        add(s->dtype, s->n, out, half);
    return rc;
}

/* The nodes of this rank's run that belong under nodes of lower ranks. */
static int send_nodes(const struct summing *s, uint64_t first, struct gm_error *err)
{
    MPI_Request requests[2 * LEVELS];
    uint32_t owners[2 * LEVELS];
    unsigned n = 0;
    int rc = 0;
    for (uint64_t start = first; start < s->end && rc == 0; n++) {
        unsigned level = (unsigned)__builtin_ctzll(start);
        uint64_t parent = start - (UINT64_C(1) << level);
        void *value = buffer(&s->c->sends[n], &s->c->send_bytes[n], s->nbytes);
        requests[n] = MPI_REQUEST_NULL;
        owners[n] = owner_of(s, parent);
        rc = node_value(s, level, start, value, err);
        if (rc == 0)
            rc = check_members(s->c, err);
        if (rc == 0)
            (void)MPI_Isend(value,
                            (int)s->nbytes,
                            MPI_BYTE,
                            (int)s->c->members[owners[n]],
                            s->c->data_tag,
                            s->c->mpi,
                            &requests[n]);
        start += UINT64_C(1) << level;
    }
    for (unsigned i = 0; i < n; i++) {
        int waited =
            wait_for(s->c, &requests[i], owners[i], WAIT_SEND, rc == 0 ? err : NULL);
        rc = rc == 0 ? waited : rc;
    }
    return rc;
}

static int comm_bcast(const struct gm_comm *face,
                      uint32_t root,
                      void *buf,
                      size_t nbytes,
                      struct gm_error *err)
{
    struct comm *c = face->impl;
    uint32_t n = face->n_ranks, me = (face->rank + n - root) % n;
    if (nbytes > INT32_MAX)
        return gm_fail(
            err, -EOVERFLOW, "a broadcast of %zu bytes: at most 2 GiB", nbytes);
    uint32_t bit = 1;
    int rc = check_members(c, err);
    while (bit < n && (me & bit) == 0)
        bit <<= 1;
    if (me != 0 && rc == 0)
        rc = receive(
            c, (me - bit + root) % n, c->data_tag, buf, nbytes, WAIT_RECEIVE, err);
    for (bit >>= 1; bit > 0 && rc == 0; bit >>= 1) {
        if (me + bit < n)
            rc = send(c, (me + bit + root) % n, c->data_tag, buf, nbytes, WAIT_SEND, err);
    }
    return rc;
}

static int comm_sum(const struct gm_comm *face,
                    uint32_t dtype,
                    uint64_t total,
                    uint64_t first,
                    uint64_t count,
                    size_t n,
                    int (*leaf)(void *ctx, uint64_t i, void *out, struct gm_error *err),
                    void *ctx,
                    void *out,
                    struct gm_error *err)
{
    uint64_t my_first, my_count;
    size_t nbytes;
    gm_share(total, face->n_ranks, face->rank, &my_first, &my_count);
    if (total == 0 || count != my_count || (count > 0 && first != my_first))
        return gm_fail(err, -EINVAL, "sum: leaves must be shared out as gm_share does");
    if (dtype != GM_F32 && dtype != GM_F64 && dtype != GM_I64)
        return gm_fail(err, -EINVAL, "sum: dtype %u cannot be added", dtype);
    if (__builtin_mul_overflow(n, gm_dtype_size(dtype), &nbytes) || nbytes > INT32_MAX)
        return gm_fail(err, -EOVERFLOW, "sum: leaves of %zu elements are too large", n);
    struct summing s = {.c = face->impl,
                        .dtype = dtype,
                        .total = total,
                        .end = first + count,
                        .n = n,
                        .nbytes = nbytes,
                        .leaf = leaf,
                        .ctx = ctx};
    int rc = 0;
    if (count > 0 && first == 0) {
        unsigned root = 0;
        while (root < LEVELS - 1 && (UINT64_C(1) << root) < total)
            root++;
        rc = node_value(&s, root, 0, out, err);
    } else if (count > 0) {
        rc = send_nodes(&s, first, err);
    }
    return rc < 0 || face->n_ranks == 1 ? rc : comm_bcast(face, 0, out, nbytes, err);
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
                               .cancelled = comm_cancelled};
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
            (void)send(
                c, i, TAG_ABANDON, &c->attempt, sizeof(c->attempt), WAIT_LAST_SEND, NULL);
    }
}

/* A kernel that says "cancelled" where nobody asked for it has failed: its task would be
 * given back, and never be over. Whatever it says of an attempt in which a member was
 * lost, it is that. */
static int believe(struct comm *c, int code, struct gm_error *err)
{
    if (code < 0 && lost_member(c) < c->face.n_ranks)
        return check_members(c, err);
    if (code != -ECANCELED || c->abandoned || asked_to_stop(c))
        return code;
    return gm_fail(err, -EIO, "it gave up, though nobody asked it to stop");
}

/* What member i says of the attempt. */
static int hear(struct comm *c, uint32_t i, struct settlement *ret, struct gm_error *err)
{
    int rc = receive(c, i, TAG_SETTLE, ret, sizeof(*ret), WAIT_LAST_RECEIVE, err);
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
        int rc = send(c, 0, TAG_SETTLE, &mine, sizeof(mine), WAIT_LAST_SEND, NULL);
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
            (void)send(c, i, TAG_DECIDE, &word, sizeof(word), WAIT_LAST_SEND, NULL);
    }
    int rc = 0;
    if (c->face.rank != 0)
        rc = receive(c, 0, TAG_DECIDE, &word, sizeof(word), WAIT_LAST_RECEIVE, NULL);
    for (double end = clock_monotonic() + LINGER; rc < 0 && clock_monotonic() < end;) {
        drop_data(c);
        clock_sleep(NAP);
    }
    return rc < 0 ? rc : word;
}
