/* A file driver for HDF5 that gives chunks their place and leaves their bytes to others:
 * so one process makes a file's structure while several write what fills it. All else is
 * written as any driver would. Private to scheduler/result. */
#ifndef RESULT_RESERVE_H
#define RESULT_RESERVE_H

#include "h5.h"

/* A new file in the format of HDF5 1.8, through this driver. */
int reserve_create(const char *path, hid_t *ret, struct gm_error *err);
/* The chunk of `set`, a dataset of that `file`, at `offset` gets a place of nbytes in the
 * file, and its entry in the index; whoever writes there must write what the dataset's
 * filters would. */
int reserve_chunk(hid_t file,
                  hid_t set,
                  const hsize_t *offset,
                  uint32_t nbytes,
                  uint64_t *ret_address,
                  struct gm_error *err);

#endif
