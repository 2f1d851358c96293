/* RFC 31: which hosts a job may stand on. {op: [values]}: properties (all required, a
 * leading ^ forbids), hostlist (RFC 29), ranks (idsets), not, and, or. {} and empty lists
 * match all, `not: []` matches none; several operators side by side are joined by `and`.
 */
#ifndef SPEC_CONSTRAINT_H
#define SPEC_CONSTRAINT_H

#include "base/arena.h"
#include "base/json.h"
#include <stdbool.h>

enum constraint_op {
    CONSTRAINT_AND = 1,
    CONSTRAINT_OR,
    CONSTRAINT_NOT,
    CONSTRAINT_PROPERTIES,
    CONSTRAINT_HOSTLIST,
    CONSTRAINT_RANKS
};

struct constraint {
    enum constraint_op op;
    const struct constraint *args; /* AND, OR, NOT */
    const char *const *values;     /* the others: as written */
    unsigned n;
};

struct doc_node;
struct fault_path;
struct jobspec_faults;

enum dialect {
    DIALECT_AUTO = 0, /* by the document: `version` makes it canonical */
    DIALECT_SHORT,
    DIALECT_RFC,       /* RFC 14 and 25 as they are written */
    DIALECT_FLUX_CORE, /* what flux-core's validator accepts; the default for canonical */
    DIALECT_FLUXION    /* what flux-sched's parser accepts */
};

/* All faults are told. NULL: there were some (or `node` asks for nothing: {}). */
const struct constraint *constraint_read(struct arena *a,
                                         const struct doc_node *node,
                                         const struct fault_path *at,
                                         enum dialect dialect,
                                         struct jobspec_faults *faults);
void constraint_json(struct json *j, const struct constraint *c); /* NULL: {} */

struct constraint_host {
    const char *name;
    unsigned rank; /* its place among the hosts, from 0 */
    const char *const *properties;
    unsigned n_properties;
};
bool constraint_allows(const struct constraint *c, const struct constraint_host *host);

#endif
