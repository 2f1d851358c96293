/* A stratified split of rows into training, validation and test.
 *
 * For each class c by itself: its n rows in file order are permuted by Philox (key: the
 * seed, stream: c); of the permuted rows the first T train, those up to V validate, the
 * rest test, T = floor((n * train + 50) / 100)    V = floor((n * (train + valid) + 50) /
 * 100) (halves round up). So a row's part depends on the labels and the seed alone. */
#ifndef IO_SPLIT_H
#define IO_SPLIT_H

#include "gridmill/error.h"
#include <stdint.h>

enum split_part { SPLIT_TRAIN, SPLIT_VALID, SPLIT_TEST, SPLIT_PARTS };

/* percent: train, validation, test; each 0 .. 100, together 100 (else -EINVAL). labels
 * are
 * >= 0. Fills part[n] with enum split_part. */
int split_rows(const int32_t *labels,
               uint64_t n,
               uint64_t seed,
               const int64_t percent[SPLIT_PARTS],
               uint8_t *part,
               struct gm_error *err);

#endif
