/* A task's checkpoint in files: FILE.gm/checkpoints/STAGE-TASK, which group rank 0
 * writes, and beside it STAGE-TASK.SET.RANK of each other rank that has state of its own
 * (docs/design/checkpoint.md). Invariant: a name is given to a whole file alone, after
 * its bytes are on the disk; STAGE-TASK is given last and names, by size and checksum,
 * the files of its set. So what it names is whole and of one instant, or not believed. */
#ifndef RESULT_CHECKPOINT_H
#define RESULT_CHECKPOINT_H

#include "base/auto.h"
#include "record.h"
#include <stdbool.h>
#include <stddef.h>

enum { CHECKPOINT_DIGEST = 32 };

/* Beside RESULT_OUTPUT and RESULT_SERIES, what the attempt had put out by then. */
enum checkpoint_kind {
    CHECKPOINT_PART = 100, /* of the kernel's state; index: its number */
    CHECKPOINT_FILES = 101 /* struct checkpoint_seal of each rank of the group */
};

struct checkpoint_head {
    uint32_t stage, rank, n_ranks; /* rank, of the group's n_ranks */
    uint64_t task;
    uint64_t set;  /* one save of one group: no other has this number */
    uint64_t step; /* steps that the task had taken */
    uint8_t digest[CHECKPOINT_DIGEST]; /* of what it computes, and by which build */
};

struct checkpoint_seal {
    uint64_t nbytes; /* of the file; 0: there is none */
    uint64_t crc;
};

/* The number of a set: the count-th that this rank leads in this launch. */
uint64_t checkpoint_set(uint32_t launch, uint32_t rank, uint64_t count);

/* SHA-256 of the texts, one after the other with their ends. */
void checkpoint_digest(const char *const *texts,
                       unsigned n,
                       uint8_t ret[CHECKPOINT_DIGEST]);

/* writing */

struct checkpoint_file;

/* A file of a name that nobody else has. `folder`: the job's. */
int checkpoint_create(const char *folder,
                      const struct checkpoint_head *head,
                      struct checkpoint_file **ret,
                      struct gm_error *err);
/* Stage and task of the record are the head's. */
int checkpoint_put(struct checkpoint_file *f,
                   const struct result_record *r,
                   struct gm_error *err);
/* It gets its name, and is on the disk when this returns. Frees, also on failure. */
int checkpoint_keep(struct checkpoint_file *f,
                    struct checkpoint_seal *ret,
                    struct gm_error *err);
void checkpoint_drop(struct checkpoint_file *f); /* removes it; takes NULL */

/* reading */

/* The bytes of a file, malloc'ed; rank 0: set is not asked. -ENOENT: there is none. */
int checkpoint_read(const char *folder,
                    const struct checkpoint_head *which,
                    char **ret,
                    size_t *ret_len,
                    struct gm_error *err);

struct checkpoint {
    struct checkpoint_head head;
    struct result_record *records; /* their data lies in the bytes, aligned to 8 */
    unsigned n;
    struct checkpoint_seal seal;
};

/* -EINVAL: damaged, cut off, or not of this stage, task, rank and digest (of rank 0, any
 * set). The bytes must be aligned to 8 and outlive *ret. */
int checkpoint_parse(const void *bytes,
                     size_t len,
                     const struct checkpoint_head *want,
                     struct checkpoint *ret,
                     struct gm_error *err);
void checkpoint_clear(struct checkpoint *c);
const struct result_record *
checkpoint_find(const struct checkpoint *c, uint32_t kind, uint32_t index);

/* Something is there that a task may go on from. */
bool checkpoint_any(const char *folder);

/* removing: what is not there is gone already */

void checkpoint_remove(const char *folder, const struct checkpoint_head *which);
/* The files of the ranks from 1 up to but without n_ranks, of one set. */
void checkpoint_remove_ranks(const char *folder,
                             const struct checkpoint_head *set,
                             uint32_t n_ranks);

/* What launches before this one left half written, or of sets that are none: a later
 * launch, on one rank. What a late rank of theirs still writes comes to nothing. */
void checkpoint_sweep(const char *folder, uint32_t launch);

AUTO_TYPE(checkpoint_file, checkpoint_drop)

#endif
