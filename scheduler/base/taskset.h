/* A set of task numbers in [0, n), for any n: pages of bits; a page that is all in or all
 * out takes no memory, so that 10^9 tasks of which few are out of order cost little. */
#ifndef BASE_TASKSET_H
#define BASE_TASKSET_H

#include "auto.h"
#include <stdbool.h>
#include <stdint.h>

struct taskset;

struct taskset *taskset_make(uint64_t n); /* empty */
void taskset_free(struct taskset *t);     /* takes NULL */

uint64_t taskset_size(const struct taskset *t);  /* n */
uint64_t taskset_count(const struct taskset *t); /* members; O(1) */
bool taskset_has(const struct taskset *t, uint64_t task);

/* [first, first + count) lies within [0, n). What is in (or out) already stays so; return
 * how many were not: the change of taskset_count. */
uint64_t taskset_add(struct taskset *t, uint64_t first, uint64_t count);
uint64_t taskset_remove(struct taskset *t, uint64_t first, uint64_t count);

/* The first run of members at or after `from`, cut at `most` tasks. False: none. */
bool taskset_run(const struct taskset *t,
                 uint64_t from,
                 uint64_t most,
                 uint64_t *ret_first,
                 uint64_t *ret_count);
/* The same of numbers that are no members. */
bool taskset_gap(const struct taskset *t,
                 uint64_t from,
                 uint64_t most,
                 uint64_t *ret_first,
                 uint64_t *ret_count);

void taskset_unite(struct taskset *a, const struct taskset *b);    /* a |= b; equal n */
void taskset_subtract(struct taskset *a, const struct taskset *b); /* a &= ~b */

AUTO_TYPE(taskset, taskset_free)

#endif
