/* A request (spec/resource.h) as one flat array in preorder, with what each vertex's type
 * means on a machine. */
#ifndef SCHED_WANT_H
#define SCHED_WANT_H

#include "spec/resource.h"
#include "topo/restree.h"

#define WANT_MAX 1024u /* vertices of a request */

enum want_role {
    WANT_ALL = 1, /* cluster, rack ...: holds all hosts; there is one */
    WANT_SLOT,
    WANT_DOMAIN, /* a level of the machine: the host and what is in it */
    WANT_CORES,  /* leaves: so many of them */
    WANT_PUS,
    WANT_GPUS,
    WANT_MEMORY
};

struct want {
    const struct resource *r;
    enum want_role role;
    uint32_t kind, level; /* DOMAIN: enum gm_kind; of a cache 1, 2, 3 */
    uint64_t bytes;       /* MEMORY: of one unit */
    unsigned end;         /* wants (i, end) are below this one */
    unsigned parent;      /* the top's is its own */
    bool exclusive;
    bool has_host; /* below it (not itself): a node, or what is above nodes */
    bool has_pus;  /* at or below it: cores or PUs are counted */
    bool has_gpus;
};

/* ret: yours to free. -EINVAL: a type, a unit or a nesting that no machine has;
 * "LINE:COL: resources: ..." where there is a place. */
int want_list(const struct resource *resources,
              unsigned n,
              struct want **ret,
              unsigned *ret_n,
              struct gm_error *err);

/* "LINE:COL: resources: " in front of the sentence; returns rc. */
int want_place(const struct resource *r, int rc, struct gm_error *err);
/* The nodes of a host that a type names, by kind and level: in *ret. What a machine
 * leaves out because it places nothing has a stand-in: a core for a cache of its own, the
 * host for its only package or NUMA node. False: no level of a machine. */
bool want_level(const struct topo_shape *s, const char *type, struct topo_node *ret);
bool want_is_like(const struct topo_node *n, const struct topo_node *like);

#endif
