/* gm_comm over real MPI, at 1, 2, 3, 4 ranks and more: a plain main with one verdict from
 * rank 0 (Criterion would run the whole suite on each rank). The reference is the
 * definition of the fixed tree, computed alone, compared bit for bit. */
#include "runner/comm.h"
#include "base/clock.h"
#include "base/memory.h"
#include <math.h>

static struct comm *comm;
static int failures;

#define CHECK(what, ...)                                                                 \
    do {                                                                                 \
        if (!(what)) {                                                                   \
            failures++;                                                                  \
            (void)fprintf(stderr, "%s:%d: ", __FILE__, __LINE__);                        \
            (void)fprintf(stderr, __VA_ARGS__);                                          \
            (void)fputc('\n', stderr);                                                   \
        }                                                                                \
    } while (0)

/* Values whose sum depends on the order: many magnitudes, both signs. */
static float leaf_element(uint64_t leaf, size_t k)
{
    uint64_t h = (leaf * 1000003 + k + 1) * UINT64_C(0x9e3779b97f4a7c15);
    h ^= h >> 29;
    return ldexpf((float)(h & 0xffff) - 32768.0f, (int)(h >> 60) - 8) / 3.0f;
}

static size_t width;

static int leaf(void *ctx, uint64_t i, void *out, struct gm_error *err)
{
    (void)err;
    uint64_t *next = ctx; /* ascending, once each */
    CHECK(i >= *next, "leaf %d came late", (int)i);
    *next = i + 1;
    for (size_t k = 0; k < width; k++)
        ((float *)out)[k] = leaf_element(i, k);
    return 0;
}

/* The definition: the sum of the two halves of [start, start + 2^level). */
static float tree(uint64_t total, unsigned level, uint64_t start, size_t k)
{
    if (level == 0)
        return leaf_element(start, k);
    uint64_t half = UINT64_C(1) << (level - 1);
    float left = tree(total, level - 1, start, k);
    return start + half >= total ? left : left + tree(total, level - 1, start + half, k);
}

static void check_sum(uint64_t total, size_t n)
{
    const struct gm_comm *face = comm_face(comm);
    uint64_t first, count, next = 0;
    struct gm_error err = {0};
    AUTO_FREE(float) out = xcalloc(n, sizeof(float));
    gm_share(total, face->n_ranks, face->rank, &first, &count);
    width = n;
    int rc = face->sum(face, GM_F32, total, first, count, n, leaf, &next, out, &err);
    CHECK(rc == 0, "sum of %d leaves: %s", (int)total, err.text);
    CHECK(count == 0 || next == first + count, "not every leaf was asked for");
    unsigned root = 0;
    while ((UINT64_C(1) << root) < total)
        root++;
    for (size_t k = 0; k < n; k++) {
        float want = tree(total, root, 0, k);
        CHECK(memcmp(&want, &out[k], sizeof(want)) == 0,
              "%d leaves, element %d of %d: %.9g, not %.9g",
              (int)total,
              (int)k,
              (int)n,
              (double)out[k],
              (double)want);
    }
}

/* The check can fail: a plain left-to-right sum has other bits. */
static void check_order_matters(void)
{
    unsigned differ = 0;
    for (size_t k = 0; k < 100; k++) {
        float chain = 0;
        for (uint64_t i = 0; i < 37; i++)
            chain += leaf_element(i, k);
        float want = tree(37, 6, 0, k);
        differ += memcmp(&chain, &want, sizeof(want)) != 0;
    }
    CHECK(differ > 10, "the test's values do not show the order of additions");
}

static void check_bcast(uint32_t n_ranks)
{
    const struct gm_comm *face = comm_face(comm);
    for (uint32_t root = 0; root < n_ranks; root++) {
        unsigned char buf[5000];
        memset(buf, face->rank == root ? (int)root + 1 : 0, sizeof(buf));
        int rc = face->bcast(face, root, buf, sizeof(buf), NULL);
        CHECK(rc == 0 && buf[0] == root + 1 && buf[4999] == root + 1,
              "bcast from %u",
              root);
    }
}

