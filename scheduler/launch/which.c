/* See which.h. Invariant: what is found may be executed by this user. */
#include "which.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char *which_find(struct arena *a, const char *name)
{
    const char *path = getenv("PATH");
    for (const char *p = path != NULL ? path : "/usr/local/bin:/usr/bin:/bin";
         *p != '\0';) {
        size_t n = strcspn(p, ":");
        char *full = arena_printf(a, "%.*s/%s", (int)n, n > 0 ? p : ".", name);
        if (access(full, X_OK) == 0)
            return full;
        p += n + (p[n] == ':');
    }
    return NULL;
}
