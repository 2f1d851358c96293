/* Sequential reading of the rows of a dataset through one buffer. A row is all that lies
 * under one index of the first dimension. Private to scheduler/result. */
#ifndef RESULT_WINDOW_H
#define RESULT_WINDOW_H

#include "gridmill/types.h"
#include "h5.h"

struct window {
    hid_t set, type; /* set: owned; type: borrowed, in memory */
    unsigned ndim;
    hsize_t dims[GM_MAX_DIMS + 1];
    size_t row_bytes;
    unsigned char *buf;
    uint64_t first, n, room; /* rows in buf; how many fit */
};

/* Opens at/name, whose elements must be of the class and size of `type` and which must
 * have ndim dimensions. access: H5P_DEFAULT or how. bytes: how much to read at once. */
int window_open(struct window *w,
                hid_t at,
                const char *name,
                hid_t access,
                hid_t type,
                unsigned ndim,
                size_t bytes,
                struct gm_error *err);
/* Sees that the dataset grew. */
int window_refresh(struct window *w, struct gm_error *err);
/* Copies rows [first, first + count) into out: -EINVAL when they are not there. */
int window_read(
    struct window *w, uint64_t first, uint64_t count, void *out, struct gm_error *err);
void window_close(struct window *w); /* also one that is all zero */

#endif
