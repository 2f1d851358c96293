/* The canonical form in: a document of RFC 14 (and, for version 1, RFC 25), checked by
 * the rules of a dialect, as structs. docs/design/jobspec.md lists where the dialects
 * differ. Nothing of Gridmill is read here: what stands under attributes.user.gridmill is
 * handed on as it is.
 *
 *   flux.c  the document and its tasks    flux_resource.c  vertices and counts
 *   flux_v1.c  what RFC 25 adds           flux_system.c    attributes.system */
#ifndef SPEC_FLUX_H
#define SPEC_FLUX_H

#include "spec/constraint.h"
#include "spec/dependency.h"
#include "spec/resource.h"

enum flux_per { FLUX_PER_SLOT = 1, FLUX_PER_RESOURCE, FLUX_TOTAL };

struct flux_env {
    const char *name;
    const char *value; /* NULL: unset it */
};

struct flux_task {
    const char *const *command;
    unsigned n_command;
    const char *slot; /* the label as written */
    enum flux_per per;
    int64_t count;
    const char *per_type;       /* PER_RESOURCE */
    const struct flux_env *env; /* attributes.environment: on top of the job's */
    unsigned n_env;
    unsigned line, col;
};

struct flux_job {
    int version;
    const struct resource *resources;
    unsigned n_resources;
    const struct flux_task *tasks;
    unsigned n_tasks;
    double duration;        /* s; 0: not set */
    const char *cwd, *name; /* or NULL */
    const struct flux_env *env;
    unsigned n_env;
    const struct constraint *constraints; /* NULL: any host */
    const struct dependency *needs;
    unsigned n_needs;
    /* attributes.system.shell.options.per-resource: tasks a resource instead of a slot;
     * type NULL: not there */
    const char *per_resource_type;
    int64_t per_resource_count;
    const struct doc_node *attributes; /* the whole, to be written again as it was */
    const struct doc_node *document;   /* likewise; filled by who called flux_read */
};

/* Adds every fault (and warning) to *faults. `only_v1`: version 1 alone is accepted
 * (RFC 25); `any`: the rules of version 1 are not asked for whatever `version` says;
 * neither: a document of version 1 must keep them. True: no fault was added. */
struct flux_rules {
    enum dialect dialect; /* never AUTO or SHORT */
    bool only_v1, any;
};
bool flux_read(struct arena *a,
               const struct doc_node *root,
               const struct flux_rules *rules,
               struct jobspec_faults *faults,
               struct flux_job *ret);

/* The slot of a task: its label's, or (where a dialect lets it pass) the only one there
 * is. NULL: it has none to run on. */
const struct resource *flux_task_slot(const struct flux_job *job,
                                      const struct flux_task *task);
/* How many tasks, with the least counts; -1: not told by the request (an exclusive node,
 * tasks a core). */
int64_t flux_count_tasks(const struct flux_job *job);

#endif
