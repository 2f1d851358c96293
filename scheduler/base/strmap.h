/* Words -> numbers: a hash table for when a linear search would be quadratic (a file with
 * a hundred thousand keys). Keys are borrowed and must outlive the map. */
#ifndef BASE_STRMAP_H
#define BASE_STRMAP_H

#include "auto.h"
#include <stdbool.h>
#include <stddef.h>

struct strmap;

struct strmap *strmap_make(void);
void strmap_free(struct strmap *m); /* takes NULL */

void strmap_put(struct strmap *m, const char *key, size_t value); /* replaces */
bool strmap_get(const struct strmap *m, const char *key, size_t *ret);

AUTO_TYPE(strmap, strmap_free)

#endif