/* In a ring with something for everybody, of several lengths; then by pairs, one way. */
static void check_exchange(uint32_t n_ranks)
{
    const struct gm_comm *face = comm_face(comm);
    uint32_t right = (face->rank + 1) % n_ranks,
             left = (face->rank + n_ranks - 1) % n_ranks;
    struct gm_error err = {0};
    static const size_t lengths[] = {0, 1, 8, 5000, 1 << 20};
    AUTO_FREE(unsigned char) out = xcalloc(1 << 20, 1);
    AUTO_FREE(unsigned char) in = xcalloc(1 << 20, 1);
    for (unsigned i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        size_t n = lengths[i];
        memset(out, (int)(1 + face->rank), n);
        memset(in, 0, n);
        int rc = face->exchange(face, right, out, n, left, in, n, &err);
        CHECK(rc == 0, "exchange: %s", err.text);
        CHECK(n == 0 || (in[0] == left + 1 && in[n - 1] == left + 1),
              "rank %u got what is not its left one's",
              face->rank);
    }
    if (n_ranks > 1 && face->rank < 2) { /* the others are not asked */
        bool first = face->rank == 0;
        int rc = face->exchange(
            face, first ? 1 : GM_NOBODY, out, 9, first ? GM_NOBODY : 0, in, 9, &err);
        CHECK(rc == 0 && (first || in[8] == 1), "one way: %s", err.text);
    }
    CHECK(face->exchange(face, n_ranks, out, 1, GM_NOBODY, in, 1, &err) == -EINVAL,
          "a rank that is not there was sent to");
}

static int leaf_that_fails(void *ctx, uint64_t i, void *out, struct gm_error *err)
{
    (void)ctx;
    (void)i;
    (void)out;
    return gm_fail(err, -EINVAL, "row 7 is bad");
}

/* As the farm ends each attempt: nobody joins the next before all are done with this. */
static void end_attempt(void)
{
    struct gm_error err = {0};
    int rc = comm_settle(comm, 0, &err);
    CHECK(rc == 0, "%d: %s", rc, err.text);
    (void)comm_decide(comm, 0);
}

/* One rank fails in the middle of a sum: nobody hangs, and the leader learns the cause.
 */
static void check_failure(const uint32_t *members, uint32_t n)
{
    const struct gm_comm *face = comm_face(comm);
    struct gm_error err = {0};
    uint64_t first, count, next = 0;
    float out[4];
    width = 4;
    gm_share(n, n, face->rank, &first, &count);
    bool bad = face->rank == n - 1;
    int rc = face->sum(
        face, GM_F32, n, first, count, 4, bad ? leaf_that_fails : leaf, &next, out, &err);
    CHECK(rc < 0, "rank %u did not notice", face->rank);
    comm_abandon(comm);
    rc = comm_settle(comm, rc, &err);
    if (face->rank == 0)
        CHECK(rc == -EINVAL && strcmp(err.text, "row 7 is bad") == 0,
              "%d: %s",
              rc,
              err.text);
    CHECK(comm_decide(comm, face->rank == 0 ? 42 : 0) == 42,
          "the decision did not arrive");
    comm_join(comm, members, n, 2, 1); /* the next group is not disturbed */
    check_sum(2 * n + 1, 3);
    end_attempt();
}

static void *large;

static int leaf_that_is_large(void *ctx, uint64_t i, void *out, struct gm_error *err)
{
    (void)ctx;
    (void)i;
    (void)err;
    memset(out, 0, 4 * (size_t)100000);
    return 0;
}

/* A large message cannot be taken back: its sender must not hang when the receiver has
 * failed before it asked for it, and the next attempt must not see what is left of it. */
