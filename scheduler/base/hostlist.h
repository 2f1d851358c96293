/* RFC 29: an ordered list of host names, repeats allowed. "node[00-2,7],login" is node00,
 * node01, node02, node07, login: the leading zeros of a bracket's first number are kept.
 * A name may have several brackets, as Slurm writes them: the last varies fastest. */
#ifndef BASE_HOSTLIST_H
#define BASE_HOSTLIST_H

#include "auto.h"
#include "gridmill/error.h"
#include <stdbool.h>
#include <stddef.h>

#define HOSTLIST_MAX  131072u /* names */
#define HOSTLIST_NAME 255u    /* characters of a name */

struct hostlist {
    char **names;
    size_t n;
};

/* Commas (blanks around them are allowed) between entries; an empty entry is an empty
 * list. -EINVAL names what is wrong and where (characters from 1). */
int hostlist_parse(const char *text, struct hostlist **ret, struct gm_error *err);
void hostlist_free(struct hostlist *h); /* takes NULL */
/* Names that differ in their last number alone share a bracket, as in Flux: "n[1-3,7],x".
 * Parses to the same list; yours to free. */
char *hostlist_format(const struct hostlist *h);
bool hostlist_has(const struct hostlist *h, const char *name);

AUTO_TYPE(hostlist, hostlist_free)

#endif
