/* Datasets of the final file: columns of a table and stacked values, each with its unit
 * and its description. Rows are along the first dimension. Private to scheduler/result.
 */
#ifndef RESULT_COLUMN_H
#define RESULT_COLUMN_H

#include "base/arena.h"
#include "gridmill/types.h"
#include "h5.h"

struct column {
    const char *name, *unit, *help;
    hid_t type;    /* in memory and in the file; borrowed */
    unsigned ndim; /* from 1 */
    uint64_t dims[GM_MAX_DIMS + 1];
    const void *fill;    /* what a row that is never written reads as; NULL: 0 */
    uint64_t chunk_rows; /* 0: by size */
    uint64_t most_rows;  /* that it may grow to; 0: those it has */
    bool gzip;           /* chunks are shuffled and deflated */
};

#define COLUMN_DEFLATE 4 /* zlib's level */

/* False: contiguous. Else the extent of a chunk: whole rows, or part of one. -EOVERFLOW:
 * larger than a file can be. */
int column_chunks(const struct column *c,
                  uint64_t *ret_chunk,
                  bool *ret_chunked,
                  struct gm_error *err);

/* Makes a dataset to be written in pieces: contiguous when small, else in chunks with a
 * Fletcher-32 checksum. *ret is to be closed by column_close. */
int column_create(hid_t at, const struct column *c, hid_t *ret, struct gm_error *err);
void column_set_chunks(hid_t how, const struct column *c, const uint64_t *chunk);
/* column_create with its layout given: a dataset creation list. */
int column_create_as(
    hid_t at, const struct column *c, hid_t how, hid_t *ret, struct gm_error *err);
/* Closes it; what the library still held back is written now, so this can fail. */
int column_close(hid_t *set, const char *name, struct gm_error *err);

/* A whole small column, text or list of texts in one call. */
int column_put(hid_t at,
               const char *name,
               hid_t type,
               uint64_t n,
               const void *data,
               const char *unit,
               const char *help,
               struct gm_error *err);
int column_put_text(hid_t at,
                    const char *name,
                    const char *text,
                    size_t len,
                    const char *help,
                    struct gm_error *err);
int column_put_texts(hid_t at,
                     const char *name,
                     const char *const *texts,
                     size_t n,
                     const char *help,
                     struct gm_error *err);

/* Reads them back, with every size checked. */
int column_get_text(
    hid_t at, const char *name, struct arena *a, const char **ret, struct gm_error *err);
int column_get_texts(hid_t at,
                     const char *name,
                     struct arena *a,
                     const char *const **ret,
                     size_t *ret_n,
                     struct gm_error *err);
/* n numbers (the column must have exactly that many) as `type`, a native one of 8 bytes.
 */
int column_get(
    hid_t at, const char *name, hid_t type, size_t n, void *ret, struct gm_error *err);
/* Rows of a dataset that is there; -EINVAL when it is no dataset of 1 or more dimensions.
 */
int column_rows(hid_t at, const char *name, uint64_t *ret, struct gm_error *err);

#endif
