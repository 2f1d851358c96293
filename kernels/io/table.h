/* A numeric table from a file: one front for CSV, npy and IDX, each also gzipped. The
 * format is told by the file's first bytes; what is neither npy nor IDX is read as CSV.
 *
 * CSV: commas, optional blanks around numbers, "\n" or "\r\n", the last newline optional.
 * A first line with a word in it (a field that starts with a letter) is a header. Empty
 * lines may stand at the end alone. Every value must be a finite number. npy: version 1
 * to 3, C order, little-endian f4 f8 i4 i8 or u1 i1 b1; one or more dimensions. IDX:
 * unsigned or signed bytes, i2 i4 f4 f8, big-endian as the format has it. An array of
 * more than two dimensions is a table of its first by all the others.
 *
 * Values become floats, refused when that makes them infinite. Errors name file, line and
 * column ("a.csv: line 7: 63 columns where line 1 has 65"). */
#ifndef IO_TABLE_H
#define IO_TABLE_H

#include "gridmill/error.h"
#include "gridmill/types.h"
#include <stdint.h>

#define TABLE_ALL UINT64_MAX

struct table {
    float *values; /* [rows][cols]; malloc'ed */
    uint64_t rows, cols;
};

/* Rows without keeping them: npy and IDX by their header, CSV by counting lines, with the
 * columns of each compared (numbers are not looked at). */
int table_rows(const char *path, uint64_t *ret_rows, struct gm_error *err);
/* Rows [first, first + count), or all from `first` with TABLE_ALL. Past the end: -EINVAL.
 */
int table_read(const char *path,
               uint64_t first,
               uint64_t count,
               struct table *ret,
               struct gm_error *err);
/* The same from a tensor in memory; `origin` is its name in errors. */
int table_convert(const char *origin,
                  uint32_t dtype,
                  uint32_t ndim,
                  const uint64_t *dims,
                  const void *data,
                  struct table *ret,
                  struct gm_error *err);
void table_free(struct table *t); /* what is inside */

#endif
