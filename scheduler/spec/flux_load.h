/* What the files that read the canonical form share: one struct flux_load from the tree
 * to the job, and what a dialect makes of each point that the sources of Flux disagree
 * on. Every reader adds its faults and goes on; false is returned only after one was
 * added. */
#ifndef SPEC_FLUX_LOAD_H
#define SPEC_FLUX_LOAD_H

#include "doc.h"
#include "faults.h"
#include "spec/flux.h"

enum flux_verdict { FLUX_FINE = 0, FLUX_WARN, FLUX_FAULT };

/* docs/design/jobspec.md tells why. */
struct flux_traits {
    const char *name;
    int64_t max_version;
    bool null_attributes;    /* `attributes:` and `system:` without a value, or empty */
    bool scalars_are_text;   /* a number or boolean where a string is asked for */
    bool string_counts;      /* count: "2-8:2:*" */
    bool zero_counts;        /* count: 0, but of node, slot and core */
    bool lone_max;           /* max without operator and operand */
    bool texts_alone;        /* of a task: a count is one number, attributes are texts */
    enum flux_verdict label; /* a task's slot that is no slot's label */
    enum flux_verdict no_slot;
    enum flux_verdict repeated_label;
    enum flux_verdict empty_with; /* `with: []` of what is no slot */
    enum flux_verdict empty_slot; /* a slot that holds nothing */
    enum flux_verdict siblings;   /* two vertices of one type in a slot */
    enum flux_verdict conflict;   /* exclusive: false in what is exclusive: true */
    enum flux_verdict pooled;     /* a share of a pool (unit, not exclusive) in a range */
    enum flux_verdict task_key;   /* an unknown one */
    enum flux_verdict per_type;   /* per_resource of a type that its slot lacks */
    enum flux_verdict no_needs;   /* dependencies: [] */
    enum flux_verdict job_value;  /* attributes.system.job: a value that is no string */
    enum flux_verdict v1_per_slot; /* version 1: more than one task a slot */
    enum flux_verdict v1_total;    /* ... fewer tasks than nodes */
    enum flux_verdict v1_twice;    /* ... two vertices of one type in a slot */
};

struct flux_load {
    struct arena *arena;
    const struct flux_rules *rules;
    const struct flux_traits *is;
    struct jobspec_faults *faults;
    struct flux_job *job;
    struct strmap *labels; /* label -> line */
    unsigned n_vertices;   /* so far */
    bool v1;               /* RFC 25 is to be kept */
    bool v1_told;          /* an error is RFC 25's alone */
    bool unsure;           /* some vertex's type or label could not be read */
};

const struct flux_traits *flux_traits(enum dialect dialect);

/* Faults at a value's place. */
GM_PRINTF(4, 5)
void flux_fault(struct flux_load *l,
                const struct fault_path *at,
                const struct doc_node *node,
                const char *fmt,
                ...);
/* By the verdict: nothing, a warning, a fault. */
GM_PRINTF(5, 6)
void flux_say(struct flux_load *l,
              enum flux_verdict verdict,
              const struct fault_path *at,
              const struct doc_node *node,
              const char *fmt,
              ...);
/* The same for what RFC 25 alone asks of version 1. */
GM_PRINTF(5, 6)
void flux_v1_say(struct flux_load *l,
                 enum flux_verdict verdict,
                 const struct fault_path *at,
                 const struct doc_node *node,
                 const char *fmt,
                 ...);
/* A place that is a key and not its value. */
struct doc_node flux_key_place(const struct doc_node *item);

struct flux_key {
    const char *name;
    const char *missing; /* what to write when it is not there; NULL: it need not be */
};
/* Tells each key that is unknown (with this verdict) and each that is missing; one that
 * is only misspelt is not told as missing too. False: `map` is no map (told). */
bool flux_keys(struct flux_load *l,
               const struct fault_path *at,
               const struct doc_node *map,
               const struct flux_key *keys,
               size_t n,
               enum flux_verdict unknown);

/* A list; false: it is none (told). `of` says what of: "a list of tasks". */
bool flux_list(struct flux_load *l,
               const struct fault_path *at,
               const struct doc_node *node,
               const char *of);
/* A string that is not empty; borrowed from the document. */
bool flux_text(struct flux_load *l,
               const struct fault_path *at,
               const struct doc_node *node,
               const char **ret);
/* An integer from `least` up to RANGE_MAX, as Flux stores them. */
bool flux_int(struct flux_load *l,
              const struct fault_path *at,
              const struct doc_node *node,
              int64_t least,
              int64_t *ret);
/* Seconds: a number, 0 or more, finite. */
bool flux_seconds(struct flux_load *l,
                  const struct fault_path *at,
                  const struct doc_node *node,
                  double *ret);
/* attributes.system.environment, and a task's. */
void flux_environment(struct flux_load *l,
                      const struct fault_path *at,
                      const struct doc_node *node,
                      const struct flux_env **ret,
                      unsigned *ret_n);

/* flux_resource.c */
void flux_resources(struct flux_load *l,
                    const struct fault_path *at,
                    const struct doc_node *list);
/* How often `slot` stands in the request, with the least counts; -1: beyond 2^63. */
int64_t flux_times(const struct flux_job *job, const struct resource *slot);
/* How many of a type are below a list, with the least counts; -1: beyond 2^63. */
int64_t flux_count_type(const struct resource *list, unsigned n, const char *type);

/* flux_v1.c: the graph, and the one task's number. */
void flux_v1_resources(struct flux_load *l,
                       const struct fault_path *at,
                       const struct doc_node *list);
void flux_v1_count(struct flux_load *l,
                   const struct fault_path *at,
                   const struct doc_node *node,
                   const struct flux_task *task);

/* flux_system.c */
void flux_attributes(struct flux_load *l,
                     const struct fault_path *at,
                     const struct doc_node *node);

#endif
