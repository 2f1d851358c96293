/* The index of commits: a stage's, sorted by task and attempt, and what they say of each
 * rank. Plain memory, no file. Private to scheduler/result. */
#ifndef RESULT_COMMITS_H
#define RESULT_COMMITS_H

#include "reader.h"
#include "row.h"

struct commit {
    uint64_t task, count; /* tasks [task, task + count) */
    uint64_t row;         /* in its file's commits */
    double end;
    uint32_t attempt, file;
    uint32_t status;
};

struct commits {          /* all zero: empty */
    struct commit *items; /* attempts, by (task, attempt, end, file, row) */
    size_t n, room, n_sorted;
    struct commit *skips; /* skipped runs, by task; disjoint once sorted */
    size_t n_skips, room_skips;
    size_t hint; /* where the last search ended: tasks are asked for in order */
};

void commits_add(struct commits *c,
                 const struct row_commit *row,
                 uint32_t file,
                 uint64_t at);
/* After adding, before finding. */
void commits_sort(struct commits *c);
/* The commit that counts for a task, or NULL. */
const struct commit *commits_find(struct commits *c, uint64_t task);
/* The highest attempt number; 0 for a task that was skipped or never run. */
uint32_t commits_attempts(struct commits *c, uint64_t task);
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

void commits_rank_ran(struct commits_ranks *r, uint32_t rank, double seconds);
/* `text` is copied; one that does not have as many fields is passed over. */
void commits_rank_said(struct commits_ranks *r,
                       uint32_t rank,
                       const char *text,
                       size_t len);
/* Puts what is known over what *ret has. */
void commits_rank(const struct commits_ranks *r, unsigned rank, struct reader_rank *ret);
void commits_free_ranks(struct commits_ranks *r);

#endif
