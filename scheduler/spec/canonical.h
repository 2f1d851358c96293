/* The canonical form out: Flux's RFC 14/25 JSON of a job, keys in a fixed order. What
 * Flux has no word for stands under attributes.user.gridmill. A job that came from a
 * canonical document is written as that was: canonical(canonical(x)) = canonical(x), byte
 * for byte.
 *
 *   canonical.c  of a short form          part.c  attributes.user.gridmill
 *   rewrite.c    of a canonical document */
#ifndef SPEC_CANONICAL_H
#define SPEC_CANONICAL_H

#include "spec/jobspec.h"

char *canonical_format(const struct jobspec *spec, bool pretty); /* yours to free */

/* What a reader of the canonical form should know, as one sentence; or NULL. */
const char *canonical_note(const struct jobspec *spec);

#endif
