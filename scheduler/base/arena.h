/* An arena: many small objects with one life. Nothing is freed alone; arena_free frees
 * all. Memory is zeroed and aligned for any type. An allocation that fails ends the
 * process with one line (a document-like object has no sensible way on without memory).
 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include "auto.h"
#include "gridmill/error.h"
#include <stddef.h>

struct arena;

struct arena *arena_make(void);
void arena_free(struct arena *a); /* takes NULL */

/* n * size bytes, zeroed; the product is checked. n 0 gives a unique pointer. */
void *arena_alloc(struct arena *a, size_t n, size_t size);
char *arena_copy(struct arena *a, const char *text, size_t len); /* terminated */
char *arena_strdup(struct arena *a, const char *text);           /* NULL stays NULL */
GM_PRINTF(2, 3) char *arena_printf(struct arena *a, const char *fmt, ...);
/* Bytes handed out so far. */
size_t arena_used(const struct arena *a);

AUTO_TYPE(arena, arena_free)

#endif
