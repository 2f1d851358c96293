/* How far a job is, for who watches it: counts a stage, a line a rank, the last failures.
 * From the shards of its folder, also while it runs: each turn reads the commit rows that
 * are new, of the shards that were written to since, and keeps three bit sets a stage and
 * a row a shard; or, once, from its packed file. Nothing is written, and no lock that the
 * run asks for is taken. Not thread-safe: the one thread that calls HDF5.
 *
 * A task that was done once is done; else one that failed once has failed; else it may be
 * skipped. In a launch of `resume --failed` what failed in earlier ones is open. */
#ifndef RESULT_SCAN_H
#define RESULT_SCAN_H

#include "base/auto.h"
#include "result/record.h"
#include <stdbool.h>

struct scan;

enum { SCAN_FAILURES = 16 };

struct scan_stage {
    const char *name;
    uint64_t n_tasks, done, failed, skipped;
    uint64_t retried; /* attempts that failed and were followed by another */
    /* of the launch that goes on, or went last: */
    uint64_t fresh;     /* tasks over in it */
    double first, last; /* unix s, their first start and last end; 0: none */
    double busy_s;      /* all attempts' times added up */
    double longest;     /* s that one took at most, as far as times tell */
};

struct scan_rank { /* of the launch that goes on, or went last */
    const char *host;
    uint64_t tasks; /* attempts that it led and committed */
    double busy_s;  /* in them */
    double last;    /* unix s, end of what it committed last; 0: nothing yet */
    double lost;    /* unix s when it was lost; 0: it was not */
    const char *lost_why;
};

struct scan_failure {
    unsigned stage;
    uint64_t task;
    uint32_t attempt, rank;
    double end;
    const char *params, *message; /* params: canonical JSON; "" */
};

struct scan_job {
    const char *name, *id;
    bool packed;
    unsigned launch;
    struct scan_stage *stages;
    unsigned n_stages;
    struct scan_rank *ranks;
    unsigned n_ranks;
    struct scan_failure failures[SCAN_FAILURES]; /* the latest first */
    unsigned n_failures;
    double first, last; /* unix s, of that launch: first start, last end; 0: none */
    uint64_t version;   /* differs where anything else does */
};

/* path: a job folder, or a packed file. -ENOENT: no rank has come to its first task. */
int scan_open(const char *path, struct scan **ret, struct gm_error *err);
/* Reads what is new. -ESTALE: a later launch has taken over: open it again. */
int scan_turn(struct scan *s, struct gm_error *err);
const struct scan_job *scan_job(const struct scan *s); /* until the next turn */
void scan_close(struct scan *s);                       /* takes NULL */

AUTO_TYPE(scan, scan_close)

#endif
