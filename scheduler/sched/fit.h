/* One attempt to place a request with given counts. What was tried and did not fit is
 * taken back, so a domain that fails leaves nothing behind. */
#ifndef SCHED_FIT_H
#define SCHED_FIT_H

#include "topo/occupancy.h"
#include "want.h"

struct fit_part {
    unsigned host;
    struct idset *pus, *gpus;
};

struct fit_slot {
    unsigned want;
    int outer; /* the slot around it, or -1 */
    struct fit_part *parts;
    unsigned n_parts;
};

struct fit_request {
    const struct restree *tree;
    const struct occupancy *occ;
    const struct idset *usable; /* hosts, by their places in the tree */
    const struct want *wants;
    unsigned n_wants;
    const int64_t *counts; /* one a want */
    /* Siblings by need, the largest first, each into the tightest domain; else in the
     * order of the request and of the machine. */
    bool tight;
};

struct fit {
    struct fit_slot *slots; /* in the order in which they were placed */
    unsigned n_slots;
    struct fit_part
        *held; /* a part a host: the slots, and what is exclusive around them */
    unsigned n_held;
    int64_t *found; /* one a want: the most that could be had where it failed, or -1 */
    int failed;     /* the top vertex that did not fit, or -1 */
};

struct fit *fit_make(const struct fit_request *req);
void fit_free(struct fit *f); /* takes NULL */

AUTO_TYPE(fit, fit_free)

#endif
