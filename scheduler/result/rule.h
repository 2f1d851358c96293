/* /stages/S/varying: the rule by which a task's parameters are known from its number
 * (spec/varying.h), as columns. Private to scheduler/result. */
#ifndef RESULT_RULE_H
#define RESULT_RULE_H

#include "h5.h"
#include "spec/varying.h"

int rule_put(hid_t stage, const struct varying *v, struct gm_error *err);
/* *ret_there: false where the stage has none. All in `a`, with every number checked. */
int rule_load(hid_t stage,
              struct arena *a,
              struct varying *ret,
              bool *ret_there,
              struct gm_error *err);

#endif
