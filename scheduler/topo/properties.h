/* What a site says of hosts, kept once for all hosts that share it. */
#ifndef TOPO_PROPERTIES_H
#define TOPO_PROPERTIES_H

#include "restree.h"

/* Adds sets of names to tree->properties, each distinct set once. */
struct properties_adder;
struct properties_adder *properties_begin(struct restree *tree);
/* Copies the names; the index of the set. */
unsigned properties_add(struct properties_adder *a, const char *const *names, unsigned n);
void properties_end(struct properties_adder *a); /* takes NULL */

void properties_clear(struct restree *tree);

AUTO_TYPE(properties_adder, properties_end)

#endif
