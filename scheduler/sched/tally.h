/* Inside of score.c and refine.c: what the seats of one host add up to, seat by seat, so
 * that a search can take one back. */
#ifndef SCHED_TALLY_H
#define SCHED_TALLY_H

#include "place.h"

/* Kinds of domains that the objective knows. */
enum tally_kind {
    TALLY_L2 = 0, /* caches of level 1 and 2 that several cores share */
    TALLY_L3,
    TALLY_NUMA,
    TALLY_PACKAGE,
    TALLY_N_KINDS
};

/* A node's kind; TALLY_N_KINDS: none (the host, cores, memory alone). */
enum tally_kind tally_kind_of(const struct topo_node *n);

/* Sums over seats. Counts of ranks and cores; costs as docs/design/placement.md has them.
 */
struct tally_sums {
    double straddle, gpu, slow;
    double crowd[TALLY_N_KINDS]; /* sum over domains of (ranks in it) squared */
    uint64_t pus, siblings;      /* PUs; of them those beyond a core's first */
};

/* What does not depend on who stands where; one a shape. */
struct tally_shape;
struct tally_shape *tally_shape_make(const struct topo_shape *shape,
                                     const struct place_request *req);
void tally_shape_free(struct tally_shape *f); /* takes NULL */
/* The fewest domains of a kind that hold so many PUs on the empty host. */
unsigned tally_need(const struct tally_shape *f, enum tally_kind kind, unsigned pus);
unsigned tally_domains(const struct tally_shape *f, enum tally_kind kind);

struct tally {
    const struct topo_shape *shape;
    const struct tally_shape *fixed;
    unsigned *ranks; /* per node: ranks that stand in it */
    unsigned *used;  /* per node: PUs of theirs */
    unsigned *stamp; /* per node: the last seat that was counted there */
    unsigned n_stamps;
    struct tally_sums sums;
};

void tally_open(struct tally *t,
                const struct topo_shape *shape,
                const struct tally_shape *fixed);
void tally_close(struct tally *t);
void tally_add(struct tally *t, const struct place_seat *seat);
void tally_remove(struct tally *t, const struct place_seat *seat);
/* What is left behind: domains that are neither whole nor full, weighed by their kind. */
double tally_fragments(const struct tally *t, const struct occupancy *occ, unsigned host);

#endif
