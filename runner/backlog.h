/* The tasks of all stages, by where they stand: waiting for what they need, pending (may
 * start now), out (handed out), done, failed or skipped. Plain state of the farm. */
#ifndef RUNNER_BACKLOG_H
#define RUNNER_BACKLOG_H

#include "base/taskset.h"
#include "farm.h"
#include "spec/jobspec.h"

struct backlog;

/* past: as in farm.h, or NULL. */
struct backlog *backlog_make(const struct jobspec *spec, const struct farm_past *past);
void backlog_free(struct backlog *b); /* takes NULL */

const struct taskset *backlog_pending(const struct backlog *b, unsigned stage);
const struct taskset *backlog_out(const struct backlog *b, unsigned stage);
uint64_t backlog_all_out(const struct backlog *b);

/* From pending to out, and back: all of them must stand there. */
void backlog_take(struct backlog *b, unsigned stage, uint64_t first, uint64_t count);
void backlog_back(struct backlog *b, unsigned stage, uint64_t first, uint64_t count);
/* From out to their end: what needs them starts to be pending, or is skipped. */
void backlog_end(
    struct backlog *b, unsigned stage, uint64_t first, uint64_t count, bool done);

/* 1 and a run that was skipped, each told once; 0: none. */
int backlog_next_skip(struct backlog *b,
                      uint32_t *ret_stage,
                      uint64_t *ret_first,
                      uint64_t *ret_count);
bool backlog_untold(const struct backlog *b); /* there are more of them */

struct backlog_counts {
    uint64_t done, failed, skipped;
};
void backlog_count(const struct backlog *b, unsigned stage, struct backlog_counts *ret);
/* Every task of the stage is done, failed or skipped. */
bool backlog_over(const struct backlog *b, unsigned stage);

AUTO_TYPE(backlog, backlog_free)

#endif
