/* What `resume --failed` runs again, in the job folder: the file `again`,
 *   launch N
 *   rank-000000.h5       a line each shard that was there when it was asked
 * A failure that stands in one of these shards is run again, by this launch or a later
 * one, until the task has another commit; what fails after that stays failed. */
#ifndef RESULT_AGAIN_H
#define RESULT_AGAIN_H

#include "gridmill/error.h"
#include <stdbool.h>
#include <stdint.h>

struct again {
    uint32_t launch;       /* the first that runs them; 0: nobody asked */
    struct strmap *shards; /* NULL: none */
    char *text;
};

/* All shards that are there now: they are sealed. */
int again_write(const char *folder, uint32_t launch, struct gm_error *err);
/* A folder without the file: 0 and none. */
int again_read(const char *folder, struct again *ret, struct gm_error *err);
bool again_has(const struct again *a, const char *shard_path);
void again_clear(struct again *a); /* what is inside */

#endif
