/* A run of rows in a shard: what its commit and its records say (docs/design/results.md,
 * "Rows"). Its records are, in this order: the table, a field each, the times if each
 * task has its own, and the checks: the CRC-32C of each task's values (and of its times).
 * Private to scheduler/result. */
#ifndef RESULT_RUN_H
#define RESULT_RUN_H

#include "row.h"

/* Kinds of records, beside enum result_kind. */
enum run_kind { RUN_TABLE = 8, RUN_FIELD = 9, RUN_TIMES = 10, RUN_CHECKS = 11 };

#define RUN_FIELDS_MOST 10000u

struct run { /* all zero: none */
    struct row_commit commit;
    uint64_t rows, times, checks; /* where in the heap */
    bool timed;
    struct result_field *fields; /* owned */
    uint64_t *offsets;           /* of a field in its row; owned */
    unsigned n_fields;
    uint64_t row_bytes;
    unsigned width; /* checks a task */
};

/* The record rows of a run that begins at heap byte `at`; `records` holds n_fields + 3.
 * How many they are; 0: the fields are not what row_bytes says. */
unsigned run_describe(const struct result_rows *r,
                      uint64_t at,
                      const uint32_t *checks,
                      struct row_record *records);
/* The checks of each task's values, [count][run_width]. */
unsigned run_width(const struct result_rows *r);
void run_check(const struct result_rows *r, uint32_t *ret);

/* Reads them back; each record has passed row_record_ok. False: not a run. */
bool run_parse(const struct row_commit *c,
               const struct row_record *records,
               struct run *ret);
void run_free(struct run *r); /* what is inside */
/* n_fields: there is no such output. */
unsigned run_field(const struct run *r, uint32_t index);

#endif
