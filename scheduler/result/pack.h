/* Shards -> one results file: FILE.tmp, fsync, rename. The shards stay (the caller calls
 * pack_clean once the file is there). A value whose bytes do not match their checksum
 * fails its task (RESULT_DAMAGED, with a message) and nothing else. */
#ifndef RESULT_PACK_H
#define RESULT_PACK_H

#include "base/idset.h"
#include "result/record.h"
#include <stdbool.h>

struct pack_options {
    const char *folder;         /* the job's */
    const char *file;           /* to write */
    const struct idset *stages; /* only these stages' tasks; NULL: all */
    bool complete;              /* the job is over: /job gets its end and outcome */
    double end;                 /* unix s */
    const char *outcome;        /* "done", "failed", "incomplete" */
    /* Every task must have its end on file: -ENODATA. Else a shard that another host
     * sealed before it saw what was reported would lose tasks in silence. */
    bool whole;
    bool gzip; /* large datasets are compressed */
    /* Large datasets lie in FILE.parts/N, a file a member, and FILE shows them (virtual
     * datasets). */
    bool sharded;
    struct pack_times *ret_times; /* or NULL */
    uint64_t *ret_damaged;        /* or NULL: tasks that were done and are not any more */
};

struct pack_times { /* s, on this process */
    double all, written;
};

/* Once FILE is there: the folder goes (its plan first: who waits for the folder sees by
 * that that it is over), and parts that a pack which was killed left. */
int pack_clean(const struct pack_options *opt, struct gm_error *err);

/* By this process alone. */
int pack_run(const struct pack_options *opt, struct gm_error *err);
/* By several at once: each calls it. -EOWNERDEAD: one was lost; FILE is as it was. */
struct team;
int pack_team(const struct pack_options *opt,
              const struct team *team,
              struct gm_error *err);

#endif
