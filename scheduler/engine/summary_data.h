/* What a summary holds. Only summary*.c look inside. All texts are in its arena. */
#ifndef ENGINE_SUMMARY_DATA_H
#define ENGINE_SUMMARY_DATA_H

#include "base/arena.h"
#include "result/reader.h"
#include "result/receipt.h"
#include "summary.h"

struct summary_output {
    const char *name, *unit, *help, *weight; /* weight: an output's name, or NULL */
    uint32_t kind;                           /* enum gm_summary */
    uint64_t n;                              /* tasks that gave a value */
    double value;                            /* total, mean, best or least; NaN: n is 0 */
    bool measured;                           /* a time or a rate, not a result */
    bool integral;                           /* added up from integers */
    uint64_t task;                           /* BEST, LEAST: whose */
    const char *params;                      /* and what varied there, as JSON; or "" */
    uint64_t rows, cols;                     /* MATRIX */
    double *cells;                           /* row-major */
};

struct summary_stage {
    const char *name, *kernel;
    uint64_t n_tasks, done, failed, skipped, open; /* open: not committed yet */
    uint64_t attempts;
    double start, end; /* unix s, of the first and last task; 0: none ran */
    double busy;       /* s, tasks' times added up */
    struct summary_output *outputs;
    unsigned n_outputs;
};

struct summary_rank {
    const char *host, *device, *cpus, *seen;
    uint64_t tasks;
    double busy;
    double lost; /* unix s; 0: it was not */
    const char *why;
};

struct summary_failure {
    unsigned stage;
    uint64_t task;
    uint32_t reason; /* enum result_reason */
    int32_t exit_code, signal;
    const char *params, *message;
};

/* What a command printed: its first bytes, of any value. */
struct summary_text {
    const char *bytes;
    size_t n;
    bool more;
};

struct summary_print {
    unsigned stage;
    uint64_t task;
    struct summary_text out, err;
};

#define SUMMARY_FAILURES   8 /* as many are kept */
#define SUMMARY_PRINTS     4 /* a stage */
#define SUMMARY_PRINTS_ALL 12
#define SUMMARY_PRINT_SIZE 8192 /* bytes of one text */

struct summary {
    struct arena *arena;
    const char *path; /* the file, or the folder */
    const char *id, *name, *build;
    uint64_t bytes; /* of the file and its parts; 0: a folder */
    bool packed, sharded;
    struct summary_stage *stages;
    unsigned n_stages;
    struct summary_rank *ranks;
    unsigned n_ranks;
    bool grouped; /* some tasks ran on groups: only their first rank's time is known */
    struct summary_failure failures[SUMMARY_FAILURES];
    unsigned n_failures;
    struct summary_print prints[SUMMARY_PRINTS_ALL];
    unsigned n_prints;
    uint64_t
        unread; /* tasks that ran a command, and what they printed is not in prints */
    const char *verdict;
    struct engine_phase *phases;
    unsigned n_phases;
    struct receipt *receipt; /* NULL: an earlier version's file */
};

/* The number that the job was run for: of the last stage that has a mean, a best or a
 * least. NULL: it has none. */
const struct summary_output *summary_headline(const struct summary *s,
                                              unsigned *ret_stage);
/* summary_receipt.c. dim, off: of the terminal, or "". */
struct json;
void summary_put_receipt(struct json *j, const struct summary *s);
void summary_draw_receipt(const struct summary *s,
                          const char *dim,
                          const char *off,
                          struct str *out);
double summary_start(const struct summary *s);        /* unix s, the first; 0: none */
double summary_wall(const struct summary *s);         /* s, first start to last end */
const char *summary_outcome(const struct summary *s); /* "done", "failed", "incomplete" */
const char *summary_kind_name(uint32_t kind);         /* "mean" */
/* "0.9722", "1203": as short as it is true, integers as such; buf holds 32 bytes. */
const char *summary_number(const struct summary_output *o, double v, char buf[32]);

#endif
