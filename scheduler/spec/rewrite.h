/* A canonical document, written again: as it was, but for what a --set changed and what
 * another folder would change (cwd). */
#ifndef SPEC_REWRITE_H
#define SPEC_REWRITE_H

#include "base/json.h"
#include "spec/jobspec.h"

/* The request of the document is still the job's: no --set changed its ranks. */
bool rewrite_keeps_resources(const struct jobspec *spec);
/* The version it is to have. */
int rewrite_version(const struct jobspec *spec);
void rewrite_resources(struct json *j, const struct jobspec *spec);
void rewrite_tasks(struct json *j, const struct jobspec *spec);
void rewrite_attributes(struct json *j, const struct jobspec *spec);

#endif
