/* Allocation that does not fail: out of memory (or a product past SIZE_MAX) ends the
 * process with one line. For small, bounded things; sizes that come from a file are
 * checked by who reads the file, and large buffers use malloc and report. */
#ifndef BASE_MEMORY_H
#define BASE_MEMORY_H

#include <stddef.h>

__attribute__((returns_nonnull)) void *xcalloc(size_t n, size_t size);
__attribute__((returns_nonnull)) void *xrealloc(void *p, size_t n, size_t size);
__attribute__((returns_nonnull)) char *xstrdup(const char *text);
size_t xmul(size_t a, size_t b);
size_t xadd(size_t a, size_t b);

#endif
