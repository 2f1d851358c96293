/* Shared objects opened at run time. The only code that includes dlfcn.h. */
#ifndef BASE_DSO_H
#define BASE_DSO_H

#include "auto.h"
#include "gridmill/error.h"

struct dso;

/* RTLD_NOW | RTLD_LOCAL; -ENOENT with the loader's reason. A path (with a '/') that is no
 * whole shared object is refused before the loader touches it: -EINVAL. */
int dso_open(const char *path, struct dso **ret, struct gm_error *err);
void *dso_symbol(struct dso *d, const char *name); /* NULL: not there */
void dso_close(struct dso *d);                     /* takes NULL */
/* Every object (no function) that the file shows and whose name ends with `end`: its name
 * and how many bytes it has. */
void dso_objects(struct dso *d,
                 const char *end,
                 void (*each)(void *ctx, const char *name, size_t bytes),
                 void *ctx);

AUTO_TYPE(dso, dso_close)

#endif
