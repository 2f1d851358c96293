/* The four loops of McCalpin's STREAM over three arrays of n doubles, s being STREAM_S:
 *
 *   STREAM_COPY    c = a
 *   STREAM_SCALE   b = s c
 *   STREAM_ADD     c = a + b
 *   STREAM_TRIAD   a = b + s c
 *
 * One after the other they make a larger by a factor of s^2 + 2 s, which is 1.0001: every
 * round gives other bits, and a hundred thousand of them give no infinity.
 * Threads (threads.h) take contiguous runs, the same ones in each call: memory that
 * stream_fill touched first is near to who uses it. Plain stores. */
#ifndef OP_STREAM_H
#define OP_STREAM_H

#include <stddef.h>

#define STREAM_S 0.41425

enum stream_op { STREAM_COPY, STREAM_SCALE, STREAM_ADD, STREAM_TRIAD, STREAM_OPS };

/* a[i] = 1 + i % 8, b = 2, c = 0. */
void stream_fill(size_t n, double *a, double *b, double *c);
void stream_run(enum stream_op op, size_t n, double *a, double *b, double *c);
/* How many elements are not what `rounds` rounds of all four after a fill make them: none
 * may differ by a bit. */
size_t stream_count_wrong(
    size_t n, size_t rounds, const double *a, const double *b, const double *c);

#endif
