/* A plan: a job, fixed on a machine. What the ranks read at their start, what the results
 * keep, what `gridmill plan` shows. As small for 10^7 tasks as for one. */
#ifndef SPEC_PLAN_H
#define SPEC_PLAN_H

#include "spec/jobspec.h"

#define PLAN_SCHEMA "gridmill.plan/2"

/* What happens where a rank finds itself not as planned. */
enum plan_verify {
    PLAN_VERIFY_AUTO =
        0, /* strict where our launcher binds, warn under a foreign binding */
    PLAN_VERIFY_STRICT,
    PLAN_VERIFY_WARN,
    PLAN_VERIFY_OFF
};

enum plan_binder {
    PLAN_BOUND_BY_LAUNCHER = 1, /* our launcher binds: inherited must equal planned */
    PLAN_BOUND_BEFORE = 2,      /* a foreign launcher bound the ranks: kept */
    PLAN_BOUND_BY_RUNNER = 3, /* a foreign launcher left them unbound: the runner binds */
    PLAN_UNBOUND = 4          /* oversubscribed: ranks share the cores they have */
};

struct plan_rank {
    const char *host;
    const char *cpus; /* idset of PUs (OS numbers), "0-3"; ranks of one slot share */
    const char *gpus; /* idset, "" */
    const char *mems; /* idset of NUMA nodes (OS numbers) near it, "" */
    unsigned
        threads; /* that it may use: its cores, or its PUs where `threads` was asked */
    const char *reason; /* one line: why it stands there */
};

struct plan_host {
    const char *name;
    unsigned topology; /* index */
};

struct plan_topology {
    const char *digest; /* sha256 of the XML, hex */
    const char *xml;    /* hwloc 2 XML */
};

struct plan {
    struct arena *arena;
    const char *id;  /* 32 hex digits, random: one launch */
    unsigned launch; /* 0: the job's first; each later one runs what is left */
    bool again;      /* a later launch: tasks that have failed are run again */
    double began;    /* unix s: when the first was planned; 0: not told */
    double end;      /* unix s: from then on the ranks drain; 0: no limit */
    const char *file, *dir, *text; /* the jobspec, as loaded */
    size_t text_len;
    const char *const *sets;
    unsigned n_sets;
    unsigned document;      /* of the text, from 1 */
    const uint64_t *seated; /* a seated job's tasks, one a stage; else NULL */
    unsigned n_seated;
    const char *canonical; /* canonical JSON, one line */
    const char *results;   /* absolute path of the results file */
    const char *folder;    /* results + ".gm" */
    const char *mapping;   /* the one chosen: "pack" | "spread" | "inherited" */
    bool oversubscribe;
    bool elsewhere; /* its hosts are reached by the launcher, this one may be none of
                       them; the launch alone asks, so it is not written */
    enum plan_binder binder;
    enum plan_verify verify; /* never AUTO: the binder said what that is */
    const char *launcher;    /* "mpirun", "foreign" */
    const struct plan_rank *ranks;
    unsigned n_ranks;
    const struct plan_host *hosts;
    unsigned n_hosts;
    const struct plan_topology *topologies;
    unsigned n_topologies;
    const struct jobspec_source *sources;
    unsigned n_sources;
    const char *build; /* version and build id of who made it */
};

/* A stage's tasks: a seated job's are fixed by the plan. */
static inline uint64_t
plan_n_tasks(const struct plan *p, const struct jobspec *spec, unsigned stage)
{
    return p->seated != NULL && stage < p->n_seated ? p->seated[stage]
                                                    : spec->stages[stage].n_tasks;
}

char *plan_format(const struct plan *p); /* JSON; yours to free */
int plan_parse(const char *file,
               const char *text,
               size_t len,
               struct plan **ret,
               struct gm_error *err);
int plan_load(const char *file, struct plan **ret, struct gm_error *err);
void plan_free(struct plan *p);
const char *plan_binder_name(enum plan_binder b);
/* The word of `verify-binding`; NULL, or none of them: what the launcher makes of it. */
enum plan_verify plan_verify_of(const char *word, const char *launcher);

AUTO_TYPE(plan, plan_free)

#endif
