/* FILE.parts/, where a sharded results file has its large datasets: a generation a pack,
 * FILE.parts/N/part-00000.h5 and so on, a part a member. FILE says which one is its own.
 * While it is packed it is called N.tmp. */
#ifndef RESULT_PARTS_H
#define RESULT_PARTS_H

#include "gridmill/error.h"

/* Makes FILE.parts/N.tmp, N being new; what packs that were killed left goes. */
int parts_take(const char *file, unsigned *ret, struct gm_error *err);
/* N.tmp, whose parts are on the disk, becomes N. */
int parts_name(const char *file, unsigned n, struct gm_error *err);
/* Neither N nor N.tmp is of any use. */
void parts_drop(const char *file, unsigned n);
/* What packs that were killed left; the folder itself where it is empty then. */
int parts_clean(const char *file, struct gm_error *err);

/* The folder FILE.parts/N that the results file at `path` (FILE, or FILE by its later
 * name) is made of. NULL: none, or they are not FILE's. Yours to free. */
char *parts_of(const char *path, const char *file);

#endif
