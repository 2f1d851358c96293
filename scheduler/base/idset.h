/* A set of small numbers: PUs, ranks. As text it is RFC 22's idset, the kernel's cpu
 * list: "0-3,8". */
#ifndef BASE_IDSET_H
#define BASE_IDSET_H

#include "auto.h"
#include "gridmill/error.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define IDSET_MAX 1048576u /* ids are below this */

struct idset {
    uint64_t *words;
    unsigned n_words;
};

struct idset *idset_make(void);
struct idset *idset_dup(const struct idset *s);
void idset_free(struct idset *s); /* takes NULL */

void idset_add(struct idset *s, unsigned id);
void idset_add_run(struct idset *s, unsigned first, unsigned last); /* first <= last */
void idset_remove(struct idset *s, unsigned id);
void idset_clear(struct idset *s);
bool idset_has(const struct idset *s, unsigned id);
unsigned idset_count(const struct idset *s);
bool idset_equal(const struct idset *a, const struct idset *b);
bool idset_subset(const struct idset *a, const struct idset *b); /* a within b */
bool idset_overlap(const struct idset *a, const struct idset *b);
void idset_unite(struct idset *a, const struct idset *b);    /* a |= b */
void idset_subtract(struct idset *a, const struct idset *b); /* a &= ~b */
/* The lowest id >= from, or -1. */
int64_t idset_next(const struct idset *s, unsigned from);

/* "0-3,8" (ascending, unique, no blanks, optional outer brackets); "" is the empty set.
 * -EINVAL names what is wrong. */
int idset_parse(const char *text, struct idset **ret, struct gm_error *err);
char *idset_format(const struct idset *s); /* yours to free */

AUTO_TYPE(idset, idset_free)

#endif
