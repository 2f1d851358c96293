/* See selftest.h. */
#include "selftest.h"
#include "base/json.h"
#include "result/versions.h"
#include <mpi.h>
#include <pmix.h>

static const char *level_name(int level)
{
    return level == MPI_THREAD_MULTIPLE     ? "multiple"
           : level == MPI_THREAD_SERIALIZED ? "serialized"
           : level == MPI_THREAD_FUNNELED   ? "funneled"
                                            : "single";
}

int selftest_run(int *argc, char ***argv)
{
    int level, rank, n, len;
    char library[MPI_MAX_LIBRARY_VERSION_STRING];
    if (MPI_Init_thread(argc, argv, MPI_THREAD_MULTIPLE, &level) != MPI_SUCCESS)
        return 4;
    (void)MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    (void)MPI_Comm_size(MPI_COMM_WORLD, &n);
    (void)MPI_Get_library_version(library, &len);
    pmix_proc_t me;
    bool pmix = PMIx_Init(&me, NULL, 0) == PMIX_SUCCESS;
    if (pmix)
        (void)PMIx_Finalize(NULL, 0);
    if (rank == 0) {
        AUTO_JSON j = {0};
        char hdf5[32];
        json_begin(&j, '{');
        json_put_string(&j, "gridmill", "self-test");
        json_put_string(&j, "mpi", library);
        json_put_string(&j, "pmix", pmix ? PMIx_Get_version() : NULL);
        json_put_string(&j, "thread", level_name(level));
        json_put_string(&j, "hdf5", versions_hdf5(hdf5));
        json_put_bool(&j, "hdf5_parallel", versions_hdf5_parallel());
        json_put_int(&j, "size", n);
        json_end(&j, '}');
        (void)printf("%s\n", str_text(&j.out));
    }
    (void)MPI_Finalize();
    return 0;
}
