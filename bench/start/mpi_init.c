/* The least that an MPI program can do: the floor for start-up (bench/run start). Each
 * rank exits with 1 if it is not one of as many as its argument says. */
#include <errno.h>
#include <mpi.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
    if (MPI_Init(&argc, &argv) != MPI_SUCCESS)
        return 1;
    int ranks = 0;
    MPI_Comm_size(MPI_COMM_WORLD, &ranks);
    MPI_Finalize();
    if (argc < 2)
        return 0;
    errno = 0;
    long want = strtol(argv[1], NULL, 10);
    return errno != 0 || want != ranks;
}