static void check_large_failure(const uint32_t *members, uint32_t n)
{
    for (unsigned attempt = 1; attempt <= 3; attempt++) {
        comm_join(comm, members, n, 3, attempt);
        const struct gm_comm *face = comm_face(comm);
        struct gm_error err = {0};
        uint64_t first, count;
        int rc = 0;
        gm_share(2 * n, n, face->rank, &first, &count);
        if (face->rank == 0)
            rc = gm_fail(&err, -ETIMEDOUT, "took too long");
        else
            rc = face->sum(face,
                           GM_F32,
                           2 * n,
                           first,
                           count,
                           100000,
                           leaf_that_is_large,
                           NULL,
                           large,
                           &err);
        CHECK(rc < 0, "rank %u did not notice", face->rank);
        comm_abandon(comm);
        rc = comm_settle(comm, rc, &err);
        CHECK(face->rank != 0 || rc == -ETIMEDOUT, "%d: %s", rc, err.text);
        (void)comm_decide(comm, 0);
    }
    comm_join(comm, members, n, 3, 4);
    check_sum(2 * n, 2500);
    end_attempt();
}

/* A rank that gives up unasked has failed: the leader must not take it for a stop. */
static void check_false_stop(const uint32_t *members, uint32_t n)
{
    struct gm_error err = {0};
    comm_join(comm, members, n, 4, 1);
    bool bad = comm_face(comm)->rank == n - 1;
    int rc = bad ? gm_fail(&err, -ECANCELED, "tired") : 0;
    if (rc < 0)
        comm_abandon(comm);
    rc = comm_settle(comm, rc, &err);
    if (comm_face(comm)->rank == 0)
        CHECK(rc == -EIO, "%d: %s", rc, err.text);
    (void)comm_decide(comm, 0);
}

static bool asked_to_stop(void *ctx)
{
    return *(bool *)ctx;
}

/* A rank that waits for one that never comes is let go by a stop. */
static void check_stop(bool *stop, uint32_t n)
{
    const struct gm_comm *face = comm_face(comm);
    char byte = 0;
    if (n > 1 && face->rank == 1) {
        *stop = true;
        CHECK(face->bcast(face, 0, &byte, 1, NULL) == -ECANCELED,
              "the stop was not seen");
        CHECK(face->cancelled(face) == 1, "cancelled");
        *stop = false;
    }
}

int main(int argc, char **argv)
{
    int rank, n, level;
    bool stop = false;
    if (MPI_Init_thread(&argc, &argv, MPI_THREAD_MULTIPLE, &level) != MPI_SUCCESS)
        return 1;
    (void)MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    (void)MPI_Comm_size(MPI_COMM_WORLD, &n);
    AUTO_FREE(uint32_t) members = xcalloc((size_t)n, sizeof(*members));
    for (uint32_t i = 0; i < (uint32_t)n; i++)
        members[i] = i;
    comm = comm_make(MPI_COMM_WORLD,
                     &(struct comm_hooks){.ctx = &stop, .stop = asked_to_stop});
    comm_join(comm, members, (unsigned)n, 1, 1);
    static const uint64_t totals[] = {1, 2, 3, 4, 5, 7, 8, 13, 16, 31, 64, 100};
    for (size_t i = 0; i < sizeof(totals) / sizeof(totals[0]); i++) {
        check_sum(totals[i], 1);
        check_sum(totals[i], 2500);
    }
    check_order_matters();
    check_bcast((uint32_t)n);
    check_exchange((uint32_t)n);
    end_attempt(); /* nobody fails while others still exchange */
    comm_join(comm, members, (unsigned)n, 1, 2);
    if (n > 1)
        check_failure(members, (uint32_t)n);
    large = xcalloc(100000, 4);
    if (n > 1)
        check_large_failure(members, (uint32_t)n);
    free(large);
    check_false_stop(members, (uint32_t)n);
    check_stop(&stop, (uint32_t)n);
    (void)MPI_Barrier(MPI_COMM_WORLD);
    int all = 0;
    (void)MPI_Reduce(&failures, &all, 1, MPI_INT, MPI_SUM, 0, MPI_COMM_WORLD);
    comm_free(comm);
    if (rank == 0)
        (void)printf("%d ranks: %d failures\n", n, all);
    (void)MPI_Bcast(&all, 1, MPI_INT, 0, MPI_COMM_WORLD);
    (void)MPI_Finalize();
    return all == 0 ? 0 : 1;
}
