/* A look at hwloc XML before hwloc reads it: what is wrong with it in words, and no text
 * that would take hwloc minutes, gigabytes or its life (it checks neither the sizes of
 * matrices nor that the sets of objects agree). */
#ifndef TOPO_XMLCHECK_H
#define TOPO_XMLCHECK_H

#include "gridmill/error.h"
#include <stddef.h>

enum {
    XMLCHECK_PUS = 16384,   /* of a host; Linux has at most 8192 */
    XMLCHECK_NODES = 65536, /* NUMA nodes are numbered below; Linux has at most 1024 */
    XMLCHECK_DEPTH = 64,    /* elements in elements */
    XMLCHECK_MATRIX = 4096, /* objects of a distance matrix */
    XMLCHECK_BYTES = 64 << 20
};

/* text[len] is 0, and no other byte is. -EINVAL: "line 7: ..." or a sentence. */
int xmlcheck(const char *text, size_t len, struct gm_error *err);

#endif
