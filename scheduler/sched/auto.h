/* What the words of `mapping` mean for a slot, and what `auto` becomes. */
#ifndef SCHED_AUTO_H
#define SCHED_AUTO_H

#include "slot.h"
#include <stdbool.h>

/* A rank's slot as the request asks for it, defaults filled in (one core; numa without
 * ranks, cores and threads: a NUMA node; gpu-near: one GPU). spread is left to
 * auto_choose. */
struct slot_request auto_slot(const struct place_request *req);

/* "pack", "spread", or the request's own word; sets slot->spread. ranks: how many there
 * will be; fills: they take every core that is free. */
const char *
auto_choose(const struct place_request *req, bool fills, struct slot_request *slot);
/* Why auto became spread, or pack: for --explain. */
const char *auto_why(const struct place_request *req, bool spread);

#endif
