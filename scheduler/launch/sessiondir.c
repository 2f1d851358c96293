/* See sessiondir.h. Open MPI 5's folders have the launcher's number in their names, so
 * the parameter means nothing to it and nothing is missing. */
#include "sessiondir.h"
#include "alloc.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/str.h"
#include <stdlib.h>
#include <string.h>

#define BASE "OMPI_MCA_orte_tmpdir_base="

enum { LONGEST = 40 }; /* of what comes before it: a socket's path has 107 bytes */

struct sessiondir {
    struct str env;
};

static char *path_of(struct sessiondir *d)
{
    return d->env.text + sizeof(BASE) - 1;
}

/* Where mpirun would put its own. */
static const char *temporary(void)
{
    static const char *const names[] = {"TMPDIR", "TEMP", "TMP"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        const char *value = getenv(names[i]);
        if (value != NULL && value[0] == '/')
            return value;
    }
    return "/tmp";
}

struct sessiondir *sessiondir_make(void)
{
    const char *base = temporary();
    if (strlen(base) > LONGEST || alloc_user_set("orte_tmpdir_base") ||
        alloc_user_set("orte_local_tmpdir_base"))
        return NULL;
    struct sessiondir *d = xcalloc(1, sizeof(*d));
    str_printf(&d->env, BASE "%s/gm.XXXXXX", base);
    if (mkdtemp(path_of(d)) != NULL)
        return d;
    str_free(&d->env);
    free(d);
    return NULL;
}

const char *sessiondir_env(const struct sessiondir *d)
{
    return str_text(&d->env);
}

void sessiondir_free(struct sessiondir *d)
{
    if (d == NULL)
        return;
    (void)file_remove_tree(path_of(d), NULL);
    str_free(&d->env);
    free(d);
}
