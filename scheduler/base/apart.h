/* Does something with untrusted bytes in a child process first: HDF5 and hwloc themselves
 * crash or hang on some damaged files. Not after MPI_Init. */
#ifndef BASE_APART_H
#define BASE_APART_H

#include "gridmill/error.h"
#include <stdint.h>

/* What the child finds out; *ret_value goes back to the parent. */
typedef int apart_fn(const void *what, uint64_t *ret_value, struct gm_error *err);

struct apart {
    apart_fn *fn;
    const void *what;    /* fn's */
    const char *path;    /* for the sentences */
    const char *library; /* "HDF5" */
    unsigned seconds;    /* of computing, at most */
};

/* Calls fn in a child. Its result comes back; a child that dies of it gives -EINVAL,
 * "PATH: damaged: HDF5 crashes on it" or "hangs on it". */
int apart_call(const struct apart *a, uint64_t *ret_value, struct gm_error *err);

#endif
