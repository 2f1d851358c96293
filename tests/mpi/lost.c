/* Members of a group die by SIGKILL at every point of an attempt, under mpirun
 * --enable-recovery: the others' waits end with -EOWNERDEAD, and a group of those that
 * are left works. What mpirun returns then says nothing: the lowest survivor prints
 * "lost: fine". */
#include "base/clock.h"
#include "base/memory.h"
#include "runner/comm.h"
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/time.h>

enum { MOST = 16, WIDE = 1 << 20 };

static int me, n_all, failures;
static int pidfds[MOST];
static bool dead[MOST]; /* by this test's own count, at the end of a round */
static struct comm *comm;

#define CHECK(what, ...)                                                                 \
    do {                                                                                 \
        if (!(what)) {                                                                   \
            failures++;                                                                  \
            (void)fprintf(stderr, "%d: %s:%d: ", me, __FILE__, __LINE__);                \
            (void)fprintf(stderr, __VA_ARGS__);                                          \
            (void)fputc('\n', stderr);                                                   \
        }                                                                                \
    } while (0)

static bool is_gone(void *ctx, unsigned rank)
{
    struct pollfd p = {.fd = pidfds[rank], .events = POLLIN};
    (void)ctx;
    return (int)rank != me && poll(&p, 1, 0) > 0;
}

static unsigned count_gone(void *ctx)
{
    unsigned n = 0;
    for (unsigned r = 0; r < (unsigned)n_all; r++)
        n += is_gone(ctx, r);
    return n;
}

static void share_pids(void)
{
    int64_t mine = getpid(), pids[MOST];
    (void)MPI_Allgather(&mine, 1, MPI_INT64_T, pids, 1, MPI_INT64_T, MPI_COMM_WORLD);
    for (int r = 0; r < n_all; r++)
        pidfds[r] = (int)syscall(SYS_pidfd_open, (pid_t)pids[r], 0);
}

static int one(void *ctx, uint64_t i, void *out, struct gm_error *err)
{
    const size_t *n = ctx;
    (void)i, (void)err;
    for (size_t k = 0; k < *n; k++)
        ((double *)out)[k] = 1;
    return 0;
}

static int add_up(const struct gm_comm *face, size_t n, struct gm_error *err)
{
    uint64_t first, count, total = 2 * (uint64_t)face->n_ranks + 1;
    AUTO_FREE(double) out = xcalloc(n, sizeof(*out));
    gm_share(total, face->n_ranks, face->rank, &first, &count);
    int rc = face->sum(face, GM_F64, total, first, count, n, one, &n, out, err);
    CHECK(rc < 0 || out[n - 1] == (double)total, "a wrong sum: %g", out[n - 1]);
    return rc;
}

static int spread(const struct gm_comm *face, size_t n, struct gm_error *err)
{
    AUTO_FREE(char) bytes = xcalloc(n, 1);
    return face->bcast(face, face->n_ranks - 1, bytes, n, err);
}

/* In a ring: each waits for two others. */
static int pass_on(const struct gm_comm *face, size_t n, struct gm_error *err)
{
    AUTO_FREE(char) out = xcalloc(n, 1);
    AUTO_FREE(char) in = xcalloc(n, 1);
    uint32_t right = (face->rank + 1) % face->n_ranks,
             left = (face->rank + face->n_ranks - 1) % face->n_ranks;
    return face->exchange(face, right, out, n, left, in, n, err);
}

static int any_of(int i, const struct gm_comm *face, struct gm_error *err)
{
    if (i % 3 == 0)
        return add_up(face, WIDE, err);
    return i % 3 == 1 ? spread(face, 8 * WIDE, err) : pass_on(face, 8 * WIDE, err);
}

enum moment {
    IN_FLIGHT,
    IN_SUM,
    IN_LARGE_SUM,
    IN_BCAST,
    BEFORE_SETTLE,
    BEFORE_DECIDE,
    NEVER
};

/* Dies by itself somewhere in the next sums. */
static void die_soon(void)
{
    struct itimerval t = {.it_value = {.tv_usec = 1000 + (getpid() * 7919) % 30000}};
    (void)signal(SIGALRM, SIG_DFL);
    (void)setitimer(ITIMER_REAL, &t, NULL);
}

