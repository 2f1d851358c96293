/* How much a job asks for, as far as its document tells. */
#ifndef CLI_COUNTS_H
#define CLI_COUNTS_H

#include "base/json.h"
#include "spec/jobspec.h"

struct counts {
    int64_t nodes, slots, tasks, cores, gpus; /* -1: not told */
    bool least;                               /* moldable: at least so many */
};

struct counts counts_of(const struct jobspec *spec);
struct counts counts_of_resources(const struct resource *list, unsigned n);
/* Adds the key `counts`. */
void counts_json(struct json *j, const struct counts *c);
/* "2 stages, 14 tasks" of the short form; "4 slots, 8 cores, 4 tasks" of the canonical.
 */
void counts_text(const struct jobspec *spec, const struct counts *c, struct str *out);
/* "1 node, 4 slots, 8 cores" */
void counts_resources_text(const struct counts *c, struct str *out);
const char *counts_dialect(enum dialect d);

#endif
