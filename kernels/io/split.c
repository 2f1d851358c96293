/* The stratified split: rows are bucketed by class (a counting sort, so file order stays
 * within a class), then each bucket is permuted and cut. */
#include "split.h"

#include "base/auto.h"
#include "kernels/op/philox.h"
#include <inttypes.h>
#include <stdlib.h>

static int check(const int64_t percent[SPLIT_PARTS], struct gm_error *err)
{
    int64_t sum = 0;
    for (int i = 0; i < SPLIT_PARTS; i++) {
        if (percent[i] < 0 || percent[i] > 100)
            return gm_fail(
                err, -EINVAL, "split: %" PRId64 " is no percentage", percent[i]);
        sum += percent[i];
    }
    if (sum != 100)
        return gm_fail(err,
                       -EINVAL,
                       "split: %" PRId64 " + %" PRId64 " + %" PRId64 " is %" PRId64
                       ", not 100",
                       percent[0],
                       percent[1],
                       percent[2],
                       sum);
    return 0;
}

/* `rows`: the n rows of one class in file order. */
static void split_class(const size_t *rows,
                        size_t n,
                        uint64_t seed,
                        uint64_t class,
                        const int64_t percent[SPLIT_PARTS],
                        size_t *order,
                        uint8_t *part)
{
    unsigned __int128 wide = n; /* n * 100 may not fit 64 bits */
    size_t train = (size_t)((wide * (uint64_t)percent[0] + 50) / 100);
    size_t valid = (size_t)((wide * (uint64_t)(percent[0] + percent[1]) + 50) / 100);
    philox_permutation(seed, class, n, order);
    for (size_t i = 0; i < n; i++)
        part[rows[order[i]]] = i < train   ? SPLIT_TRAIN
                               : i < valid ? SPLIT_VALID
                                           : SPLIT_TEST;
}

int split_rows(const int32_t *labels,
               uint64_t n,
               uint64_t seed,
               const int64_t percent[SPLIT_PARTS],
               uint8_t *part,
               struct gm_error *err)
{
    int rc = check(percent, err);
    if (rc != 0)
        return rc;
    int32_t highest = -1;
    for (uint64_t i = 0; i < n; i++)
        highest = labels[i] > highest ? labels[i] : highest;
    size_t classes = (size_t)((int64_t)highest + 1);
    AUTO_FREE(size_t) rows = calloc(n + 1, sizeof(*rows));
    AUTO_FREE(size_t) order = calloc(n + 1, sizeof(*order));
    AUTO_FREE(size_t) begin = calloc(classes + 2, sizeof(*begin));
    if (rows == NULL || order == NULL || begin == NULL)
        return gm_fail(err, -ENOMEM, "split: no memory for %" PRIu64 " rows", n);
    for (uint64_t i = 0; i < n; i++)
        begin[(size_t)labels[i] + 2]++;
    for (size_t c = 2; c < classes + 2; c++)
        begin[c] += begin[c - 1];
    for (uint64_t i = 0; i < n; i++)
        rows[begin[(size_t)labels[i] + 1]++] =
            i; /* begin[c] is now where class c begins */
    for (size_t c = 0; c < classes; c++)
        split_class(
            rows + begin[c], begin[c + 1] - begin[c], seed, c, percent, order, part);
    return 0;
}
