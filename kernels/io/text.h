/* Text as bytes: a file whole, or the part of it that a shard names; gzip too. */
#ifndef IO_TEXT_H
#define IO_TEXT_H

#include "gridmill/error.h"
#include <stddef.h>
#include <stdint.h>

#define TEXT_ALL UINT64_MAX

/* Bytes [begin, end) of the (unpacked) text, terminated; TEXT_ALL: to its end. *ret is
 * yours. -EINVAL: it ends before `end`. */
int text_read(const char *path,
              uint64_t begin,
              uint64_t end,
              char **ret,
              size_t *ret_len,
              struct gm_error *err);

#endif
