/* See pack_mpi.h. Invariant: a collective that a dead rank owes would never end, so each
 * is non-blocking and on memory of its own, which is left to MPI when a wait is given up.
 */
#include "pack_mpi.h"
#include "base/auto.h"
#include "base/memory.h"
#include "base/str.h"
#include "team.h"
#include <dirent.h>
#include <sched.h>
#include <sys/stat.h>

#define PIECE (1u << 30) /* bytes of one message: MPI counts in int */

/* 0, or -EOWNERDEAD. */
static int wait_for(const struct pack_mpi *with, MPI_Request *request)
{
    for (unsigned polls = 0;; polls++) {
        int done = 0;
        if (MPI_Test(request, &done, MPI_STATUS_IGNORE) != MPI_SUCCESS)
            return -EOWNERDEAD;
        if (done)
            return 0;
        if (polls % 64 == 63 && with->lost != NULL && with->lost(with->ctx))
            return -EOWNERDEAD;
        if (polls > 64)
            (void)sched_yield();
    }
}

static int share_piece(const struct pack_mpi *with, void *buf, size_t n)
{
    MPI_Request request;
    void *copy = xrealloc(NULL, n, 1); /* without memory a rank dies, which is noticed */
    memcpy(copy, buf, n);
    int rc = MPI_Ibcast(copy, (int)n, MPI_BYTE, 0, with->comm, &request) == MPI_SUCCESS
                 ? wait_for(with, &request)
                 : -EOWNERDEAD;
    if (rc != 0)
        return rc;
    memcpy(buf, copy, n);
    free(copy);
    return 0;
}

static int share(void *ctx, void *buf, size_t n)
{
    char *at = buf;
    int rc = 0;
    for (size_t now; rc == 0 && n > 0; n -= now, at += now) {
        now = n < PIECE ? n : PIECE;
        rc = share_piece(ctx, at, now);
    }
    return rc;
}

static int gather(void *ctx, const void *mine, size_t n, void *ret)
{
    const struct pack_mpi *with = ctx;
    MPI_Request request;
    MPI_Datatype type;
    int n_ranks = 0;
    (void)MPI_Comm_size(with->comm, &n_ranks);
    if (n == 0)
        return 0;
    if (n > PIECE) /* alike on all members */
        return -EOWNERDEAD;
    char *copy = xrealloc(NULL, (size_t)n_ranks + 1, n);
    char *all = copy + n;
    memcpy(copy, mine, n);
    (void)MPI_Type_contiguous((int)n, MPI_BYTE, &type);
    (void)MPI_Type_commit(&type);
    int rc =
        MPI_Iallgather(copy, 1, type, all, 1, type, with->comm, &request) == MPI_SUCCESS
            ? wait_for(with, &request)
            : -EOWNERDEAD;
    (void)MPI_Type_free(&type); /* a request that uses it keeps it */
    if (rc != 0)
        return rc;
    memcpy(ret, all, n * (size_t)n_ranks);
    free(copy);
    return 0;
}

/* Bytes that the shards take, one folder of them. */
static uint64_t folder_bytes(const char *path)
{
    uint64_t sum = 0;
    DIR *dir = opendir(path);
    const struct dirent *entry;
    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        AUTO_STR name = {0};
        struct stat st;
        str_printf(&name, "%s/%s", path, entry->d_name);
        if (entry->d_name[0] == '.' || stat(name.text, &st) != 0)
            continue;
        sum +=
            S_ISDIR(st.st_mode) ? folder_bytes(name.text) : (uint64_t)st.st_blocks * 512;
    }
    if (dir != NULL)
        (void)closedir(dir);
    return sum;
}

static bool worth_it(const struct pack_options *opt, const struct pack_mpi *with)
{
    AUTO_STR shards = {0};
    str_printf(&shards, "%s/shards", opt->folder);
    return with->alone_below == 0 || folder_bytes(shards.text) >= with->alone_below;
}

int pack_mpi(const struct pack_options *opt,
             const struct pack_mpi *with,
             struct gm_error *err)
{
    int rank = 0, n = 1;
    struct pack_mpi ours = *with;
    struct team team = {.ctx = &ours, .share = share, .gather = gather};
    (void)MPI_Comm_rank(with->comm, &rank);
    (void)MPI_Comm_size(with->comm, &n);
    team.rank = (unsigned)rank;
    team.n = (unsigned)n;
    int32_t together = n > 1 && rank == 0 && with->rc == 0 && worth_it(opt, with);
    int rc = team_share(&team, &together, sizeof(together), err);
    if (rc == 0 && together) {
        rc = pack_team(opt, &team, err);
        if (rc != -EOWNERDEAD && rc != -ENOTSUP)
            return rc;
    }
    if (rank == 0 && with->rc != 0)
        return with->rc;
    return rank == 0 ? pack_run(opt, err) : rc == -ENOTSUP ? 0 : rc;
}
