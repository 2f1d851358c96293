/* Words -> numbers: a hash table for when a linear search would be quadratic (a file with
 * a hundred thousand keys). Keys are borrowed and must outlive the map. */
#ifndef BASE_STRMAP_H
#define BASE_STRMAP_H

#include "auto.h"
#include <stdbool.h>
#include <stddef.h>

struct strmap;

struct strmap *strmap_make(void);
struct strmap *strmap_make_for(size_t n); /* with room for n keys */
void strmap_free(struct strmap *m);       /* takes NULL */

void strmap_put(struct strmap *m, const char *key, size_t value); /* replaces */
/* Puts *value for a key that is not there; else *value becomes the one that is: false. */
bool strmap_add(struct strmap *m, const char *key, size_t *value);
bool strmap_get(const struct strmap *m, const char *key, size_t *ret);

AUTO_TYPE(strmap, strmap_free)

#endif
