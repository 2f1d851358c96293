/* What shards.c and shards_run.c share: the files, and the run that was looked at last.
 */
#ifndef RESULT_SHARDS_INNER_H
#define RESULT_SHARDS_INNER_H

#include "base/str.h"
#include "run.h"
#include "shards.h"
#include "used.h"
#include "window.h"

/* Of source_value.part: the value is computed from its task's number (`offset`); the
 * other bits are its stage. */
#define SHARDS_COMPUTED (1u << 31)

struct shards_one { /* a shard */
    char *path;
    hid_t id; /* -1: closed for now */
    struct window heap, records, commits;
    uint64_t seen;
    bool fenced;
    uint64_t fence; /* so many rows count */
    uint64_t used;  /* when, for closing the one not used for longest */
};

struct shards_cache { /* a run, opened */
    bool there;
    unsigned file;
    uint64_t row; /* its commit's */
    struct run run;
    uint32_t *checks;   /* [count][width] */
    double (*times)[2]; /* [count], or NULL: not read yet */
};

struct shards {
    char *folder, *only; /* only: one shard's path, or NULL */
    const struct head *head;
    struct shards_one *files; /* by name; never reordered: commits name them by index */
    unsigned n_files, n_open;
    struct commits *stages; /* one a stage */
    struct commits_ranks ranks;
    struct used used;
    hid_t record_type, commit_type;
    uint64_t clock;
    struct shards_cache cache;
    struct str text; /* the parameters of the task that were computed last */
    unsigned text_stage;
    uint64_t text_task;
};

/* Opens it if need be; another one may be closed for that. */
int shards_use(struct shards *s, struct shards_one *f, struct gm_error *err);
int shards_record(struct shards *s,
                  unsigned file,
                  uint64_t i,
                  struct row_record *ret,
                  struct gm_error *err);
int shards_commit(struct shards *s,
                  unsigned file,
                  uint64_t i,
                  struct row_commit *ret,
                  struct gm_error *err);

/* shards_run.c */
bool shards_run_ok(struct shards *s, unsigned file, const struct row_commit *c);
void shards_run_forget(struct shards *s);
/* The task's own times, where it has them; else how many share the commit's. */
int shards_run_timed(struct shards *s,
                     const struct commit *at,
                     uint64_t task,
                     struct reader_task *ret,
                     struct gm_error *err);
/* shards_find in a run. */
int shards_run_find(struct shards *s,
                    const struct commit *at,
                    unsigned stage,
                    uint64_t task,
                    uint32_t kind,
                    uint32_t index,
                    struct source_value *ret,
                    struct gm_error *err);
/* The text of a computed value. */
const char *shards_computed(struct shards *s, const struct source_value *v);

#endif
