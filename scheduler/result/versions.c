/* See versions.h. */
#include "versions.h"
#include <hdf5.h>
#include <stdio.h>

const char *versions_hdf5(char buf[32])
{
    unsigned major = 0, minor = 0, release = 0;
    (void)H5get_libversion(&major, &minor, &release);
    (void)snprintf(buf, 32, "%u.%u.%u", major, minor, release);
    return buf;
}

bool versions_hdf5_parallel(void)
{
#ifdef H5_HAVE_PARALLEL
    return true;
#else
    return false;
#endif
}
