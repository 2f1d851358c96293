/* The parts of a pack, that pack.c calls in turn on each member of the team. First the
 * tasks are looked at, each member having a run of the rows of /tasks: that fills /tasks
 * and tells of each output and log how much there is of it. Then each is written as a
 * stream that the members have cut among them by bytes. Private to scheduler/result. */
#ifndef RESULT_PACKING_H
#define RESULT_PACKING_H

#include "bulk.h"
#include "pack.h"
#include "shards.h"

#define PACKING_BLOCK   32768u       /* rows of /tasks: sums are kept of each */
#define PACKING_SCRATCH (256u << 10) /* bytes */
#define PACKING_ALL     UINT32_MAX   /* heap.stage: one row a row of /tasks */

struct heap_sum {
    uint64_t elements, rows; /* rows: of a series; else values */
};

struct heap { /* all values of one kind: an output, a series, a log, a text */
    uint32_t stage, kind, index, dtype, ndim;
    const char *name, *unit, *help;
    bool ragged;       /* shapes differ, or a task that is done has no value */
    uint64_t n_values; /* tasks that have one */
    uint32_t one_ndim; /* the shape of the first; of a row, for a series */
    uint64_t one[GM_MAX_DIMS];
    struct heap_sum *sums; /* before block first_block + i; n_blocks + 1 of them */
    uint64_t first_block, n_blocks;
};

struct damage { /* a value that does not match its checksum: its task has failed */
    uint32_t stage, kinds; /* bits: 1 << kind */
    uint64_t task;
    char text[240];
};

struct packing {
    const struct pack_options *opt;
    const struct team *team;
    struct output out;
    const struct head *head;
    struct shards *shards;
    uint64_t *first,
        *n; /* a stage's rows of /tasks: [first, first + n), n 0 or n_tasks */
    uint64_t n_rows;
    struct heap *heaps; /* parameters, messages, then a stage's outputs and logs */
    unsigned n_heaps;
    unsigned *heaps_first;       /* of a stage */
    struct damage *damage;       /* by stage and task; none: nothing was found */
    uint64_t n_damage, n_undone; /* of their tasks, so many were done */
    unsigned char *scratch;      /* PACKING_SCRATCH bytes */
};

enum { PACKING_PARAMS, PACKING_MESSAGE, PACKING_TEXTS };

/* Rank 0. */
int packing_ranks(struct packing *p, struct gm_error *err);
/* Collective, these: */
int packing_tasks(struct packing *p, struct gm_error *err);
int packing_attempts(struct packing *p, struct gm_error *err);
int packing_values(struct packing *p, struct gm_error *err);
/* Reads every value and remembers the tasks of those that are damaged. */
int packing_verify(struct packing *p, struct gm_error *err);

/* pack_heaps.c */
void packing_list(struct packing *p);
void packing_clear(struct packing *p); /* what was looked at; for another try */
void packing_free(struct packing *p);
unsigned packing_heaps_of(const struct packing *p, unsigned stage); /* how many */

/* pack_look.c: the heaps' numbers, and the columns, of these rows of /tasks. */
struct bulk;
int packing_look(struct packing *p,
                 uint64_t first,
                 uint64_t end,
                 struct bulk *columns,
                 struct gm_error *err);

/* pack_damage.c: what the shards say, less what is damaged. */
int packing_task(struct packing *p,
                 unsigned stage,
                 uint64_t task,
                 struct reader_task *ret,
                 struct gm_error *err);
int packing_find(struct packing *p,
                 const struct heap *h,
                 unsigned stage,
                 uint64_t task,
                 struct source_value *ret,
                 struct gm_error *err);
int packing_run(struct packing *p,
                unsigned stage,
                uint64_t task,
                struct shards_run *ret,
                struct gm_error *err);
/* Bytes [first, first + n) of a value onto the stream. With its first byte comes the
 * whole value's check: -EBADMSG. */
int packing_copy(struct packing *p,
                 struct bulk *to,
                 const struct source_value *v,
                 uint64_t first,
                 uint64_t n,
                 struct gm_error *err);

/* The columns of /tasks. */
enum packing_column {
    COL_STAGE,
    COL_INDEX,
    COL_RANK,
    COL_N_RANKS,
    COL_START,
    COL_END,
    COL_TIMED_WITH,
    COL_ATTEMPTS,
    COL_STATUS,
    COL_REASON,
    COL_EXIT_CODE,
    COL_SIGNAL,
    COL_DIGEST,
    COL_TASKS
};

union cell { /* one value for a column, of whatever type */
    uint8_t b;
    uint32_t u;
    int32_t i;
    uint64_t q;
    double d;
};

/* n times the same in each column. */
int packing_add(struct bulk *columns,
                const union cell *row,
                unsigned n_columns,
                struct gm_error *err);

#endif
