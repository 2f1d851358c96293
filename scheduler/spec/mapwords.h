/* Open MPI's words for where ranks stand, --map-by, --rank-by and --bind-to as PRRTE 5
 * reads them, taken apart once for the reader of jobspecs and for who places:
 *
 *   [ppr:N:]OBJECT[:MODIFIER[,MODIFIER]...]      slot | node | fill | span
 *   none | OBJECT[:overload-allowed][:if-supported] */
#ifndef SPEC_MAPWORDS_H
#define SPEC_MAPWORDS_H

#include "gridmill/error.h"
#include <stdbool.h>
#include <stddef.h>

/* From the outermost in; a binding must not be above what is mapped by. */
enum mapwords_level {
    MAPWORDS_HOST = 0, /* map: the node as a whole; bind: none */
    MAPWORDS_PACKAGE,
    MAPWORDS_NUMA,
    MAPWORDS_L3,
    MAPWORDS_L2,
    MAPWORDS_L1,
    MAPWORDS_CORE,
    MAPWORDS_HWTHREAD
};

enum mapwords_how {
    MAPWORDS_BY_SLOT = 1,
    MAPWORDS_BY_NODE,
    MAPWORDS_BY_OBJECT,
    MAPWORDS_BY_PPR,  /* n on each object of a level, or on each device */
    MAPWORDS_BY_LIST, /* pe-list= */
    MAPWORDS_BY_DEVICE,
    MAPWORDS_BY_OTHER /* seq, rankfile, dist, board: known, but never placed */
};

enum mapwords_rank {
    MAPWORDS_RANK_DEFAULT = 0,
    MAPWORDS_RANK_SLOT,
    MAPWORDS_RANK_NODE,
    MAPWORDS_RANK_FILL,
    MAPWORDS_RANK_SPAN
};

struct mapwords {
    enum mapwords_how how;
    enum mapwords_level level; /* OBJECT and PPR */
    unsigned ppr, pe;          /* pe: CPUs a rank; 0: not said */
    bool device;               /* DEVICE, and PPR of devices */
    bool span, oversubscribe, no_oversubscribe, no_local, hwtcpus, corecpus, ordered;
    bool shared, interleave;    /* devices */
    enum mapwords_level across; /* interleave: over the objects of this level */
    unsigned n_devices;         /* a rank; 0: not said */
    const char *list;           /* pe-list: "0,2-3", ids as they stand; in the text */
    size_t list_len;
    enum mapwords_rank rank;
    bool bind_said, overload, if_supported;
    enum mapwords_level bind;
    char cannot[96]; /* what of it is known, but cannot be placed; or "" */
};

/* Any of them may be NULL: what PRRTE takes then (map-by: what is bound to, or core).
 * -EINVAL: the sentence, without a place; *ret_at 0, 1, 2: it is about that text. Nothing
 * of the texts is copied. */
int mapwords_parse(const char *map_by,
                   const char *rank_by,
                   const char *bind_to,
                   struct mapwords *ret,
                   unsigned *ret_at,
                   struct gm_error *err);
/* The map-by word that stands for none, beside this bind-to: static. */
const char *mapwords_default(const char *bind_to);
/* A word of --map-by, whatever stands behind it. */
bool mapwords_is_object(const char *text);
const char *mapwords_object(size_t i); /* the i-th of them; NULL: there are no more */
/* The ids of a pe-list in their order; yours to free. */
unsigned *mapwords_ids(const struct mapwords *w, unsigned *ret_n);
const char *mapwords_level_name(enum mapwords_level level); /* "l3cache" */

#endif
