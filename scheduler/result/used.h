/* What commits and ranks tell of a job's use of the machine, added up while shards are
 * read: one entry a shard and rank, one a stage. Plain memory, no file. Private to
 * scheduler/result. */
#ifndef RESULT_USED_H
#define RESULT_USED_H

#include "row.h"

struct used_rank { /* a rank, by one shard: in one launch */
    uint32_t file, rank;
    struct result_use use; /* what it said last; all 0: nothing */
    uint64_t tasks;        /* attempts that it led */
    double busy_s;
    double first, last;      /* unix s, of those; 0: none */
    struct result_work work; /* of those that were not of all ranks together */
    double command_rss;      /* byte: of a command's largest process */
    unsigned next;           /* of the same file: index + 1 */
};

struct used_stage {
    uint64_t tasks;        /* attempts that ran */
    double task_s, rank_s; /* their times; the same times the ranks of each */
    double longest;
    double first, last;             /* unix s; 0: none ran */
    uint64_t counted;               /* of the tasks, those whose work is known */
    struct result_work cores, gpus; /* gpus: of tasks that computed there */
    uint32_t widest;                /* ranks of a task */
};

struct used { /* all zero: empty */
    struct used_rank *ranks;
    unsigned n, room;
    unsigned *files; /* a file's last entry: index + 1 */
    unsigned n_files;
    struct used_stage *stages;
    unsigned n_stages;
    struct result_work together; /* of tasks of all ranks */
};

/* n_ranks: of the job; command: its stage is one of commands. The commit has passed
 * shards.c's checks. */
void used_take(struct used *u,
               uint32_t file,
               unsigned n_ranks,
               bool command,
               const struct row_commit *c);
/* n numbers; what a later version knows more is passed over. */
void used_say(struct used *u, uint32_t file, uint32_t rank, const double *v, size_t n);
void used_free(struct used *u); /* what is inside */

#endif
