/* Lines of a text file (gzip too): how many, and where a run of them lies. A line ends
 * with
 * "\n"; the last may lack it. */
#ifndef IO_LINES_H
#define IO_LINES_H

#include "gridmill/error.h"
#include <stdint.h>

int lines_count(const char *path, uint64_t *ret_lines, struct gm_error *err);
/* Bytes [*ret_begin, *ret_end) of the (unpacked) text hold lines [first, first + count).
 * -EINVAL when there are fewer. */
int lines_range(const char *path,
                uint64_t first,
                uint64_t count,
                uint64_t *ret_begin,
                uint64_t *ret_end,
                struct gm_error *err);

#endif
