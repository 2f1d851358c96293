/* The documents of a file in which there are faults: which of them, and what can be told
 * of each. */
#ifndef CLI_DOCUMENTS_H
#define CLI_DOCUMENTS_H

#include "base/json.h"
#include "job.h"

/* A list's items, for check --json. A document is valid when no fault stands in it. */
void documents_json(struct json *j, const struct job_file *f);

#endif
