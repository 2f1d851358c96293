/* One number for a machine: equal for equal hosts, whatever their names. */
#ifndef TOPO_DIGEST_H
#define TOPO_DIGEST_H

/* Of hwloc 2 XML text: 32 hex digits, terminated. Not a cryptographic hash: it groups
 * hosts that trust each other. The rule is a contract (docs/design/topology.md). */
void digest_xml(const char *xml, char ret[65]);

#endif
