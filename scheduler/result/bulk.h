/* A dataset of the final file that may be large: its members each write a run of its rows
 * from the first to the last, as a stream of bytes that is cut into chunks. A small one
 * is rank 0's alone. Invariant: a chunk is one run of bytes of the stream: it spans part
 * of one axis, one index of those before it and all of those behind. Private to
 * scheduler/result. */
#ifndef RESULT_BULK_H
#define RESULT_BULK_H

#include "column.h"
#include "output.h"

struct bulk {
    struct output *out;
    const char *name;
    hid_t group, set;    /* where it is made; -1 on members that have no part of it */
    unsigned ndim, axis; /* axis: the one that chunks cut */
    uint64_t dims[GM_MAX_DIMS + 1], chunk[GM_MAX_DIMS + 1];
    size_t element, row_bytes, unit; /* bytes: of an index of `axis` */
    size_t chunk_bytes;
    uint64_t first, end; /* rows that this member writes */
    uint64_t at, left; /* the chunk being filled; bytes of the stream that are missing */
    size_t n, span;    /* bytes in buf, of how many */
    unsigned char *buf, *work;
    uint64_t *places, places_first; /* known beforehand, of this member's chunks */
    unsigned char fill[8];
    unsigned id;
    bool small, sparse; /* sparse: chunks that are all fill are left out */
};

struct bulk_spec {
    const char *group; /* from the root */
    struct column column;
    uint64_t chunk_rows; /* 0: by size */
    bool sparse;         /* many chunks will be nothing but fill */
};

/* Collective. `ret` must stay where it is until it is closed. */
int bulk_open(struct output *o,
              const struct bulk_spec *spec,
              struct bulk *ret,
              struct gm_error *err);
/* Where the stream goes on, and for how many bytes without a break (0: at the end). */
void *bulk_room(struct bulk *b, size_t *ret);
/* So many bytes were put there. */
int bulk_advance(struct bulk *b, size_t n, struct gm_error *err);
int bulk_add(struct bulk *b, const void *data, uint64_t n, struct gm_error *err);
int bulk_add_fill(struct bulk *b, uint64_t n, struct gm_error *err);
/* No member writes any of it: all rows read as the fill value. */
void bulk_leave(struct bulk *b);
/* After output_settle. Not collective; rc: what went wrong before. */
int bulk_close(struct bulk *b, int rc, struct gm_error *err);
/* The first index of a chunk on each axis. */
void bulk_place(const struct bulk *b, uint64_t chunk, hsize_t *ret);

#endif
