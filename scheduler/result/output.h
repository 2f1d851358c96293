/* A results file while it is packed, by one process or by a team. Rank 0 of the team
 * makes all that is structure and all that is small; chunks of large datasets are written
 * by whoever has them: rank 0 gives each its place (reserve.h), its writer fills it.
 * Sharded, each member has a file of its own for its chunks (parts.h), and FILE has
 * virtual datasets over them. Private to scheduler/result. */
#ifndef RESULT_OUTPUT_H
#define RESULT_OUTPUT_H

#include "base/str.h"
#include "h5.h"
#include "team.h"
#include <stdbool.h>

#define OUTPUT_BATCH ((size_t)64) /* chunks that one member holds back */

struct bulk;

struct output_held { /* a chunk without a place yet */
    uint32_t set, nbytes;
    uint64_t chunk;
};

struct output {
    const struct team *team;
    const char *path;            /* FILE; written as tmp */
    struct str tmp, part, parts; /* parts: "FILE.parts/N", from FILE's folder */
    uint32_t generation;         /* of the parts */
    hid_t file;                  /* rank 0's; else -1 */
    hid_t part_file;             /* sharded: this member's; else -1 */
    int why, part_why;           /* of a write to these two that failed, or 0 */
    int fd;                      /* of tmp, for chunks; -1 where HDF5 writes them */
    bool gzip, sharded;
    struct bulk **sets; /* open ones, by number; alike on every member */
    unsigned n_sets;
    struct output_held held[OUTPUT_BATCH];
    unsigned n_held;
    struct str bytes;     /* of those held, one after the other */
    double write_seconds; /* in checksums, chunks and their way to the disk */
};

struct output_options {
    const char *file;
    bool gzip, sharded;
    const struct team *team;
};

/* Collective, as all that says so. */
int output_create(const struct output_options *opt,
                  struct output *ret,
                  struct gm_error *err);
/* A finished chunk of a large dataset. Collective only in that other members must come to
 * output_settle. */
int output_put(struct output *o,
               struct bulk *b,
               uint64_t chunk,
               const void *data,
               uint32_t nbytes,
               struct gm_error *err);
/* Did a write of what HDF5 has for the file fail? */
int output_check(const struct output *o, struct gm_error *err);
/* Collective: what is held back is written. Every member's code goes in, all get one. */
int output_settle(struct output *o, int rc, struct gm_error *err);
/* Collective: closed, on the disk, under its name; or gone, when rc or this fails. Frees
 * always. */
int output_finish(struct output *o, int rc, struct gm_error *err);

#endif
