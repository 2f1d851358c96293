/* The token: FOLDER/token holds the plan's id. A host that does not see it does not share
 * the folder; a folder with another one has become another run's. */
#ifndef RUNNER_TOKEN_H
#define RUNNER_TOKEN_H

#include "spec/plan.h"

int token_write(const struct plan *plan, struct gm_error *err);
/* 0: the folder is this plan's. -EBUSY: it is another run's by now; or why it cannot be
 * read. */
int token_check(const struct plan *plan, struct gm_error *err);
/* The same, and nobody takes the folder over as long as *ret is open: for the rank that
 * packs. */
int token_hold(const struct plan *plan, int *ret, struct gm_error *err);

#endif
