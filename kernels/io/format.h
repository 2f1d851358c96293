/* What a table's file format gives to the front (table.h): the four readers have these in
 * common. Private to io/. */
#ifndef IO_FORMAT_H
#define IO_FORMAT_H

#include "stream.h"
#include "table.h"

/* Allocates t->values for rows x cols, both checked; the values are not set. */
int format_alloc(const char *path,
                 uint64_t rows,
                 uint64_t cols,
                 struct table *t,
                 struct gm_error *err);

/* csv.c */
int csv_rows(struct stream *s, uint64_t *ret_rows, struct gm_error *err);
int csv_read(struct stream *s,
             uint64_t first,
             uint64_t count,
             struct table *ret,
             struct gm_error *err);

/* npy.c, idx.c: the header, then rows of one element type. */
struct format_array {
    uint64_t rows, cols;
    uint64_t data;  /* offset of the first element */
    size_t element; /* bytes of one */
    void (*convert)(const unsigned char *bytes, size_t n, float *ret);
};

int npy_header(struct stream *s, struct format_array *ret, struct gm_error *err);
int idx_header(struct stream *s, struct format_array *ret, struct gm_error *err);
/* Checks the header's promise against the length of a plain file. */
int format_check_size(const struct stream *s,
                      const struct format_array *a,
                      struct gm_error *err);
/* Rows [first, first + count) of an array whose header was just read. */
int format_read(struct stream *s,
                const struct format_array *a,
                uint64_t first,
                uint64_t count,
                struct table *ret,
                struct gm_error *err);

#endif
