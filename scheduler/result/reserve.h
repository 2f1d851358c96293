/* A file driver for HDF5 that gives chunks their place and leaves their bytes to others:
 * so one process makes a file's structure while several write what fills it. And it keeps
 * a full disk from HDF5, which crashes on it (H5Ocopy, and MPI_Finalize when a file
 * cannot be closed): after a write that failed nothing is written any more, and whoever
 * packs asks for it. Private to scheduler/result. */
#ifndef RESULT_RESERVE_H
#define RESULT_RESERVE_H

#include "h5.h"

/* A new file in the format of HDF5 1.8, through this driver. *why: 0, or the code of the
 * first write that failed; it must outlive the file. */
int reserve_create(const char *path, int *why, hid_t *ret, struct gm_error *err);
/* The sentence of such a failure. */
int reserve_check(int why, const char *path, struct gm_error *err);
/* The chunk of `set`, a dataset of that `file`, at `offset` gets a place of nbytes in the
 * file, and its entry in the index; whoever writes there must write what the dataset's
 * filters would. */
int reserve_chunk(hid_t file,
                  hid_t set,
                  const hsize_t *offset,
                  uint32_t nbytes,
                  uint64_t *ret_address,
                  struct gm_error *err);
/* Closes it, with all that is to be written; after a failure (rc) that is nothing. *file
 * becomes -1. */
int reserve_close(hid_t *file, int *why, int rc, const char *path, struct gm_error *err);

#endif
