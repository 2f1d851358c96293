/* Preloaded into the ranks: rank DIE_RANK is killed as it calls MPI at the place that
 * DIE_AT names, once: while the file DIE_FILE is there, which it removes. */
#include <mpi.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { TAG_CLOSED = 21, TAG_WORD }; /* runner/parting.c */

static int is(const char *variable, const char *value)
{
    const char *is = getenv(variable);
    return is != NULL && value != NULL && strcmp(is, value) == 0;
}

static void die_at(const char *place)
{
    const char *file = getenv("DIE_FILE");
    if (is("DIE_AT", place) && is("DIE_RANK", getenv("OMPI_COMM_WORLD_RANK")) &&
        file != NULL && unlink(file) == 0)
        (void)raise(SIGKILL);
}

/* The first rank has said that its shard is closed, others have not. */
int MPI_Isend(
    const void *buf, int n, MPI_Datatype t, int to, int tag, MPI_Comm c, MPI_Request *r)
{
    const char *file = getenv("DIE_FILE");
    if (tag == TAG_CLOSED && is("DIE_AT", "parting") &&
        !is("DIE_RANK", getenv("OMPI_COMM_WORLD_RANK"))) {
        for (int i = 0; i < 100 && file != NULL && access(file, F_OK) == 0; i++)
            (void)usleep(50000);
        (void)usleep(500000); /* until that is noticed */
    }
    return PMPI_Isend(buf, n, t, to, tag, c, r);
}

int MPI_Irecv(
    void *buf, int n, MPI_Datatype t, int from, int tag, MPI_Comm c, MPI_Request *r)
{
    if (tag == TAG_WORD)
        die_at("parting");
    return PMPI_Irecv(buf, n, t, from, tag, c, r);
}

/* The ranks of a host share memory, and those that pack a communicator: before there is a
 * watch. */
int MPI_Win_allocate_shared(
    MPI_Aint bytes, int unit, MPI_Info info, MPI_Comm c, void *mem, MPI_Win *win)
{
    die_at("share");
    return PMPI_Win_allocate_shared(bytes, unit, info, c, mem, win);
}

int MPI_Comm_create_group(MPI_Comm c, MPI_Group group, int tag, MPI_Comm *ret)
{
    die_at("join");
    int rc = PMPI_Comm_create_group(c, group, tag, ret);
    die_at("joined");
    return rc;
}

/* The packers share what rank 0 decides. */
int MPI_Ibcast(void *buf, int n, MPI_Datatype t, int root, MPI_Comm c, MPI_Request *r)
{
    if (c != MPI_COMM_WORLD)
        die_at("pack");
    return PMPI_Ibcast(buf, n, t, root, c, r);
}

int MPI_Win_free(MPI_Win *win)
{
    die_at("end");
    return PMPI_Win_free(win);
}
