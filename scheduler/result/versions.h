/* The HDF5 library that is loaded now (not the one we were compiled against). */
#ifndef RESULT_VERSIONS_H
#define RESULT_VERSIONS_H

#include <stdbool.h>

const char *versions_hdf5(char buf[32]); /* "1.10.8" */
bool versions_hdf5_parallel(void);       /* built with MPI */

#endif
