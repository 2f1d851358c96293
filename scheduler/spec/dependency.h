/* RFC 26: what a job waits for. In a document {scheme: S, value: V, ...}; on the command
 * line and in the short form "S:V?key=value&...". */
#ifndef SPEC_DEPENDENCY_H
#define SPEC_DEPENDENCY_H

#include "base/arena.h"
#include "base/json.h"
#include "gridmill/error.h"

struct doc_node;
struct fault_path;
struct jobspec_faults;

enum dependency_kind {
    DEPENDENCY_AFTER_START = 1, /* after, afterstart */
    DEPENDENCY_AFTER_ANY,
    DEPENDENCY_AFTER_OK,
    DEPENDENCY_AFTER_NOT_OK,
    DEPENDENCY_BEGIN_TIME, /* value: seconds since the epoch */
    DEPENDENCY_SYMBOLIC,   /* string, fluid: type in|out|inout, scope user|global */
    DEPENDENCY_OTHER       /* a scheme of some plugin: kept as it is */
};

struct dependency {
    enum dependency_kind kind;
    const char *scheme, *value;
    double when; /* BEGIN_TIME: unix seconds */
    const struct dependency_option {
        const char *key, *value;
    } * options; /* type, scope, ... in file order */
    unsigned n_options;
    unsigned line, col;
};

/* "afterok:train", "begin-time:1763730000". */
int dependency_parse(struct arena *a,
                     const char *text,
                     struct dependency *ret,
                     struct gm_error *err);
/* A list of mappings (canonical) and of texts (short form). All faults are told. */
void dependency_read_list(struct arena *a,
                          const struct doc_node *node,
                          const struct fault_path *at,
                          struct jobspec_faults *faults,
                          const struct dependency **ret,
                          unsigned *ret_n);
void dependency_json(struct json *j, const struct dependency *d);
void dependency_text(const struct dependency *d, struct str *out); /* the one-line form */

#endif
