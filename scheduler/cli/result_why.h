/* Why a task was skipped: which task it needs has failed. Results do not say it; it
 * follows from the job's form and from what became of its tasks. */
#ifndef CLI_RESULT_WHY_H
#define CLI_RESULT_WHY_H

#include "base/str.h"
#include "result/reader.h"

struct result_why;

struct result_why *result_why_open(struct reader *r); /* r outlives it */
void result_why_close(struct result_why *y);          /* takes NULL */
/* "needs make[2], which failed", of a task that was skipped. */
int result_why_text(struct result_why *y,
                    unsigned stage,
                    uint64_t task,
                    struct str *out,
                    struct gm_error *err);

#endif
