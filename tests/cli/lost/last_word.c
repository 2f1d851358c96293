/* Preloaded into the ranks: rank 1 never says that it is idle once it has worked, and a
 * second after it first told of committed tasks it is killed: as a rank that dies just
 * between its last report and its next word. The tags are dispatch.c's. */
#include <dlfcn.h>
#include <mpi.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { TAG_IDLE = 1, TAG_BUSY = 2, TAG_LOW = 3, TAG_REPORT = 4 };

typedef int send_fn(const void *, int, MPI_Datatype, int, int, MPI_Comm, MPI_Request *);

int MPI_Isend(const void *buf,
              int n,
              MPI_Datatype type,
              int to,
              int tag,
              MPI_Comm comm,
              MPI_Request *request)
{
    static bool worked;
    const char *rank = getenv("OMPI_COMM_WORLD_RANK");
    send_fn *real;
    *(void **)&real = dlsym(RTLD_NEXT, "MPI_Isend");
    if (rank == NULL || strcmp(rank, "1") != 0)
        return real(buf, n, type, to, tag, comm, request);
    worked |= tag == TAG_BUSY || tag == TAG_LOW || tag == TAG_REPORT;
    if (tag == TAG_REPORT)
        (void)alarm(1);
    if (tag != TAG_IDLE || !worked)
        return real(buf, n, type, to, tag, comm, request);
    *request = MPI_REQUEST_NULL;
    return MPI_SUCCESS;
}
