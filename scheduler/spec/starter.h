/* A commented starter jobspec for a kernel, from the kernel's own table: every parameter
 * with its help, type, range and default; the required ones to be filled in. */
#ifndef SPEC_STARTER_H
#define SPEC_STARTER_H

#include "gridmill/kernel.h"

/* YAML; yours to free. kernel NULL: a starter for a command. */
char *starter_format(const struct gm_kernel *kernel, const char *name);

#endif
