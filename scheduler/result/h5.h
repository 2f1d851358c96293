/* HDF5 made bearable: an id that closes itself, errors as one sentence with an errno,
 * files and attributes. Private to scheduler/result. */
#ifndef RESULT_H5_H
#define RESULT_H5_H

#include "gridmill/error.h"
#include <hdf5.h>
#include <stdbool.h>
#include <stdint.h>

#define RESULTS_SCHEMA "gridmill.results/1"

/* An id of any kind, released at the end of its scope; -1: none. */
#define AUTO_ID __attribute__((cleanup(h5_release))) hid_t
void h5_release(hid_t *id);
/* The id, no longer released here. */
hid_t h5_steal(hid_t *id);

/* Before any other call, by each function that others call: the library neither prints
 * nor cleans up at exit (a file it could not close would be tried again for ever). */
void h5_begin(void);

/* "WHAT: reason" from the library's error stack. The code is the errno that the system
 * gave
 * (-ENOSPC), -EINVAL for a file that is no HDF5, cut short or damaged, else -EIO. */
GM_PRINTF(2, 3) int h5_fail(struct gm_error *err, const char *fmt, ...);

/* H5F_ACC_RDONLY, or H5F_ACC_RDONLY | H5F_ACC_SWMR_READ for a shard. */
int h5_open(const char *path, unsigned flags, hid_t *ret, struct gm_error *err);
/* A shard for SWMR reading, and no lock on it: for who only watches. */
int h5_open_unlocked(const char *path, hid_t *ret, struct gm_error *err);
/* File access: locks where the file system has them. latest: the format that SWMR needs.
 */
hid_t h5_access(bool latest);
/* A new file in the format of HDF5 1.8, with everything in it closed by h5_close. */
int h5_create(const char *path, hid_t *ret, struct gm_error *err);
/* Closes a file that was written: what could not be written is told. *file becomes -1. */
int h5_close(hid_t *file, const char *path, struct gm_error *err);

/* A group, made with its description. */
int h5_group(
    hid_t at, const char *name, const char *help, hid_t *ret, struct gm_error *err);
int h5_open_group(hid_t at, const char *path, hid_t *ret, struct gm_error *err);

/* The type of a text of n bytes (at least 1): fixed length, UTF-8, padded with 0. */
hid_t h5_text_type(size_t n);
/* The native type of an enum gm_dtype; -1: no such. Not to be released. */
hid_t h5_dtype(uint32_t dtype);

int h5_put_text(hid_t at, const char *name, const char *text, struct gm_error *err);
int h5_put_u64(hid_t at, const char *name, uint64_t v, struct gm_error *err);
int h5_put_f64(hid_t at, const char *name, double v, struct gm_error *err);
int h5_put_u64s(
    hid_t at, const char *name, const uint64_t *v, size_t n, struct gm_error *err);

/* -ENOENT: there is no such attribute. *ret of get_text is yours to free. */
int h5_get_text(hid_t at, const char *name, char **ret, struct gm_error *err);
int h5_get_u64s(
    hid_t at, const char *name, uint64_t *ret, size_t n, struct gm_error *err);
int h5_get_u64(hid_t at, const char *name, uint64_t *ret, struct gm_error *err);
int h5_get_f64(hid_t at, const char *name, double *ret, struct gm_error *err);

#endif
