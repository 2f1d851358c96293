/* Does something with an untrusted file in a child process first: HDF5 itself crashes or
 * hangs on some damaged files. Private to scheduler/result. */
#ifndef RESULT_APART_H
#define RESULT_APART_H

#include "gridmill/error.h"
#include <stdint.h>

/* What the child finds out; *ret_value goes back to the parent. */
typedef int apart_fn(const char *path, uint64_t *ret_value, struct gm_error *err);

/* Calls fn(path) in a child that may compute for at most `seconds`. Its result comes
 * back; a child that dies of it gives -EINVAL, "PATH: damaged: HDF5 crashes on it" or
 * "hangs on it". */
int apart_call(apart_fn *fn,
               const char *path,
               unsigned seconds,
               uint64_t *ret_value,
               struct gm_error *err);

#endif
