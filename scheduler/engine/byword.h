/* A job that is placed by Open MPI's words. */
#ifndef ENGINE_BYWORD_H
#define ENGINE_BYWORD_H

#include "base/str.h"
#include "sched/place.h"
#include "spec/jobspec.h"

/* words NULL: the job's own; else this map-by text instead, with PRRTE's ranks and
 * binding. What the job says of a rank goes along: gpus, cores (PE), memory,
 * oversubscribe. occ: what others hold; with NOLOCAL this host, too. */
int byword_map(const struct jobspec *spec,
               const struct restree *tree,
               struct occupancy *occ,
               const char *words,
               struct placement **ret,
               struct gm_error *err);
/* The map-by text with all that goes along as modifiers: "slot:PE=2:OVERSUBSCRIBE". */
int byword_text(const struct jobspec *spec,
                const char *words,
                struct str *out,
                struct gm_error *err);
/* `mapping: inherited`: ranks on hosts as `auto` has them, bound by nobody: each may run
 * wherever its host lets this job run. */
int byword_inherit(const struct restree *tree,
                   const struct occupancy *occ,
                   const struct place_request *req,
                   struct placement **ret,
                   struct gm_error *err);

#endif
