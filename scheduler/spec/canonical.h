/* The canonical form: Flux's RFC 14/25 JSON of a job, one line, keys in a fixed order.
 * What Flux has no word for stands under attributes.user.gridmill. */
#ifndef SPEC_CANONICAL_H
#define SPEC_CANONICAL_H

#include "spec/jobspec.h"

char *canonical_format(const struct jobspec *spec, bool pretty); /* yours to free */

#endif
