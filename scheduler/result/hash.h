/* SHA-256 of results and of files (FIPS 180-4, by libsodium). What the result hash covers
 * is in docs/design/results.md; shards and the packed file hash equal, whatever the
 * number of ranks, hosts, attempts, dates and storage layout. */
#ifndef RESULT_HASH_H
#define RESULT_HASH_H

#include "gridmill/error.h"
#include <stddef.h>

struct reader;

int hash_results(struct reader *r, char ret_hex[65], struct gm_error *err);
int hash_file(const char *path, char ret_hex[65], struct gm_error *err);
void hash_bytes(const void *data, size_t len, char ret_hex[65]);

#endif
