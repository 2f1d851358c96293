/* The rows of a shard as they lie in the file (docs/design/results.md, "A shard"), and
 * where shards lie. Private to scheduler/result. */
#ifndef RESULT_ROW_H
#define RESULT_ROW_H

#include "h5.h"
#include "record.h"
#include <stddef.h>

#define ROW_OF_RANK UINT32_MAX /* the stage of a commit that speaks of the rank */

/* A commit's layout: its records are the values of its one task; or they describe a table
 * with a row a task (run.h). */
enum row_layout { ROW_LAYOUT_VALUES = 0, ROW_LAYOUT_TABLE = 1 };

struct row_record {
    uint64_t task, offset, nbytes;
    uint64_t dims[GM_MAX_DIMS];
    uint32_t stage, kind, index, dtype, ndim;
    uint32_t data_crc; /* of the bytes [offset, offset + nbytes) of the heap */
    uint32_t reserved;
    uint32_t crc; /* of this row up to here */
};

struct row_commit {
    uint64_t task, count;
    uint64_t first, n; /* its records are the rows [first, first + n) */
    uint64_t max_rss, read_bytes, written_bytes, continued;
    double start, end, user_s, system_s;
    double flops, flops64, bytes, gpu_s; /* of all its tasks together */
    uint32_t stage, attempt, status, reason;
    int32_t exit_code, signal;
    uint32_t rank, n_ranks;
    uint32_t layout; /* enum row_layout */
    uint32_t crc;    /* of this row up to here */
};

_Static_assert(sizeof(struct row_record) == 120 &&
                   offsetof(struct row_record, crc) == 116,
               "the file's layout");
_Static_assert(sizeof(struct row_commit) == 168 &&
                   offsetof(struct row_commit, crc) == 164,
               "the file's layout");

/* The HDF5 compound types, the same in memory and in the file; to be released. */
hid_t row_record_type(void);
hid_t row_commit_type(void);

void row_seal_record(struct row_record *r);
void row_seal_commit(struct row_commit *c);
bool row_commit_ok(const struct row_commit *c);
/* Its checksum, and sizes that agree with each other and with a heap of that many bytes.
 */
bool row_record_ok(const struct row_record *r, uint64_t heap);

/* n elements' bytes; false when that is past 2^63. */
bool row_bytes(uint32_t dtype, uint32_t ndim, const uint64_t *dims, uint64_t *ret);

#endif