static void die(void)
{
    (void)raise(SIGKILL);
}

/* One attempt by all that are left, in which `victim` dies; then one without it. */
static void round_of(int victim, enum moment when, uint32_t epoch)
{
    uint32_t members[MOST], n = 0;
    struct gm_error err = {0};
    for (int r = 0; r < n_all; r++) {
        if (!dead[r])
            members[n++] = (uint32_t)r;
    }
    comm_join(comm, members, n, epoch, 1);
    const struct gm_comm *face = comm_face(comm);
    bool mine = victim == me;
    double began = clock_monotonic();
    int rc = add_up(face, 8, &err);
    CHECK(rc == 0 || victim >= 0, "the first sum: %d %s", rc, err.text);
    if (mine && when == IN_FLIGHT)
        die_soon();
    else if (mine && when <= IN_BCAST)
        die();
    for (int i = 0; when == IN_FLIGHT && rc == 0; i++)
        rc = any_of(i, face, &err);
    if (rc == 0 && (when == IN_SUM || when == IN_LARGE_SUM))
        rc = add_up(face, when == IN_SUM ? 8 : WIDE, &err);
    if (rc == 0 && when == IN_BCAST)
        rc = spread(face, 8 * WIDE, &err);
    if (when <= IN_BCAST)
        CHECK(rc == 0 || rc == -EOWNERDEAD || rc == -ECANCELED,
              "the wait: %d %s",
              rc,
              err.text);
    if (rc < 0)
        comm_abandon(comm);
    if (mine && when == BEFORE_SETTLE)
        die();
    rc = comm_settle(comm, rc, &err);
    if (face->rank == 0 && when <= BEFORE_SETTLE)
        CHECK(rc == -EOWNERDEAD, "the settlement: %d %s", rc, err.text);
    if (mine && when == BEFORE_DECIDE)
        die();
    int decided = comm_decide(comm, rc == 0 ? 0 : 2);
    bool leader_dies = victim == (int)members[0];
    if (when == NEVER)
        CHECK(decided == 0, "decided %d", decided);
    else if (leader_dies)
        CHECK(decided == -EOWNERDEAD, "the leader is dead, and decided %d", decided);
    CHECK(clock_monotonic() - began < 15, "it took %g s", clock_monotonic() - began);
    if (victim >= 0)
        dead[victim] = true;
}

/* The others of the last group, by messages: MPI_Finalize would wait for the dead. */
static void end(uint32_t epoch)
{
    uint32_t members[MOST], n = 0;
    struct gm_error err = {0};
    for (int r = 0; r < n_all; r++) {
        if (!dead[r])
            members[n++] = (uint32_t)r;
    }
    comm_join(comm, members, n, epoch, 1);
    (void)gm_fail(&err, -EIO, "failures: %d", failures);
    int rc = comm_settle(comm, failures > 0 ? -EIO : 0, &err);
    if (comm_face(comm)->rank == 0 && rc == 0)
        (void)printf("lost: fine\n");
    (void)fflush(stdout);
    (void)comm_decide(comm, 0);
    _exit(0);
}

int main(int argc, char **argv)
{
    static const enum moment moments[] = {
        NEVER, IN_FLIGHT, IN_SUM, IN_LARGE_SUM, IN_BCAST, BEFORE_SETTLE, BEFORE_DECIDE};
    int granted;
    (void)MPI_Init_thread(&argc, &argv, MPI_THREAD_MULTIPLE, &granted);
    (void)MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
    (void)MPI_Comm_rank(MPI_COMM_WORLD, &me);
    (void)MPI_Comm_size(MPI_COMM_WORLD, &n_all);
    share_pids();
    comm = comm_make(MPI_COMM_WORLD,
                     &(struct comm_hooks){.lost = is_gone, .n_lost = count_gone});
    bool low = argc > 1 && strcmp(argv[1], "leaders") == 0;
    int first = low ? 0 : n_all - 1, step = low ? 1 : -1;
    for (int i = 0; i < 7 && i < n_all; i++)
        round_of(i == 0 ? -1 : first + step * (i - 1), moments[i], (uint32_t)i + 1);
    end(100);
}
