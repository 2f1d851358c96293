/* The short form as a JSON Schema (draft 7), made from words.h and the kernels' own
 * tables: editors complete and check jobspecs with it. */
#ifndef SPEC_SCHEMA_H
#define SPEC_SCHEMA_H

#include "gridmill/kernel.h"

char *schema_format(const struct gm_kernel *const *kernels,
                    unsigned n); /* yours to free */

#endif
