/* Open MPI's words (PRRTE's --map-by, --rank-by, --bind-to) -> ranks on cores, as PRRTE 5
 * places them: the rules, rule by rule, are in docs/design/mapby.md. Pure. */
#ifndef SCHED_MAPBY_H
#define SCHED_MAPBY_H

#include "place.h"

struct mapby_words {
    const char *map_by;  /* "core", "ppr:2:package", "pe-list=0,2-3:ordered" ... */
    const char *rank_by; /* "slot", "node", "fill", "span"; NULL: PRRTE's default */
    const char *bind_to; /* "core", "numa", "none" ...; NULL: PRRTE's default */
};

/* An application of a job: one, but for MPMD. */
struct mapby_app {
    struct mapby_words words;
    unsigned n_ranks; /* 0: as many as there are slots */
    unsigned gpus;    /* a rank; 0: none */
};

/* slots: hosts' own (topo_host.slots), else one a core. A seat that is not bound has all
 * PUs of its host, and placement.unbound is set. -EINVAL: words that contradict each
 * other (rank-by fill without an object, a binding above the mapped object); -EOVERFLOW:
 * more ranks than slots or GPUs, unless the words allow it; -ENOSPC as place_map. */
int mapby_map(const struct restree *tree,
              const struct occupancy *occ,
              const struct mapby_app *apps,
              unsigned n_apps,
              struct placement **ret,
              struct gm_error *err);

#endif
