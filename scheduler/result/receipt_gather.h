/* A receipt from the commits of a job, and in a results file. Private to
 * scheduler/result. */
#ifndef RESULT_RECEIPT_GATHER_H
#define RESULT_RECEIPT_GATHER_H

#include "receipt.h"
#include "shards.h"

/* over: every task has ended. */
struct receipt *
receipt_gather(const struct head *head, const struct shards *s, bool over);

/* What a rank used, for a shard that stands for all launches before. False: nothing is
 * known. */
bool receipt_use(const struct receipt *r, unsigned rank, struct result_use *ret);

/* Makes the group /receipt. */
int receipt_put(hid_t file, const struct receipt *r, struct gm_error *err);
/* *ret is NULL where the file has none. */
int receipt_load(hid_t file, struct receipt **ret, struct gm_error *err);

#endif
