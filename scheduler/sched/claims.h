/* What an attempt holds so far: PUs, GPUs and memory, each claim for a slot or for nobody
 * (held, but no slot's). Claims are taken back to a mark in one call. */
#ifndef SCHED_CLAIMS_H
#define SCHED_CLAIMS_H

#include "fit.h"

struct claims;

/* A copy of occ is worked on. */
struct claims *claims_make(const struct restree *tree, const struct occupancy *occ);
void claims_free(struct claims *c); /* takes NULL */

struct claims_mark {
    unsigned n_claims, n_slots;
};
struct claims_mark claims_mark(const struct claims *c);
void claims_undo(struct claims *c, struct claims_mark to);

/* A slot of its own; its number. */
int claims_slot(struct claims *c, unsigned want, int outer);

unsigned claims_cores(const struct claims *c, unsigned host, unsigned node); /* free */
unsigned claims_pus(const struct claims *c, unsigned host, unsigned node);
unsigned claims_gpus(const struct claims *c, unsigned host, unsigned node);
bool claims_all_free(const struct claims *c, unsigned host, unsigned node);
uint64_t claims_memory(const struct claims *c, unsigned host, unsigned node);

/* The takers assert that there is room. slot -1: nobody's. */
void claims_take_cores(struct claims *c,
                       unsigned host,
                       unsigned node,
                       unsigned cores,
                       unsigned gpus,
                       int slot);
void claims_take_pus(
    struct claims *c, unsigned host, unsigned node, unsigned n, int slot);
void claims_take_gpus(
    struct claims *c, unsigned host, unsigned node, unsigned n, int slot);
void claims_take_memory(struct claims *c, unsigned host, unsigned node, uint64_t bytes);
/* All that is free at or below a node: PUs for one slot, GPUs for one. */
void claims_take_rest(
    struct claims *c, unsigned host, unsigned node, int pus_slot, int gpus_slot);

/* All that is held, a part a host; yours to free. */
struct fit_part *claims_held(const struct claims *c, unsigned *ret_n);
/* The slots, which are the caller's now. */
struct fit_slot *claims_steal(struct claims *c, unsigned *ret_n);
void claims_free_slots(struct fit_slot *slots, unsigned n);

AUTO_TYPE(claims, claims_free)

#endif
