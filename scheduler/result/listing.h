/* Where shards and their fences lie in a job folder, and which are there. Private to
 * scheduler/result. */
#ifndef RESULT_LISTING_H
#define RESULT_LISTING_H

#include "gridmill/error.h"
#include <stddef.h>

/* FOLDER/shards/000/rank-000000.h5, or .1.h5 and so on for later launches; yours. */
char *listing_shard(const char *folder, unsigned rank, unsigned launch);
/* The first number under which there is no shard of this rank, nor was one ever
 * sealed. */
unsigned listing_launches(const char *folder, unsigned rank);
/* FOLDER/fences/rank-000000.1.txt of FOLDER/shards/000/rank-000000.1.h5; yours. */
char *listing_fence(const char *shard);

/* All shards, by name. *ret and the names in it are yours. No folder: none. */
int listing_shards(const char *folder, char ***ret, size_t *ret_n, struct gm_error *err);
void listing_free(char **names, size_t n);

#endif
