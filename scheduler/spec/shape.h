/* RFC 46: a resource list in one line. "slot=4/core=2",
 * "node/[slot=10{read}/[core;memory=4{unit:GB}];slot{db}/core=6]". */
#ifndef SPEC_SHAPE_H
#define SPEC_SHAPE_H

#include "spec/resource.h"

/* Every vertex rule of RFC 14 holds too (a slot has something below it, labels are
 * unique, depth <= RESOURCE_MAX_DEPTH). A single slot without a label is called
 * "default". A range becomes the mapping that RFC 46 shows, a set stays text. A vertex'
 * col is its byte in the text, from 1. -EINVAL: what is wrong, at which character (from
 * 1), err. */
int shape_parse(struct arena *a,
                const char *text,
                const struct resource **ret,
                unsigned *ret_n,
                struct gm_error *err);
/* The shortest shape that parses to the same list. A count that was text or mapping is
 * what shape_parse makes of it: the same members. */
void shape_format(const struct resource *list, unsigned n, struct str *out);

#endif
