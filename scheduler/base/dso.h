/* Shared objects opened at run time. The only code that includes dlfcn.h. */
#ifndef BASE_DSO_H
#define BASE_DSO_H

#include "auto.h"
#include "gridmill/error.h"

struct dso;

/* RTLD_NOW | RTLD_LOCAL; -ENOENT with the loader's reason. */
int dso_open(const char *path, struct dso **ret, struct gm_error *err);
void *dso_symbol(struct dso *d, const char *name); /* NULL: not there */
void dso_close(struct dso *d);                     /* takes NULL */

AUTO_TYPE(dso, dso_close)

#endif
