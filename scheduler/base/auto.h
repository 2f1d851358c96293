/* Cleanup at the end of a scope: AUTO(doc) d = NULL; is freed on every way out; returning
 * it is `*ret = steal(&d)`. A type `struct x` joins by AUTO_TYPE(x, x_free). */
#ifndef BASE_AUTO_H
#define BASE_AUTO_H

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define AUTO_TYPE(type, release)                                                         \
    static inline void type##_freep(struct type **p)                                     \
    {                                                                                    \
        release(*p);                                                                     \
    }

#define AUTO(type)      __attribute__((cleanup(type##_freep))) struct type *
#define AUTO_FREE(type) __attribute__((cleanup(auto_freep))) type *
#define AUTO_FD         __attribute__((cleanup(auto_closep))) int
#define AUTO_FILE       __attribute__((cleanup(auto_fclosep))) FILE *

#define steal(p)                                                                         \
    ({                                                                                   \
        __typeof__(*(p)) stolen_ = *(p);                                                 \
        *(p) = NULL;                                                                     \
        stolen_;                                                                         \
    })

static inline void auto_freep(void *p)
{
    free(*(void **)p);
}

static inline void auto_closep(const int *fd)
{
    if (*fd >= 0)
        (void)close(*fd);
}

static inline void auto_fclosep(FILE **f)
{
    if (*f != NULL)
        (void)fclose(*f);
}

#endif
