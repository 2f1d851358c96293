/* The index of commits: a stage's, sorted by task and attempt, and what they say of each
 * rank. Plain memory, no file. Private to scheduler/result. */
#ifndef RESULT_COMMITS_H
#define RESULT_COMMITS_H

#include "reader.h"
#include "row.h"

#define COMMITS_FILES_MOST (1u << 24)
#define COMMITS_ROWS_MOST  (UINT64_C(1) << 40)
#define COMMITS_TRIES_MOST ((1u << 29) - 1)

struct commit { /* 32 bytes: there is one for each attempt at a command */
    uint64_t task;
    double end;
    uint64_t row : 40, file : 24; /* in its file's commits */
    uint32_t count;               /* tasks [task, task + count) */
    uint32_t attempt : 29, status : 3;
};

_Static_assert(sizeof(struct commit) == 32, "10^6 of them are 32 MB");

/* Attempts of one task each; runs of tasks that are done at the first attempt (rows);
 * skipped runs. */
enum { COMMITS_ONE, COMMITS_RUN, COMMITS_SKIP, COMMITS_LISTS };

struct commits_list {
    struct commit
        *items; /* by (task, attempt, end, file, row); runs and skips disjoint */
    size_t n, room, n_sorted;
};

struct commits { /* all zero: empty */
    struct commits_list lists[COMMITS_LISTS];
    size_t hint, run_hint; /* where the last search ended: tasks are asked for in order */
    struct { /* commits_attempt's place: attempts too are asked for in order */
        uint64_t i;
        size_t one, run;
        uint64_t in_run;
    } at;
};

/* One task's or a run's; `row` has passed shards.c's checks. */
void commits_add(struct commits *c,
                 const struct row_commit *row,
                 uint32_t file,
                 uint64_t at);
/* After adding, before finding. */
void commits_sort(struct commits *c);
/* The commit that counts for a task, or NULL. */
const struct commit *commits_find(struct commits *c, uint64_t task);
/* Is this one of a run of rows? */
bool commits_in_run(const struct commits *c, const struct commit *at);
/* The highest attempt number; 0 for a task that was skipped or never run. */
uint32_t commits_attempts(struct commits *c, uint64_t task);

struct commits_span {
    const struct commit *counts; /* for each of these tasks */
    uint64_t first, count;
    uint32_t attempts;
};
/* The first tasks from `from` on that have a commit. False: none has. */
bool commits_next(struct commits *c, uint64_t from, struct commits_span *ret);

/* Attempts in the order of task and attempt: how many, and the i-th with its task. */
uint64_t commits_n_attempts(const struct commits *c);
const struct commit *commits_attempt(struct commits *c, uint64_t i, uint64_t *ret_task);
/* The checksum so far, continued over all commits. */
uint32_t commits_print(const struct commits *c, uint32_t crc);
void commits_free(struct commits *c); /* what is inside */

struct commits_rank_row {
    uint64_t tasks;
    double busy_s;
    char *said; /* the texts of a struct result_rank and the pid, each ended by a 0 */
};

struct commits_ranks { /* all zero: empty */
    struct commits_rank_row *rows;
    unsigned n;
};

void commits_rank_ran(struct commits_ranks *r,
                      uint32_t rank,
                      uint64_t tasks,
                      double seconds);
/* `text` is copied; one that does not have as many fields is passed over. */
void commits_rank_said(struct commits_ranks *r,
                       uint32_t rank,
                       const char *text,
                       size_t len);
/* Puts what is known over what *ret has. */
void commits_rank(const struct commits_ranks *r, unsigned rank, struct reader_rank *ret);
void commits_free_ranks(struct commits_ranks *r);

#endif
