/* The hosts that a job's constraints (RFC 31) allow. */
#ifndef SCHED_ALLOWED_H
#define SCHED_ALLOWED_H

#include "spec/constraint.h"
#include "topo/restree.h"

/* Their places in the tree; constraint NULL: all of them. */
struct idset *allowed_hosts(const struct restree *tree, const struct constraint *c);

#endif
