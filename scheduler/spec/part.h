/* attributes.user.gridmill: what the canonical form has no word for, in the words of the
 * short form (`memory` stands beside them). */
#ifndef SPEC_PART_H
#define SPEC_PART_H

#include "base/json.h"
#include "spec/jobspec.h"

void part_write(struct json *j, const struct jobspec *spec);

#endif
