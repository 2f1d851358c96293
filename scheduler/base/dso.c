/* See dso.h. */
#include "dso.h"
#include "memory.h"
#include <dlfcn.h>

struct dso {
    void *handle;
};

int dso_open(const char *path, struct dso **ret, struct gm_error *err)
{
    void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (handle == NULL)
        return gm_fail(err, -ENOENT, "%s", dlerror());
    struct dso *d = xcalloc(1, sizeof(*d));
    d->handle = handle;
    *ret = d;
    return 0;
}

void *dso_symbol(struct dso *d, const char *name)
{
    return dlsym(d->handle, name);
}

void dso_close(struct dso *d)
{
    if (d == NULL)
        return;
    (void)dlclose(d->handle);
    free(d);
}
