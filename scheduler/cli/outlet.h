/* Where a verb's long text goes, piece by piece: standard output, or a file that is there
 * whole or not at all. */
#ifndef CLI_OUTLET_H
#define CLI_OUTLET_H

#include "base/str.h"

struct outlet {
    struct str text;  /* to be written; who fills it calls outlet_more now and then */
    const char *path; /* NULL: standard output */
    char *part;       /* what it is called until it is whole */
    int fd;
};

/* path NULL or "-": standard output. A file of that name is replaced; one of HDF5 is not.
 */
int outlet_open(const char *path, struct outlet *ret, struct gm_error *err);
/* Writes when enough has come together. -EPIPE: the reader went away, which is no fault:
 * stop. */
int outlet_more(struct outlet *s, struct gm_error *err);
/* Writes the rest; the file has its name now. `rc` < 0: what was made is of no use and is
 * removed; rc is returned, and 0 for -EPIPE. */
int outlet_close(struct outlet *s, int rc, struct gm_error *err);

#endif
