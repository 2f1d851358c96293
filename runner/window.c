/* See window.h. */
#include "window.h"
#include "base/memory.h"
#include "base/str.h"
#include <string.h>
#include <sys/mman.h>
#include <sys/statvfs.h>

/* Hosts are numbered in the order of their lowest ranks. */
static int number_hosts(const struct rank *r, struct window *w, struct gm_error *err)
{
    int lowest = r->world;
    if (MPI_Bcast(&lowest, 1, MPI_INT, 0, w->comm) != MPI_SUCCESS)
        return gm_fail(err, -EIO, "MPI_Bcast failed");
    AUTO_FREE(int) lead = xcalloc((size_t)r->n_ranks, sizeof(*lead));
    if (MPI_Allgather(&lowest, 1, MPI_INT, lead, 1, MPI_INT, MPI_COMM_WORLD) !=
        MPI_SUCCESS)
        return gm_fail(err, -EIO, "MPI_Allgather failed");
    w->hosts = xcalloc((size_t)r->n_ranks, sizeof(*w->hosts));
    for (int i = 0; i < r->n_ranks; i++)
        w->hosts[i] = lead[i] == i ? w->n_hosts++ : w->hosts[lead[i]];
    return 0;
}

/* Open MPI's shared windows stand in /dev/shm. Where there is no room for one, the rank
 * that creates it fails and the others wait for it for ever: so it is looked for before,
 * by one rank for all of its host. */
static int look_for_room(const struct window *w, uint64_t want, struct gm_error *err)
{
    struct statvfs fs;
    uint64_t room = UINT64_MAX;
    char wanted[32], left[32];
    if (statvfs("/dev/shm", &fs) == 0)
        room = (uint64_t)fs.f_bavail * fs.f_frsize;
    if (MPI_Bcast(&room, 1, MPI_UINT64_T, 0, w->comm) != MPI_SUCCESS)
        return gm_fail(err, -EIO, "MPI_Bcast failed");
    want += want / 10; /* MPI's own part */
    return room >= want
               ? 0
               : gm_fail(err,
                         -ENOMEM,
                         "its host's ranks share %s of memory, but /dev/shm has room for "
                         "%s: enlarge it (in a container: --shm-size), or start fewer "
                         "ranks there",
                         str_bytes(want, wanted),
                         str_bytes(room, left));
}

/* A window of one rank is memory of its own, and what is started beside it (guard.h)
 * would not see what it writes there: so the board stands elsewhere. */
static void *place_alone(struct window *w, size_t board)
{
    void *mem =
        mmap(NULL, board, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (mem == MAP_FAILED)
        return NULL;
    w->alone = mem;
    w->alone_bytes = board;
    return mem;
}

/* The lowest rank's part holds the board before its own. */
static int share(unsigned n_stages, size_t own, struct window *w, struct gm_error *err)
{
    int seat, n_seats, unit;
    MPI_Info info;
    MPI_Aint got;
    void *base, *mine;
    (void)MPI_Comm_rank(w->comm, &seat);
    (void)MPI_Comm_size(w->comm, &n_seats);
    size_t board = (board_bytes((unsigned)n_seats, n_stages) + 4095) / 4096 * 4096;
    size_t bytes = own + (seat == 0 ? board : 0);
    int rc = look_for_room(w, (uint64_t)n_seats * own + board, err);
    if (rc < 0)
        return rc;
    (void)MPI_Info_create(&info);
    (void)MPI_Info_set(info, "alloc_shared_noncontig", "true");
    rc = MPI_Win_allocate_shared((MPI_Aint)bytes, 1, info, w->comm, &mine, &w->win);
    (void)MPI_Info_free(&info);
    w->shared = rc == MPI_SUCCESS;
    if (rc != MPI_SUCCESS || MPI_Win_shared_query(w->win, 0, &got, &unit, (void *)&base))
        return gm_fail(err,
                       -ENOMEM,
                       "no memory that the ranks of this host can share: MPI made no "
                       "shared window (ompi_info should list osc sm)");
    memset(mine, 0, bytes);
    if (n_seats == 1 && place_alone(w, board) != NULL)
        base = w->alone;
    if (seat == 0)
        board_init(base, (unsigned)n_seats, n_stages);
    (void)MPI_Barrier(w->comm); /* made before anybody opens it */
    w->board = board_open(base, (unsigned)seat);
    w->own = (char *)mine + (seat == 0 ? board : 0);
    return 0;
}

int window_make(const struct rank *r,
                unsigned n_stages,
                size_t own_bytes,
                struct window *ret,
                struct gm_error *err)
{
    struct window w = {0};
    if (MPI_Comm_split_type(
            MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, r->world, MPI_INFO_NULL, &w.comm) !=
        MPI_SUCCESS)
        return gm_fail(err, -EIO, "MPI_Comm_split_type failed");
    w.made = true;
    int rc = number_hosts(r, &w, err);
    if (rc == 0)
        rc = share(n_stages, own_bytes, &w, err);
    *ret = w;
    return rc;
}

void window_free(struct window *w)
{
    board_close(w->board);
    free(w->hosts);
    if (w->shared)
        (void)MPI_Win_free(&w->win);
    if (w->alone != NULL)
        (void)munmap(w->alone, w->alone_bytes);
    if (w->made)
        (void)MPI_Comm_free(&w->comm);
}
