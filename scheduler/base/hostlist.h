/* RFC 29: an ordered list of host names, repeats allowed. "node[00-2,7],login" is node00,
 * node01, node02, node07, login: the width of a range's first number is kept. */
#ifndef BASE_HOSTLIST_H
#define BASE_HOSTLIST_H

#include "auto.h"
#include "gridmill/error.h"
#include <stdbool.h>
#include <stddef.h>

#define HOSTLIST_MAX 1048576u /* names */

struct hostlist {
    char **names;
    size_t n;
};

/* Commas (blanks around them are allowed) between entries; "" is the empty list. -EINVAL
 * names what is wrong and where (characters from 1). */
int hostlist_parse(const char *text, struct hostlist **ret, struct gm_error *err);
void hostlist_free(struct hostlist *h); /* takes NULL */
/* The shortest text that parses to the same list; yours to free. */
char *hostlist_format(const struct hostlist *h);
bool hostlist_has(const struct hostlist *h, const char *name);

AUTO_TYPE(hostlist, hostlist_free)

#endif
