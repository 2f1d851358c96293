/* See memory.h. */
#include "memory.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

_Noreturn static void out_of_memory(size_t n, size_t size)
{
    (void)fprintf(stderr, "gridmill: out of memory (%zu x %zu bytes)\n", n, size);
    abort();
}

size_t xmul(size_t a, size_t b)
{
    size_t product;
    if (__builtin_mul_overflow(a, b, &product))
        out_of_memory(a, b);
    return product;
}

size_t xadd(size_t a, size_t b)
{
    size_t sum;
    if (__builtin_add_overflow(a, b, &sum))
        out_of_memory(1, a);
    return sum;
}

void *xcalloc(size_t n, size_t size)
{
    void *p = calloc(n > 0 ? n : 1, size > 0 ? size : 1);
    if (p == NULL)
        out_of_memory(n, size);
    return p;
}

void *xrealloc(void *p, size_t n, size_t size)
{
    size_t want = xmul(n, size);
    void *grown = realloc(p, want > 0 ? want : 1);
    if (grown == NULL)
        out_of_memory(n, size);
    return grown;
}

char *xstrdup(const char *text)
{
    size_t n = strlen(text) + 1;
    return memcpy(xcalloc(n, 1), text, n);
}
