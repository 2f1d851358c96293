/* A hostlist (RFC 29) of which each entry may say how many ranks its hosts take:
 * "a,b[1-3]:2". */
#ifndef BASE_HOSTSLOTS_H
#define BASE_HOSTSLOTS_H

#include "hostlist.h"

#define HOSTSLOTS_MAX 1000000u /* slots of a host */

/* *ret_slots[i] belongs to (*ret)->names[i], 0: not said; both are yours (free). -EINVAL
 * names what is wrong. */
int hostslots_parse(const char *text,
                    struct hostlist **ret,
                    unsigned **ret_slots,
                    struct gm_error *err);

#endif
