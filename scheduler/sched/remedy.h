/* What to change in a request that can never fit, as small as can be: "ask for --gpus 2,
 * or 2 such hosts". */
#ifndef SCHED_REMEDY_H
#define SCHED_REMEDY_H

#include "base/str.h"
#include "place.h"

/* Appends the changes that would make the request fit the empty machine: each alone where
 * one is enough, the smallest first; else the smallest pair. Every change that is named
 * was tried. Of a machine of one host at last how many hosts like it would do. Nothing is
 * added where no change of one or two numbers helps. */
void remedy_add(const struct restree *tree,
                const struct place_request *req,
                struct str *out);

#endif
