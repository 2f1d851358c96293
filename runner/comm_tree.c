/* See comm_inside.h: sum, bcast and exchange.
 *
 * The fixed tree: node (k, s) covers the leaves [s, s + 2^k) and is computed by the rank
 * that owns leaf s (gm_share). A rank's own nodes that are right children of a node
 * starting before its run are sent to that node's owner, in ascending order; they are
 * received in the same order, so one tag an attempt is enough. Data flows from higher
 * ranks to lower ones only: no cycle of waits. The root ends on group rank 0 and is
 * broadcast along a binomial tree.
 *
 * Invariant: every request is complete before a call returns. */
#include "comm_inside.h"

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
    void *half =
        comm_buffer(&s->c->work[level - 1], &s->c->work_bytes[level - 1], s->nbytes);
    if (middle < s->end)
        rc = node_value(s, level - 1, middle, half, err);
    else
        rc = comm_receive(s->c,
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
        void *value = comm_buffer(&s->c->sends[n], &s->c->send_bytes[n], s->nbytes);
        requests[n] = MPI_REQUEST_NULL;
        owners[n] = owner_of(s, parent);
        rc = node_value(s, level, start, value, err);
        if (rc == 0)
            rc = comm_check_members(s->c, err);
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
            comm_wait_for(s->c, &requests[i], owners[i], WAIT_SEND, rc == 0 ? err : NULL);
        rc = rc == 0 ? waited : rc;
    }
    return rc;
}

int comm_bcast(const struct gm_comm *face,
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
    int rc = comm_check_members(c, err);
    while (bit < n && (me & bit) == 0)
        bit <<= 1;
    if (me != 0 && rc == 0)
        rc = comm_receive(
            c, (me - bit + root) % n, c->data_tag, buf, nbytes, WAIT_RECEIVE, err);
    for (bit >>= 1; bit > 0 && rc == 0; bit >>= 1) {
        if (me + bit < n)
            rc = comm_send(
                c, (me + bit + root) % n, c->data_tag, buf, nbytes, WAIT_SEND, err);
    }
    return rc;
}

int comm_sum(const struct gm_comm *face,
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

static int check_half(const struct gm_comm *face,
                      uint32_t peer,
                      size_t nbytes,
                      const char *what,
                      struct gm_error *err)
{
    if (peer == GM_NOBODY)
        return 0;
    if (peer >= face->n_ranks)
        return gm_fail(err,
                       -EINVAL,
                       "exchange %s rank %u of a group of %u",
                       what,
                       peer,
                       face->n_ranks);
    return nbytes <= INT32_MAX
               ? 0
               : gm_fail(
                     err, -EOVERFLOW, "an exchange of %zu bytes: at most 2 GiB", nbytes);
}

/* Both halves are under way before either is waited for: two ranks that send to each
 * other do not wait in a circle. */
int comm_exchange(const struct gm_comm *face,
                  uint32_t to,
                  const void *out,
                  size_t n_out,
                  uint32_t from,
                  void *in,
                  size_t n_in,
                  struct gm_error *err)
{
    struct comm *c = face->impl;
    MPI_Request receives = MPI_REQUEST_NULL, sends = MPI_REQUEST_NULL;
    int rc = check_half(face, to, n_out, "to", err);
    if (rc == 0)
        rc = check_half(face, from, n_in, "from", err);
    if (rc == 0)
        rc = comm_check_members(c, err);
    if (rc < 0)
        return rc;
    if (from != GM_NOBODY)
        (void)MPI_Irecv(in,
                        (int)n_in,
                        MPI_BYTE,
                        (int)c->members[from],
                        c->data_tag,
                        c->mpi,
                        &receives);
    if (to != GM_NOBODY)
        (void)MPI_Isend(
            out, (int)n_out, MPI_BYTE, (int)c->members[to], c->data_tag, c->mpi, &sends);
    if (from != GM_NOBODY)
        rc = comm_wait_for(c, &receives, from, WAIT_RECEIVE, err);
    if (to != GM_NOBODY) {
        int waited = comm_wait_for(c, &sends, to, WAIT_SEND, rc == 0 ? err : NULL);
        rc = rc == 0 ? waited : rc;
    }
    return rc;
}
