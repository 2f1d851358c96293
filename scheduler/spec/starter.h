/* A commented starter jobspec for a kernel, from the kernel's own table: every parameter
 * with its help, type, range and default; the required ones to be filled in. */
#ifndef SPEC_STARTER_H
#define SPEC_STARTER_H

#include "gridmill/kernel.h"

#define STARTER_BLANK "FILL-ME" /* what stands where only the user knows */

struct starter_options {
    const char *name;        /* of the job */
    const char *file;        /* the jobspec's, as its comments speak of it */
    const char *const *sets; /* "PATH=VALUE" as --set has them: values that are known */
    unsigned n_sets;
};

/* YAML, and "args.data shards.of": the keys that are still to be filled in ("": none);
 * both yours to free. kernel NULL: a starter for a command. -EINVAL: a set is wrong. */
int starter_format(const struct gm_kernel *kernel,
                   const struct starter_options *opt,
                   char **ret,
                   char **ret_blanks,
                   struct gm_error *err);

#endif
