/* Where values come from: the shards of a job folder, or a packed file; reader.c and
 * hash.c ask either through the same four questions. Private to scheduler/result. */
#ifndef RESULT_SOURCE_H
#define RESULT_SOURCE_H

#include "gridmill/kernel.h"
#include "head.h"

#define SOURCE_BUFFERS                                                                   \
    (64u << 20) /* bytes that all read buffers of a source may take                      \
                 */

/* A value that is there: its type and shape, and where its bytes are. */
struct source_value {
    uint32_t dtype, ndim;
    uint64_t dims[GM_MAX_DIMS];
    uint64_t nbytes;
    unsigned part;   /* the source's own: which shard; which dataset */
    uint64_t offset; /* its first byte, element or row there */
    uint32_t crc;    /* of a shard's value */
};

/* No value of such a kind and index is in a task that did not end well, nor is there one
 * without bytes (a series without rows, an empty log). */
static inline bool source_needs_done(uint32_t kind)
{
    return kind == RESULT_OUTPUT || kind == RESULT_SERIES;
}

#endif
